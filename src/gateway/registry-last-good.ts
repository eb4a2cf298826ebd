import { join } from 'node:path'
import { BACKGROUND_CLOCK, SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { RegistryTap } from '../registry/tap.ts'
import { byteSeal } from '../secret/gcm.ts'
import { loadOwnKey } from '../secret/own-key.ts'
import type { Settings } from '../settings/settings.ts'
import { Generations, type SavedLines } from '../store/last-good/generations.ts'
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
      const generations = new Generations({
        directory: join(settings.gatewright.data_dir, 'last-good-registry'),
        seal: byteSeal(loadOwnKey(settings.gatewright.data_dir, true)!),
        store: 'etcd',
        prefix: settings.store.prefix,
      })
      await this.#takeSaved((await generations.load()).saved)
      this.#saver = new Saver({
        save: () => {
          const { items, revision } = tap.listing
          return generations.save({ revision, savedAtMs: Date.now() }, linesOfItems(items))
        },
        clock: SYSTEM_CLOCK,
        minIntervalMs: min_interval_ms,
        onSaved: () => {
          this.#hasWarned = false
        },
        onFailure: (error) => this.#warn(error),
      })
      tap.onChange = () => this.#saver?.note()
    } catch (error) {
      this.#warn(error)
    }
  }

  /** Saves what is not saved yet. */
  async close(): Promise<void> {
    this.#cancel()
    await this.#saver?.close()
  }

  async #takeSaved(saved: SavedLines | undefined): Promise<void> {
    if (!saved) return
    const { settings, tap, logger } = this.#parts
    const listing = await readItems(saved.head, saved.lines)
    this.#cancel = BACKGROUND_CLOCK.schedule(settings.gatewright.last_good.start_wait_ms, () => {
      if (!tap.serveSaved(listing)) return
      const { revision, savedAtMs } = saved.head
      const facts = { revision, ageSeconds: Math.round((Date.now() - savedAtMs) / 1000) }
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
