import type { Listing, StoredItem, StoreEvent } from '../config-store.ts'
import type { EventOrigin, FollowListener, FollowStatus } from '../follow.ts'
import { KnownItems } from '../known-items.ts'
import type { StoreLog } from '../store-log.ts'
import type { Generation } from './generations.ts'

/** What was found on disk at the start. */
export interface SavedListing {
  readonly listing: Listing
  /** In ms since the epoch. */
  readonly savedAtMs: number
  readonly generation: Generation
}

/** Since when what was saved is there, as whole seconds; 0 when the clock went back meanwhile. */
export function ageSeconds({ savedAtMs }: Pick<SavedListing, 'savedAtMs'>, wallNowMs: number): number {
  return Math.max(0, Math.round((wallNowMs - savedAtMs) / 1000))
}

/** A state of the store that is not followed until somebody says so. */
export interface Held {
  /** Revision of the store that is not followed. */
  readonly revision: number
  /** Since when, in ms since the epoch. */
  readonly sinceMs: number
  /** Routes that serve, and how many of them would vanish. */
  readonly routes: number
  readonly vanishing: number
}

export interface KeeperOptions {
  readonly listener: FollowListener
  /** Starts all keys, with a slash at its end. */
  readonly prefix: string
  /** Absent: nothing usable was there. */
  readonly saved?: SavedListing | undefined
  /** A store that went back in time is not followed when more than this share (0–1) of the routes would vanish; 1 follows always. */
  readonly holdAbove: number
  readonly logger: StoreLog
  /** Milliseconds since the epoch. */
  readonly wallNowMs: () => number
  /** Told when what serves has changed and is to be saved. */
  readonly onServed: () => void
}

/**
 * Stands between the store and those who serve what it tells. Gives them the saved configuration when the store does not answer; holds back
 * what a store tells that went back in time and would take away too much; knows at any time what serves.
 */
export class LastGoodKeeper implements FollowListener {
  readonly #options: KeeperOptions
  readonly #routesPrefix: string
  readonly #served = new Map<string, StoredItem>()
  #revision = 0
  /** Which history the revision counts in, and the one of the newest answer, which may be held back. */
  #source: string | undefined
  #newestSource: string | undefined
  /** What was found on disk and nobody was given yet. */
  #saved: SavedListing | undefined
  #servesFromDisk: SavedListing | undefined
  #held: (Held & { readonly items: Map<string, StoredItem> }) | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#routesPrefix = `${options.prefix}routes/`
    this.#saved = options.saved
  }

  /** What serves was found on disk, and the store has not answered yet. */
  get fromDisk(): SavedListing | undefined {
    return this.#servesFromDisk
  }

  get held(): Held | undefined {
    return this.#held
  }

  /** What serves. Its items may be read over several turns of the event loop. */
  get serving(): Listing {
    const source = this.#source
    return {
      items: [...this.#served.values()],
      revision: this.#revision,
      ...(source !== undefined && { source }),
    }
  }

  onState(listing: Listing): void {
    this.#saved = undefined
    this.#load(listing)
    this.#options.listener.onState(listing)
    this.#options.onServed()
  }

  onEvents(events: readonly StoreEvent[], revision: number, origin: EventOrigin): void {
    this.#serveSaved()
    if (this.#held) this.#followHeld(events, revision)
    else if (origin === 'rolled-back' && this.#holds(events, revision)) this.#sayHeld()
    else this.#pass(events, revision, origin)
  }

  onStatus(status: FollowStatus): void {
    if (status.isReachable) this.#takeOver(status.source)
    else if (status.lastError) this.serveFromDisk(status.lastError.message)
    this.#options.listener.onStatus?.(status)
  }

  /** Gives what was saved to those who serve; without effect when they have something already or nothing was saved. */
  serveFromDisk(reason: string): void {
    const saved = this.#serveSaved()
    if (!saved) return
    this.#servesFromDisk = saved
    const { wallNowMs, logger } = this.#options
    const facts = {
      reason,
      revision: saved.listing.revision,
      ageSeconds: ageSeconds(saved, wallNowMs()),
      generation: saved.generation,
      items: saved.listing.items.length,
    }
    logger.warn(
      facts,
      'the configuration store does not answer; the last good configuration serves from disk',
    )
  }

  /** Follows the store after all. False when nothing is held back. */
  confirm(): boolean {
    if (!this.#held) return false
    this.#release('it was confirmed')
    return true
  }

  #serveSaved(): SavedListing | undefined {
    const saved = this.#saved
    if (!saved) return undefined
    this.#saved = undefined
    this.#load(saved.listing)
    this.#options.listener.onState(saved.listing)
    return saved
  }

  /** The store answers: what it holds comes as events, if it differs. */
  #takeOver(source: string | undefined): void {
    this.#serveSaved()
    this.#newestSource = source
    if (!this.#servesFromDisk) return
    const { revision } = this.#servesFromDisk.listing
    this.#servesFromDisk = undefined
    this.#options.logger.info({ revision }, 'the configuration store answers; what it holds takes over')
  }

  #load({ items, revision, source }: Listing): void {
    this.#served.clear()
    for (const item of items) this.#served.set(item.key, item)
    this.#revision = revision
    this.#source = source
  }

  #pass(events: readonly StoreEvent[], revision: number, origin: EventOrigin): void {
    applyTo(this.#served, events)
    this.#revision = revision
    this.#source = this.#newestSource
    this.#options.listener.onEvents(events, revision, origin)
    this.#options.onServed()
  }

  /** Whether these events of a store that went back in time take away too much; then they are kept instead. */
  #holds(events: readonly StoreEvent[], revision: number): boolean {
    const items = new Map(this.#served)
    applyTo(items, events)
    const counts = this.#countVanishing(items)
    if (!this.#isTooMuch(counts)) return false
    this.#held = { items, revision, sinceMs: this.#options.wallNowMs(), ...counts }
    return true
  }

  #followHeld(events: readonly StoreEvent[], revision: number): void {
    const { items, sinceMs } = this.#held!
    applyTo(items, events)
    const counts = this.#countVanishing(items)
    this.#held = { items, revision, sinceMs, ...counts }
    if (!this.#isTooMuch(counts)) this.#release('most of the routes are there again')
  }

  #release(reason: string): void {
    const { items, revision } = this.#held!
    this.#held = undefined
    this.#options.logger.warn({ reason, revision }, 'the configuration store is followed again')
    const known = new KnownItems()
    known.load({ items: [...this.#served.values()], revision: this.#revision })
    this.#pass(known.eventsTo({ items: [...items.values()], revision }), revision, 'rolled-back')
  }

  #countVanishing(items: ReadonlyMap<string, StoredItem>): Pick<Held, 'routes' | 'vanishing'> {
    let routes = 0
    let vanishing = 0
    for (const key of this.#served.keys()) {
      if (!key.startsWith(this.#routesPrefix)) continue
      routes++
      if (!items.has(key)) vanishing++
    }
    return { routes, vanishing }
  }

  #isTooMuch({ routes, vanishing }: Pick<Held, 'routes' | 'vanishing'>): boolean {
    return vanishing > routes * this.#options.holdAbove
  }

  #sayHeld(): void {
    const { routes, vanishing, revision } = this.#held!
    this.#options.logger.error(
      { routes, vanishing, revision, servedRevision: this.#revision },
      'the configuration store went back in time and would take away most of the routes: what served goes on; restore the store, or confirm with POST /v1/sync/confirm on the control API',
    )
  }
}

function applyTo(items: Map<string, StoredItem>, events: readonly StoreEvent[]): void {
  for (const event of events) {
    if (event.type === 'put') items.set(event.item.key, event.item)
    else items.delete(event.key)
  }
}
