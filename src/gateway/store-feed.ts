import { BACKGROUND_CLOCK, type Clock } from '../lib/clock.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import type { Listing, StoredItem, StoreEvent } from '../store/config-store.ts'
import type { FollowListener } from '../store/follow.ts'
import { compareKeys } from '../store/keys.ts'
import type { RelayStore } from '../store/relay-store.ts'
import { RecentChanges } from './poison/recent-changes.ts'
import { type Eater, Tasting } from './poison/tasting.ts'

/** A part of what the primary tells: whole once `isLast`. A state replaces everything, events follow it. */
interface Portion {
  readonly isState: boolean
  readonly items: readonly StoredItem[]
  readonly events: readonly StoreEvent[]
  readonly revision: number
  readonly isLast: boolean
}

const TOPIC = 'store'
/** Items or events in one message; each is answered before the next goes. */
const PORTION = 500
/** Events that wait for a worker; when there are more it gets the whole state instead. */
const MOST_WAITING = 20_000

export interface StoreFeedOptions {
  readonly clock?: Clock
  /** Which worker tastes first, see {@link Eater}. */
  readonly rankOf?: (link: Link) => number
}

/** In the primary process: keeps what the store has told, and tells all workers, one of them first. */
export class StoreFeed {
  /** What was changed lately, to be undone where it kills. */
  readonly changes: RecentChanges
  readonly #items = new Map<string, StoredItem>()
  readonly #followers = new Map<Link, Follower>()
  readonly #tasting: Tasting<Follower>
  readonly #rankOf: (link: Link) => number
  #revision = 0

  constructor({ clock = BACKGROUND_CLOCK, rankOf = () => 0 }: StoreFeedOptions = {}) {
    this.changes = new RecentChanges(clock)
    this.#tasting = new Tasting(clock)
    this.#rankOf = rankOf
  }

  /** As it stands in the store. */
  item(key: string): StoredItem | undefined {
    return this.#items.get(key)
  }

  /** A worker has come to this revision. */
  applied(link: Link, revision: number): void {
    const follower = this.#followers.get(link)
    if (follower) this.#tasting.applied(follower, revision)
  }

  /** Hears what `inner` hears, before it does. */
  listener(inner: FollowListener): FollowListener {
    return {
      ...inner,
      onState: (listing) => {
        this.#replace(listing)
        inner.onState(listing)
      },
      onEvents: (events, revision, origin) => {
        this.#apply(events, revision, origin === 'rolled-back')
        inner.onEvents(events, revision, origin)
      },
      onStatus: (status) => inner.onStatus?.(status),
    }
  }

  /** Tells a worker everything, and then what happens, until it is gone. */
  attach(link: Link): void {
    const follower = new Follower(link, { listing: () => this.#listing(), rank: () => this.#rankOf(link) })
    this.#followers.set(link, follower)
    link.onClose(() => {
      this.#followers.delete(link)
      this.#tasting.detach(follower)
    })
    this.#tasting.attach(follower)
  }

  #replace({ items, revision }: Listing): void {
    this.#items.clear()
    for (const item of items) this.#items.set(item.key, item)
    this.#revision = revision
    this.#tasting.changedAll(revision)
  }

  #apply(events: readonly StoreEvent[], revision: number, isBack: boolean): void {
    for (const event of events) {
      if (event.type === 'put') {
        const { item } = event
        this.changes.note(item, this.#items.get(item.key))
        this.#items.set(item.key, item)
      } else {
        this.changes.forget(event.key)
        this.#items.delete(event.key)
      }
    }
    this.#revision = revision
    if (isBack) this.#tasting.changedAll(revision)
    else this.#tasting.changed(events, revision)
  }

  #listing(): Listing {
    const items = [...this.#items.values()].sort((a, b) => compareKeys(a.key, b.key))
    return { items, revision: this.#revision }
  }
}

/** What one worker is still to be told. */
class Follower implements Eater {
  readonly #link: Link
  readonly #listing: () => Listing
  readonly #rank: () => number
  #waiting: { readonly events: readonly StoreEvent[]; readonly revision: number }[] = []
  #count = 0
  #isStateDue = false
  #isSending = false
  /** The revision of the newest state that it was sent. */
  #stateRevision = 0

  constructor(link: Link, { listing, rank }: { listing(): Listing; rank(): number }) {
    this.#link = link
    this.#listing = listing
    this.#rank = rank
  }

  get rank(): number {
    return this.#rank()
  }

  pushState(): void {
    this.#isStateDue = true
    this.#waiting = []
    this.#count = 0
    void this.#send()
  }

  push(events: readonly StoreEvent[], revision: number): void {
    // The state will be read when it is sent, or was, and holds these.
    if (this.#isStateDue) return void this.#send()
    if (revision <= this.#stateRevision) return
    this.#waiting.push({ events, revision })
    this.#count += events.length
    if (this.#count > MOST_WAITING) this.pushState()
    else void this.#send()
  }

  async #send(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    try {
      await this.#sendAll().catch(() => this.#sendAnew())
    } catch {
      // The worker is gone, and the next one is told anew; or it fails again, and is told everything with the next change.
      this.#isStateDue = true
    } finally {
      this.#isSending = false
    }
  }

  async #sendAll(): Promise<void> {
    while (this.#isStateDue || this.#waiting.length > 0) await this.#sendNext()
  }

  /** What it could not take in must not be missing from what it has. */
  #sendAnew(): Promise<void> {
    this.#isStateDue = true
    this.#waiting = []
    this.#count = 0
    return this.#sendAll()
  }

  async #sendNext(): Promise<void> {
    if (this.#isStateDue) {
      this.#isStateDue = false
      const { items, revision } = this.#listing()
      this.#stateRevision = revision
      await this.#sendPortions(items, (part) => ({ isState: true, items: part, events: [], revision }))
      return
    }
    const { events, revision } = this.#waiting.shift()!
    this.#count -= events.length
    await this.#sendPortions(events, (part) => ({ isState: false, items: [], events: part, revision }))
  }

  async #sendPortions<T>(
    all: readonly T[],
    portion: (part: readonly T[]) => Omit<Portion, 'isLast'>,
  ): Promise<void> {
    let start = 0
    do {
      const part = all.slice(start, start + PORTION)
      start += PORTION
      await this.#link.ask(TOPIC, { ...portion(part), isLast: start >= all.length } satisfies Portion)
    } while (start < all.length)
  }
}

/** In a worker: puts together what the primary tells. */
export function feedStore(link: Link, store: RelayStore): void {
  let items: StoredItem[] = []
  let events: StoreEvent[] = []
  link.on(TOPIC, (portion: Portion) => {
    items.push(...portion.items)
    events.push(...portion.events)
    if (!portion.isLast) return
    const whole = { items, events }
    items = []
    events = []
    if (portion.isState) store.replace({ items: whole.items, revision: portion.revision })
    else store.apply(whole.events, portion.revision)
  })
}
