import type { ConfigStore, Listing, StoredItem, StoreEvent, WatchSink } from '../store/config-store.ts'
import { KnownItems } from '../store/known-items.ts'
import type { RegistryView } from './view.ts'

/**
 * A store whose configuration is followed, and with it the registry: what stands below the registry's root goes to the tap and is
 * not seen by who lists or watches. So a node has one watch, and what comes and goes with leases is no change of configuration.
 */
export function tapStore(store: ConfigStore, tap: RegistryTap): ConfigStore {
  const isTapped = (prefix: string) => tap.root.startsWith(prefix)
  return {
    name: store.name,
    isReadOnly: store.isReadOnly,
    list: async (prefix) => {
      const listing = await store.list(prefix)
      return isTapped(prefix) ? tap.takeListing(listing) : listing
    },
    peek: async (prefix) => {
      const listing = await store.list(prefix)
      return isTapped(prefix)
        ? { ...listing, items: listing.items.filter(({ key }) => !key.startsWith(tap.root)) }
        : listing
    },
    watch: (prefix, fromRevision, sink) =>
      store.watch(prefix, fromRevision, isTapped(prefix) ? tap.sink(sink) : sink),
    get: (key) => store.get(key),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    deletePrefix: (prefix) => store.deletePrefix(prefix),
    grantLease: (ttlSeconds) => store.grantLease(ttlSeconds),
    close: () => store.close(),
  }
}

/** What the store tells of the registry, on its way to the view. */
export class RegistryTap {
  /** Told when there is something new to save; figures of load alone are saved with the next thing. */
  onChange: () => void = () => {}
  readonly #view: RegistryView
  readonly #known = new KnownItems()
  readonly #items = new Map<string, StoredItem>()
  #revision = 0
  #hasState = false

  constructor(view: RegistryView) {
    this.#view = view
  }

  get root(): string {
    return this.#view.keys.root
  }

  /** Everything as it is known now. */
  get listing(): Listing {
    return { items: [...this.#items.values()], revision: this.#revision }
  }

  /** Serves what was saved as long as the store has not told anything. Tells whether that was so. */
  serveSaved(listing: Listing): boolean {
    if (this.#hasState) return false
    this.#load(listing)
    this.#view.onState(listing)
    return true
  }

  #load(listing: Listing): void {
    this.#known.load(listing)
    this.#items.clear()
    for (const item of listing.items) this.#items.set(item.key, item)
    this.#revision = listing.revision
    this.#hasState = true
  }

  takeListing(listing: Listing): Listing {
    const { items, revision } = listing
    const isOwn = (key: string) => key.startsWith(this.#view.keys.root)
    const own = { items: items.filter(({ key }) => isOwn(key)), revision }
    const events = this.#hasState ? this.#known.eventsTo(own) : []
    const origin = revision < this.#revision ? 'rolled-back' : 'relist'
    const isFirst = !this.#hasState
    this.#load(own)
    if (isFirst) this.#view.onState(own)
    else this.#view.onEvents(events, revision, origin)
    this.#view.onStatus(true)
    if (isFirst || events.length > 0) this.onChange()
    return { ...listing, items: items.filter(({ key }) => !isOwn(key)) }
  }

  sink(inner: WatchSink): WatchSink {
    return {
      onEvents: (events, revision) => {
        this.#takeEvents(
          events.filter((event) => this.#isOwn(event)),
          revision,
        )
        const others = events.filter((event) => !this.#isOwn(event))
        if (others.length > 0) inner.onEvents(others, revision)
        else inner.onProgress?.(revision)
      },
      onProgress: (revision) => {
        this.#view.onStatus(true)
        inner.onProgress?.(revision)
      },
      onEnd: (cause) => {
        if (cause.reason === 'disconnected') this.#view.onStatus(false)
        inner.onEnd(cause)
      },
    }
  }

  /** A watch that was given up may still tell what a newer one has told. */
  #takeEvents(events: readonly StoreEvent[], revision: number): void {
    if (revision < this.#revision) return
    const fresh = events.filter((event) => revisionOf(event) > this.#revision)
    this.#revision = revision
    this.#known.apply(fresh)
    for (const event of fresh) {
      if (event.type === 'put') this.#items.set(event.item.key, event.item)
      else this.#items.delete(event.key)
    }
    const isNews = this.#view.onEvents(fresh, revision, 'watch')
    this.#view.onStatus(true)
    if (isNews) this.onChange()
  }

  #isOwn(event: StoreEvent): boolean {
    return (event.type === 'put' ? event.item.key : event.key).startsWith(this.#view.keys.root)
  }
}

function revisionOf(event: StoreEvent): number {
  return event.type === 'put' ? event.item.modRevision : event.modRevision
}
