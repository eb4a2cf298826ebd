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

  /** `capacity` is the number of keys kept. */
  constructor(capacity: number) {
    this.#pairs = new ExpiringMap(capacity)
  }

  /** `now` is the wall clock in ms since the epoch. */
  take(key: string, { limit, windowMs }: Allowance, now: number): Quota {
    const pair = this.#pairAt(key, windowMs, now)
    // At most a whole window: the wall clock may have been set back.
    const aheadMs = Math.min(windowMs, (pair.index + 1) * windowMs - now)
    const quota = weigh({ current: pair.current, previous: pair.previous, aheadMs }, { limit, windowMs })
    if (quota.isAllowed) pair.current += 1
    return quota
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

export interface Weighed {
  /** Counted in the current window before this attempt. */
  readonly current: number
  readonly previous: number
  /** The part of the current window still to come. */
  readonly aheadMs: number
}

/** What an attempt comes to; redis-windows.ts decides by the same arithmetic. */
export function weigh({ current, previous, aheadMs }: Weighed, { limit, windowMs }: Allowance): Quota {
  const counted = Math.min(previous, limit)
  const weighted = (counted * aheadMs) / windowMs
  if (current < limit && weighted + current < limit) {
    return { isAllowed: true, remaining: Math.floor(limit - current - 1 - weighted), resetMs: aheadMs }
  }
  const room = Math.max(0, limit - current)
  const waitMs = counted === 0 ? aheadMs : aheadMs - (room * windowMs) / counted
  return { isAllowed: false, remaining: 0, resetMs: Math.max(0, waitMs) }
}
