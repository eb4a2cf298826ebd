import { join } from 'node:path'
import { BACKGROUND_CLOCK, SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { RegistryTap } from '../registry/tap.ts'
import { byteSeal } from '../secret/gcm.ts'
import { loadOwnKey } from '../secret/own-key.ts'
import type { Settings } from '../settings/settings.ts'
import { Generations, type SavedLines } from '../store/last-good/generations.ts'
import { ageSeconds } from '../store/last-good/keeper.ts'
import { linesOfItems, readItems } from '../store/last-good/saved-text.ts'
import { Saver } from '../store/last-good/saver.ts'

export interface RegistryLastGoodParts {
  readonly settings: Settings
  readonly logger: Logger
  readonly tap: RegistryTap
}

/**
 * Keeps what is registered in `data_dir`, beside the last good configuration and under the same settings, so that a gateway that starts while
 * etcd is away sends requests to those that were there. Once etcd answers, what it no longer has goes as after any outage.
 */
export class RegistryLastGood {
  readonly #parts: RegistryLastGoodParts
  #generations: Generations | undefined
  #saver: Saver | undefined
  #cancel = () => {}
  #hasWarned = false

  constructor(parts: RegistryLastGoodParts) {
    this.#parts = parts
  }

  /** Never rejects: without it the store has to do. */
  async open(): Promise<void> {
    const { settings, tap } = this.#parts
    const { enabled, min_interval_ms } = settings.gatewright.last_good
    if (!enabled || settings.store.type !== 'etcd') return
    try {
      await this.#takeSaved(await this.#load())
    } catch (error) {
      this.#warn(error)
    }
    this.#saver = new Saver({
      save: async () => {
        const { items, revision } = tap.listing
        await this.#opened().save({ revision, savedAtMs: Date.now() }, linesOfItems(items))
      },
      clock: SYSTEM_CLOCK,
      minIntervalMs: min_interval_ms,
      onSaved: () => {
        this.#hasWarned = false
      },
      onFailure: (error) => this.#warn(error),
    })
    tap.onChange = () => this.#saver?.note()
  }

  /** Saves what is not saved yet. */
  async close(): Promise<void> {
    this.#cancel()
    await this.#saver?.close()
  }

  /** Throws when there can be no key; each save tries it again. */
  #opened(): Generations {
    const { gatewright, store } = this.#parts.settings
    this.#generations ??= new Generations({
      directory: join(gatewright.data_dir, 'last-good-registry'),
      seal: byteSeal(loadOwnKey(gatewright.data_dir, true)!),
      store: 'etcd',
      prefix: store.prefix,
    })
    return this.#generations
  }

  async #load(): Promise<SavedLines | undefined> {
    const { saved, unusable } = await this.#opened().load()
    for (const { why: _why, ...facts } of unusable) {
      this.#parts.logger.error(
        facts,
        'what was registered last cannot be used; an older state, or the store, has to do',
      )
    }
    return saved
  }

  async #takeSaved(saved: SavedLines | undefined): Promise<void> {
    if (!saved) return
    const { settings, tap, logger } = this.#parts
    const listing = await readItems(saved.head, saved.lines)
    this.#cancel = BACKGROUND_CLOCK.schedule(settings.gatewright.last_good.start_wait_ms, () => {
      if (!tap.serveSaved(listing)) return
      const facts = { revision: saved.head.revision, ageSeconds: ageSeconds(saved.head, Date.now()) }
      logger.warn(facts, 'the store does not answer; what was registered last serves from disk')
    })
  }

  /** Once, until a save succeeds. */
  #warn(error: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const reason = (error as Error).message
    this.#parts.logger.error(
      { reason },
      'what is registered cannot be kept on disk; requests are not affected',
    )
  }
}
