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
import { KnownItems } from './known-items.ts'
import type { StoreLog } from './store-log.ts'
import { WatchHub } from './watch-hub.ts'

/** A worker's read side: what the primary process has told of the store. Lists wait until it has told everything once. */
export class RelayStore implements ConfigStore {
  readonly name = 'relay'
  readonly isReadOnly = true
  readonly #logger: StoreLog
  readonly #items = new Map<string, StoredItem>()
  #hub: WatchHub
  #revision = 0
  #hasState = false
  #closing: Error | undefined
  readonly #waiting = new Set<{ resolve(): void; reject(error: Error): void }>()

  constructor({ logger }: { readonly logger: StoreLog }) {
    this.#logger = logger
    this.#hub = new WatchHub(new EventHistory(0), logger)
  }

  /** Everything, as of its revision. What is watched is told the difference; when the store went back in time, the watches end. */
  replace(listing: Listing): void {
    if (this.#closing) return
    const isBack = this.#hasState && listing.revision < this.#revision
    const known = new KnownItems()
    known.load({ items: [...this.#items.values()], revision: this.#revision })
    const events = known.eventsTo(listing)
    this.#items.clear()
    for (const item of listing.items) this.#items.set(item.key, item)
    const before = this.#revision
    this.#revision = listing.revision
    if (!this.#hasState || isBack) this.#startAnew(before)
    else if (events.length > 0) this.#hub.publish([{ revision: listing.revision, events }])
    this.#hasState = true
    for (const { resolve } of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Whole revisions, in order, the last of them `revision`. */
  apply(events: readonly StoreEvent[], revision: number): void {
    if (this.#closing) return
    for (const event of events) {
      if (event.type === 'put') this.#items.set(event.item.key, event.item)
      else this.#items.delete(event.key)
    }
    this.#revision = revision
    this.#hub.publish([{ revision, events }])
  }

  async list(prefix: string): Promise<Listing> {
    await this.#untilState()
    const items = [...this.#items.values()].filter(({ key }) => key.startsWith(prefix))
    return { items: items.sort((a, b) => compareKeys(a.key, b.key)), revision: this.#revision }
  }

  async get(key: string): Promise<StoredItem | undefined> {
    checkKey(key)
    await this.#untilState()
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
    if (this.#closing) return this.#hub.refuse(sink, { reason: 'closed' })
    if (fromRevision <= this.#revision + 1) return this.#hub.watch(prefix, fromRevision, sink)
    const message = `the store is at revision ${this.#revision}, behind the ${fromRevision} asked for`
    return this.#hub.refuse(sink, { reason: 'rolled-back', message })
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = new StoreUnavailableError('the relay store is closed')
    for (const { reject } of this.#waiting) reject(this.#closing)
    this.#waiting.clear()
    this.#hub.close()
  }

  #startAnew(before: number): void {
    const message = `the store went from revision ${before} back to ${this.#revision}`
    this.#hub.close({ reason: 'rolled-back', message })
    this.#hub = new WatchHub(new EventHistory(this.#revision), this.#logger)
  }

  #untilState(): Promise<void> {
    if (this.#closing) return Promise.reject(this.#closing)
    if (this.#hasState) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }))
  }
}

function readOnly(): ReadOnlyStoreError {
  return new ReadOnlyStoreError('a worker does not write configuration; the primary process does')
}
