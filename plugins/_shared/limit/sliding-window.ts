import { ExpiringMap } from './expiring-map.ts'
import type { Allowance, Quota, QuotaCounter } from './quota.ts'

interface Pair {
  readonly windowMs: number
  /** Number of the current window since the epoch. */
  readonly index: number
  readonly previous: number
  current: number
  readonly expiresAt: number
}

/**
 * Two windows aligned to multiples of `windowMs` on the wall clock; the previous one counts by the part of it that a window
 * reaching back from now still covers (contract §7.3).
 */
export class SlidingWindow implements QuotaCounter {
  readonly #pairs: ExpiringMap<Pair>
  readonly #now: () => number

  /** `capacity` is the number of keys kept; `now` the wall clock in ms since the epoch. */
  constructor(capacity: number, now: () => number) {
    this.#pairs = new ExpiringMap(capacity)
    this.#now = now
  }

  take(key: string, { limit, windowMs }: Allowance): Quota {
    const now = this.#now()
    const pair = this.#pairAt(key, windowMs, now)
    // At most a whole window: the wall clock may have been set back.
    const aheadMs = Math.min(windowMs, (pair.index + 1) * windowMs - now)
    const perMs = Math.min(pair.previous, limit) / windowMs
    const weighted = perMs * aheadMs
    if (pair.current >= limit || weighted + pair.current >= limit) {
      const waitMs = perMs === 0 ? aheadMs : aheadMs - Math.max(0, limit - pair.current) / perMs
      return { isAllowed: false, remaining: 0, resetMs: Math.max(0, waitMs) }
    }
    pair.current += 1
    return { isAllowed: true, remaining: Math.floor(limit - pair.current - weighted), resetMs: aheadMs }
  }

  #pairAt(key: string, windowMs: number, now: number): Pair {
    const known = this.#pairs.get(key)
    const index = Math.floor(now / windowMs)
    if (known && known.windowMs === windowMs && index <= known.index) return known
    const isNext = known?.windowMs === windowMs && known.index === index - 1
    const pair = {
      windowMs,
      index,
      previous: isNext ? known.current : 0,
      current: 0,
      expiresAt: (index + 2) * windowMs,
    }
    this.#pairs.insert(key, pair, now)
    return pair
  }
}
