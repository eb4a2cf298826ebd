import type { ConfigStore, Listing, StoreEvent, WatchSink } from '../store/config-store.ts'
import { KnownItems } from '../store/known-items.ts'
import type { RegistryView } from './view.ts'

/**
 * A store whose configuration is followed, and with it the registry: what stands below the registry's root goes to the view and is
 * not seen by who lists or watches. So a node has one watch, and what comes and goes with leases is no change of configuration.
 */
export function tapStore(store: ConfigStore, view: RegistryView): ConfigStore {
  const tap = new Tap(view)
  return {
    name: store.name,
    isReadOnly: store.isReadOnly,
    list: async (prefix) => {
      const listing = await store.list(prefix)
      return view.keys.root.startsWith(prefix) ? tap.takeListing(listing) : listing
    },
    watch: (prefix, fromRevision, sink) =>
      store.watch(prefix, fromRevision, view.keys.root.startsWith(prefix) ? tap.sink(sink) : sink),
    get: (key) => store.get(key),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    deletePrefix: (prefix) => store.deletePrefix(prefix),
    grantLease: (ttlSeconds) => store.grantLease(ttlSeconds),
    close: () => store.close(),
  }
}

class Tap {
  readonly #view: RegistryView
  readonly #known = new KnownItems()
  #revision = 0
  #hasState = false

  constructor(view: RegistryView) {
    this.#view = view
  }

  takeListing(listing: Listing): Listing {
    const { items, revision } = listing
    const isOwn = (key: string) => key.startsWith(this.#view.keys.root)
    const own = { items: items.filter(({ key }) => isOwn(key)), revision }
    const events = this.#hasState ? this.#known.eventsTo(own) : []
    const origin = revision < this.#revision ? 'rolled-back' : 'relist'
    this.#known.load(own)
    this.#revision = revision
    if (this.#hasState) this.#view.onEvents(events, revision, origin)
    else this.#view.onState(own)
    this.#hasState = true
    this.#view.onStatus(true)
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
    this.#view.onEvents(fresh, revision, 'watch')
    this.#view.onStatus(true)
  }

  #isOwn(event: StoreEvent): boolean {
    return (event.type === 'put' ? event.item.key : event.key).startsWith(this.#view.keys.root)
  }
}

function revisionOf(event: StoreEvent): number {
  return event.type === 'put' ? event.item.modRevision : event.modRevision
}
