import { join } from 'node:path'
import { BACKGROUND_CLOCK, SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import { byteSeal } from '../secret/gcm.ts'
import { loadOwnKey } from '../secret/own-key.ts'
import type { Settings } from '../settings/settings.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { ConfigsStore } from '../store/configs-store.ts'
import { type Following, type FollowOptions, followStore } from '../store/follow.ts'
import { Generations, type Head, type SavedLines } from '../store/last-good/generations.ts'
import { ageSeconds, type Held, LastGoodKeeper, type SavedListing } from '../store/last-good/keeper.ts'
import { linesOfConfigs, linesOfItems, readConfigs, readItems } from '../store/last-good/saved-text.ts'
import { Saver } from '../store/last-good/saver.ts'
import { type LastGoodMetrics, registerLastGoodMetrics } from './last-good-metrics.ts'

/** Where what serves comes from, for those who ask. */
export interface LastGoodStatus {
  /** Present while the store has not answered since the start. */
  readonly fromDisk?: Pick<SavedListing, 'savedAtMs' | 'generation'> & { readonly revision: number }
  /** Present while the store went back in time and is not followed. */
  readonly held?: Held
}

export interface LastGoodParts {
  readonly settings: Settings
  readonly logger: Logger
  readonly metrics: MetricRegistry
}

/** A change that etcd's watch loses serves within 30 s (reliability.md, C13): docs/operate/static-stability.md has the cost. */
const COMPARE_INTERVAL_MS = 20_000

/** What a start that cannot ask the store knows of an item. */
export interface SavedValue {
  /** Absent when it was not there. */
  readonly value: string | undefined
  /** How long to ask the store before this counts, in ms. */
  readonly waitMs: number
}

/**
 * Keeps the configuration that serves in `data_dir`, and starts from there when the store does not answer (house rule 6). Of the stores
 * whose content is out of this process's hands: etcd, and what is handed over as a whole.
 */
export class LastGood {
  readonly #parts: LastGoodParts
  readonly #metrics: LastGoodMetrics
  /** Absent: nothing is to be saved. */
  #storeName: string | undefined
  #generations: Generations | undefined
  #saver: Saver | undefined
  #saved: SavedListing | undefined
  #keeper: LastGoodKeeper | undefined
  #lastFailure: string | undefined

  constructor(parts: LastGoodParts) {
    this.#parts = parts
    this.#metrics = registerLastGoodMetrics(parts.metrics, () => this.status())
  }

  /** Reads what was saved. What is handed over as a whole is in the store again when this resolves. Never rejects. */
  async open(store: ConfigStore): Promise<void> {
    if (!this.#parts.settings.gatewright.last_good.enabled) return
    if (store.name !== 'etcd' && store.name !== 'configs') return
    this.#storeName = store.name
    await this.#takeSaved(store, await this.#load(store.name))
  }

  async #load(storeName: string): Promise<SavedLines | undefined> {
    try {
      this.#generations = this.#openGenerations(storeName)
    } catch (error) {
      // Each save tries it again.
      this.#fail(error)
      return undefined
    }
    const { saved, unusable } = await this.#generations.load()
    for (const { why, ...facts } of unusable) {
      this.#metrics.unusable(why)
      this.#parts.logger.error(
        facts,
        'a saved configuration cannot be used; an older one, or the store, has to do',
      )
    }
    return saved
  }

  /** Follows the store; those who listen hear what was saved when it does not answer in time. */
  follow(followed: Omit<FollowOptions, 'startFrom'>): Following {
    const options = { ...followed, compareIntervalMs: COMPARE_INTERVAL_MS }
    const { start_wait_ms, hold_above_percent } = this.#parts.settings.gatewright.last_good
    if (followed.store.name !== 'etcd') return followStore(followed)
    const saved = this.#saved
    this.#saved = undefined
    const keeper = new LastGoodKeeper({
      listener: options.listener,
      prefix: options.prefix,
      saved,
      holdAbove: hold_above_percent / 100,
      logger: this.#parts.logger,
      wallNowMs: Date.now,
      onServed: () => this.#saver?.note(),
    })
    this.#keeper = keeper
    this.#saver = this.#saverOf((generations) => {
      const { items, ...facts } = keeper.serving
      return generations.save({ ...facts, savedAtMs: Date.now() }, linesOfItems(items))
    })
    if (!saved) return followStore({ ...options, listener: keeper })
    const cancel = BACKGROUND_CLOCK.schedule(start_wait_ms, () =>
      keeper.serveFromDisk(`no answer within ${start_wait_ms} ms`),
    )
    const following = followStore({ ...options, listener: keeper, startFrom: saved.listing })
    return {
      status: () => following.status(),
      close: () => {
        cancel()
        return following.close()
      },
    }
  }

  /** What was saved under a key, before the store is followed; `undefined` when nothing was saved at all. */
  savedValue(key: string): SavedValue | undefined {
    const { start_wait_ms } = this.#parts.settings.gatewright.last_good
    const value = this.#saved?.listing.items.find((item) => item.key === key)?.value
    return this.#saved && { value, waitMs: start_wait_ms / 2 }
  }

  status(): LastGoodStatus {
    const { fromDisk, held } = this.#keeper ?? {}
    return {
      ...(fromDisk && {
        fromDisk: {
          revision: fromDisk.listing.revision,
          savedAtMs: fromDisk.savedAtMs,
          generation: fromDisk.generation,
        },
      }),
      ...(held && { held }),
    }
  }

  /** What a person should know although requests are served. */
  remarks(): readonly string[] {
    const { fromDisk, held } = this.status()
    const saved = fromDisk && new Date(fromDisk.savedAtMs).toISOString()
    return [
      ...(fromDisk ? [`serves revision ${fromDisk.revision} from disk, saved at ${saved}`] : []),
      ...(held ? [`does not follow the store: ${held.vanishing} of ${held.routes} routes would vanish`] : []),
    ]
  }

  /** Follows a store that was held back. False when none is. */
  confirm(): boolean {
    return this.#keeper?.confirm() ?? false
  }

  /** Saves what is not saved yet. */
  async close(): Promise<void> {
    await this.#saver?.close()
  }

  #openGenerations(store: string): Generations {
    const { gatewright, store: chosen } = this.#parts.settings
    return new Generations({
      directory: join(gatewright.data_dir, 'last-good'),
      seal: byteSeal(loadOwnKey(gatewright.data_dir, true)!),
      store,
      prefix: chosen.prefix,
    })
  }

  async #takeSaved(store: ConfigStore, saved: SavedLines | undefined): Promise<void> {
    try {
      if (store.name === 'configs') await this.#restoreConfigs(store as ConfigsStore, saved)
      else if (saved) {
        const { head, generation, lines } = saved
        const { savedAtMs } = head
        this.#saved = { listing: await readItems(head, lines), savedAtMs, generation }
      }
    } catch (error) {
      this.#metrics.unusable('damaged')
      const reason = (error as Error).message
      this.#parts.logger.error({ reason }, 'the saved configuration cannot be used; the store has to do')
    }
  }

  async #restoreConfigs(store: ConfigsStore, saved: SavedLines | undefined): Promise<void> {
    this.#saver = this.#saverOf((generations) =>
      generations.save({ revision: store.revision, savedAtMs: Date.now() }, linesOfConfigs(store.configs)),
    )
    if (saved) {
      const configs = await readConfigs(saved.lines)
      await store.replace(configs, saved.head.revision)
      this.#parts.logger.info(
        { ...factsOf(saved.head), digest: configs.digest },
        'the configuration that was handed over last serves again',
      )
    }
    store.listen(() => this.#saver?.note())
  }

  #saverOf(save: (generations: Generations) => Promise<void>): Saver | undefined {
    const storeName = this.#storeName
    if (storeName === undefined) return undefined
    return new Saver({
      save: async () => {
        this.#generations ??= this.#openGenerations(storeName)
        await save(this.#generations)
      },
      clock: SYSTEM_CLOCK,
      minIntervalMs: this.#parts.settings.gatewright.last_good.min_interval_ms,
      onSaved: () => {
        this.#lastFailure = undefined
        this.#metrics.saved()
      },
      onFailure: (error) => this.#fail(error),
    })
  }

  /** Says each reason once, until a save succeeds. */
  #fail(error: unknown): void {
    const reason = (error as Error).message
    this.#metrics.failed()
    if (reason === this.#lastFailure) return
    this.#lastFailure = reason
    this.#parts.logger.error({ reason }, 'the configuration cannot be saved; requests are not affected')
  }
}

function factsOf(head: Head): Record<string, unknown> {
  return { revision: head.revision, ageSeconds: ageSeconds(head, Date.now()) }
}
