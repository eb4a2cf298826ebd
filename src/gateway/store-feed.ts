import type { Link } from '../lifecycle/workers/link.ts'
import type { Listing, StoredItem, StoreEvent } from '../store/config-store.ts'
import type { FollowListener } from '../store/follow.ts'
import { compareKeys } from '../store/keys.ts'
import type { RelayStore } from '../store/relay-store.ts'

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

/** In the primary process: keeps what the store has told, and tells all workers. */
export class StoreFeed {
  readonly #items = new Map<string, StoredItem>()
  readonly #followers = new Set<Follower>()
  #revision = 0
  #hasState = false

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
    const follower = new Follower(link, () => this.#listing())
    this.#followers.add(follower)
    link.onClose(() => this.#followers.delete(follower))
    if (this.#hasState) follower.pushState()
  }

  #replace({ items, revision }: Listing): void {
    this.#items.clear()
    for (const item of items) this.#items.set(item.key, item)
    this.#revision = revision
    this.#hasState = true
    for (const follower of this.#followers) follower.pushState()
  }

  #apply(events: readonly StoreEvent[], revision: number, isBack: boolean): void {
    for (const event of events) {
      if (event.type === 'put') this.#items.set(event.item.key, event.item)
      else this.#items.delete(event.key)
    }
    this.#revision = revision
    for (const follower of this.#followers) {
      if (isBack) follower.pushState()
      else follower.push(events, revision)
    }
  }

  #listing(): Listing {
    const items = [...this.#items.values()].sort((a, b) => compareKeys(a.key, b.key))
    return { items, revision: this.#revision }
  }
}

/** What one worker is still to be told. */
class Follower {
  readonly #link: Link
  readonly #listing: () => Listing
  #waiting: { readonly events: readonly StoreEvent[]; readonly revision: number }[] = []
  #count = 0
  #isStateDue = false
  #isSending = false

  constructor(link: Link, listing: () => Listing) {
    this.#link = link
    this.#listing = listing
  }

  pushState(): void {
    this.#isStateDue = true
    this.#waiting = []
    this.#count = 0
    void this.#send()
  }

  push(events: readonly StoreEvent[], revision: number): void {
    // The state will be read when it is sent, and holds these.
    if (this.#isStateDue) return
    this.#waiting.push({ events, revision })
    this.#count += events.length
    if (this.#count > MOST_WAITING) this.pushState()
    else void this.#send()
  }

  async #send(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    try {
      while (this.#isStateDue || this.#waiting.length > 0) await this.#sendNext()
    } catch {
      // The worker is gone; the next one is told anew.
      this.#waiting = []
    } finally {
      this.#isSending = false
    }
  }

  async #sendNext(): Promise<void> {
    if (this.#isStateDue) {
      this.#isStateDue = false
      const { items, revision } = this.#listing()
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
    if (portion.isState) store.replace({ items, revision: portion.revision })
    else store.apply(events, portion.revision)
    items = []
    events = []
  })
}
