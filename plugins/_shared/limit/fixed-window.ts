import { ExpiringMap } from './expiring-map.ts'
import type { Allowance, Quota, QuotaCounter } from './quota.ts'

interface Window {
  used: number
  readonly expiresAt: number
}

/** A window opens with the first request of a key and ends `windowMs` later. */
export class FixedWindow implements QuotaCounter {
  readonly #windows: ExpiringMap<Window>

  /** `capacity` is the number of keys kept. */
  constructor(capacity: number) {
    this.#windows = new ExpiringMap(capacity)
  }

  /** `now` is a monotonic clock in ms. */
  take(key: string, { limit, windowMs }: Allowance, now: number): Quota {
    const window = this.#windows.get(key)
    if (!window || window.expiresAt <= now) {
      this.#windows.insert(key, { used: 1, expiresAt: now + windowMs }, now)
      return { isAllowed: true, remaining: limit - 1, resetMs: windowMs }
    }
    const resetMs = window.expiresAt - now
    if (window.used >= limit) return { isAllowed: false, remaining: 0, resetMs }
    window.used += 1
    return { isAllowed: true, remaining: limit - window.used, resetMs }
  }
}
