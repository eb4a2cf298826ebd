import type { RedisConnection } from '../redis/connection.ts'
import { defineScript } from '../redis/script.ts'
import { ExpiringMap } from './expiring-map.ts'
import { MAX_KEYS } from './named-limits.ts'
import type { Allowance, Quota } from './quota.ts'
import type { RedisPlace } from './redis-windows.ts'

/** ARGV: how many to add, length of the window in ms. Answers: used, ms left. */
const ADD = defineScript(`
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {tonumber(ARGV[1]), tonumber(ARGV[2])}
end
return {redis.call('INCRBY', KEYS[1], ARGV[1]), left}
`)

interface Window {
  /** As redis last said, and what this process has let through since. */
  shared: number
  unsent: number
  readonly windowMs: number
  expiresAt: number
}

/**
 * A fixed window that is counted here and exchanged with redis at intervals (`sync_interval`): no request waits for redis, and the
 * nodes together may let through more than the limit by what they count between two exchanges.
 */
export class DelayedWindow {
  readonly #windows = new ExpiringMap<Window>(MAX_KEYS)
  readonly #unsent = new Set<string>()
  readonly #redis: RedisConnection
  readonly #prefix: string
  #isExchanging = false

  constructor({ redis, prefix }: RedisPlace) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** `now` is a monotonic clock in ms. */
  take(key: string, { limit, windowMs }: Allowance, now: number): Quota {
    const window = this.#windowAt(key, windowMs, now)
    const used = window.shared + window.unsent
    const resetMs = window.expiresAt - now
    if (used >= limit) return { isAllowed: false, remaining: 0, resetMs }
    window.unsent += 1
    this.#unsent.add(key)
    return { isAllowed: true, remaining: limit - used - 1, resetMs }
  }

  /** Tells redis what was counted since the last time and learns what others have. What cannot be told stays for the next time. */
  async exchange(now: () => number): Promise<void> {
    // What is on its way must not be sent again.
    if (this.#isExchanging) return
    this.#isExchanging = true
    try {
      await this.#exchangeAll(now)
    } finally {
      this.#isExchanging = false
    }
  }

  async #exchangeAll(now: () => number): Promise<void> {
    const keys = [...this.#unsent]
    this.#unsent.clear()
    const results = await Promise.allSettled(keys.map((key) => this.#exchangeOne(key, now)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #exchangeOne(key: string, now: () => number): Promise<void> {
    const window = this.#windows.get(key)
    if (!window || window.expiresAt <= now()) return
    const sent = window.unsent
    try {
      const reply = await this.#redis.run(ADD, this.#prefix + key, [sent, window.windowMs])
      const [shared, leftMs] = reply as [number, number]
      window.shared = shared
      window.unsent -= sent
      window.expiresAt = now() + leftMs
    } catch (error) {
      this.#unsent.add(key)
      throw error
    }
  }

  #windowAt(key: string, lengthMs: number, now: number): Window {
    const known = this.#windows.get(key)
    if (known && known.expiresAt > now) return known
    const windowMs = Math.max(1, Math.round(lengthMs))
    const window = { shared: 0, unsent: 0, windowMs, expiresAt: now + windowMs }
    this.#windows.insert(key, window, now)
    return window
  }
}
