import { TimeSlices } from '../lib/time-slices.ts'
import {
  type ConfigStore,
  type DeleteResult,
  type Lease,
  type Listing,
  type PutResult,
  ReadOnlyStoreError,
  type StoredItem,
  type StoreEvent,
  StoreUnavailableError,
  type Watch,
  type WatchSink,
} from './config-store.ts'
import { EventHistory } from './event-history.ts'
import { checkKey, compareKeys } from './keys.ts'
import type { StoreLog } from './store-log.ts'
import { WatchHub } from './watch-hub.ts'

/** One resource of a configuration that was handed over as a whole. */
export interface ConfigsEntry {
  readonly key: string
  /** JSON text. */
  readonly value: string
  /** What decides whether a later entry under this key replaces this one (contract §2.4). */
  readonly index: number
  /** Whether the index was sent with the entry. */
  readonly isIndexed: boolean
}

/** All resources of one kind. */
export interface ConfigsList {
  /** `<kind>_conf_version` */
  readonly version: number
  /** No two with one key. */
  readonly entries: readonly ConfigsEntry[]
}

/** A whole configuration: each list by the name of its kind. */
export interface Configs {
  readonly lists: ReadonlyMap<string, ConfigsList>
  /** The client's name for it; absent before the first one came. */
  readonly digest?: string
  /** Unix seconds; absent before the first one came. */
  readonly lastModified?: number
}

/**
 * Holds the configuration that a client of `/apisix/admin/configs` last handed over, in memory (contract §2.4). Single items are not
 * written: one replacement is one revision, so that whoever watches never sees parts of two configurations.
 */
export class ConfigsStore implements ConfigStore {
  readonly name = 'configs'
  readonly isReadOnly = true
  readonly #hub: WatchHub
  #items: ReadonlyMap<string, StoredItem> = new Map()
  #configs: Configs = { lists: new Map() }
  #revision = 1
  #isReplacing = false
  #isClosed = false
  #onReplaced = () => {}

  constructor({ logger }: { readonly logger: StoreLog }) {
    this.#hub = new WatchHub(new EventHistory(this.#revision), logger)
  }

  get configs(): Configs {
    return this.#configs
  }

  /** The one who is told after each replacement, also when no item changed. */
  listen(onReplaced: () => void): void {
    this.#onReplaced = onReplaced
  }

  get revision(): number {
    return this.#revision
  }

  /**
   * Shows `next` in place of all that is there, in one step once everything is prepared. What has the same value keeps its revision.
   * The revision it gets is at least `minRevision`. Resolves with how many items changed. One at a time: throws an Error while another is under way, and a RangeError for a key that cannot be one; then nothing has changed.
   */
  async replace(next: Configs, minRevision = 0): Promise<number> {
    this.#checkOpen()
    if (this.#isReplacing) throw new Error('another configuration is being taken over')
    this.#isReplacing = true
    try {
      return await this.#replaceInSlices(next, Math.max(minRevision, this.#revision + 1))
    } finally {
      this.#isReplacing = false
    }
  }

  async list(prefix: string): Promise<Listing> {
    this.#checkOpen()
    const items = [...this.#items.values()].filter(({ key }) => key.startsWith(prefix))
    return { items: items.sort((a, b) => compareKeys(a.key, b.key)), revision: this.#revision }
  }

  async get(key: string): Promise<StoredItem | undefined> {
    this.#checkOpen()
    checkKey(key)
    return this.#items.get(key)
  }

  async put(): Promise<PutResult> {
    throw readOnly()
  }

  async delete(): Promise<DeleteResult> {
    throw readOnly()
  }

  async deletePrefix(): Promise<DeleteResult> {
    throw readOnly()
  }

  async grantLease(): Promise<Lease> {
    throw readOnly()
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    if (this.#isClosed) return this.#hub.refuse(sink, { reason: 'closed' })
    if (fromRevision <= this.#revision + 1) return this.#hub.watch(prefix, fromRevision, sink)
    const message = `the store is at revision ${this.#revision}, behind the ${fromRevision} asked for`
    return this.#hub.refuse(sink, { reason: 'rolled-back', message })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#hub.close()
  }

  async #replaceInSlices(next: Configs, revision: number): Promise<number> {
    const slices = new TimeSlices()
    const items = new Map<string, StoredItem>()
    const events: StoreEvent[] = []
    for (const { entries } of next.lists.values()) {
      for (const { key, value } of entries) {
        const item = this.#itemFor(key, value, revision)
        items.set(key, item)
        if (item.modRevision === revision) events.push({ type: 'put', item })
        const pause = slices.pause()
        if (pause) await pause
      }
    }
    for (const key of this.#items.keys()) {
      if (!items.has(key)) events.push({ type: 'delete', key, modRevision: revision })
    }
    this.#checkOpen()
    this.#configs = next
    if (events.length > 0) {
      this.#items = items
      this.#revision = revision
      this.#hub.publish([{ revision, events }])
    }
    this.#onReplaced()
    return events.length
  }

  #itemFor(key: string, value: string, revision: number): StoredItem {
    const present = this.#items.get(key)
    if (present?.value === value) return present
    checkKey(key)
    return { key, value, createRevision: present?.createRevision ?? revision, modRevision: revision }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreUnavailableError(`the ${this.name} store is closed`)
  }
}

function readOnly(): ReadOnlyStoreError {
  return new ReadOnlyStoreError(
    'the configuration is handed over as a whole; send it to /apisix/admin/configs',
  )
}
