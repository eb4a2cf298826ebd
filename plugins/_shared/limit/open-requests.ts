import { ExpiringMap } from './expiring-map.ts'

/** Longer silence of a holder means that its process has gone with the requests it held. */
const HOLDER_TIMEOUT_MS = 30_000
/** How often a holder has to be heard of. */
export const RENEW_MS = 10_000

interface Holder {
  heardAt: number
  /** Requests it holds, of all keys. */
  open: number
}

interface OpenKey {
  readonly counts: Map<Holder, number>
  readonly expiresAt: number
}

/**
 * Requests under way by key, and on whose behalf: a process that is gone gives back what it held after half a minute. `now` is a
 * monotonic clock in ms.
 */
export class OpenRequests {
  readonly #keys: ExpiringMap<OpenKey>
  readonly #holders = new Map<string, Holder>()

  constructor(capacity: number) {
    this.#keys = new ExpiringMap(capacity)
  }

  /** The number of requests under way with this one, or `undefined`, and nothing changes, when they would be more than `most`. */
  enter(
    key: string,
    { holder: name, most }: { holder: string; most: number },
    now: number,
  ): number | undefined {
    const holder = this.#heardOf(name, now)
    const known = this.#keys.get(key)
    const count = known ? countOf(known, now) + 1 : 1
    if (count > most) return undefined
    const open = known ?? { counts: new Map<Holder, number>(), expiresAt: Number.POSITIVE_INFINITY }
    open.counts.set(holder, (open.counts.get(holder) ?? 0) + 1)
    holder.open += 1
    if (!known) this.#keys.insert(key, open, now)
    return count
  }

  /** One request of the holder has ended. Too many of them change nothing. */
  leave(key: string, name: string): void {
    const holder = this.#holders.get(name)
    const open = this.#keys.get(key)
    if (!holder || !open) return
    const count = open.counts.get(holder)
    if (count === undefined) return
    holder.open -= 1
    const left = count - 1
    if (left > 0) open.counts.set(holder, left)
    else open.counts.delete(holder)
    if (open.counts.size === 0) this.#keys.delete(key)
  }

  /** The holder is alive. */
  renew(name: string, now: number): void {
    this.#heardOf(name, now)
  }

  /** Keys with a request under way. */
  get size(): number {
    return this.#keys.size
  }

  #heardOf(name: string, now: number): Holder {
    const known = this.#holders.get(name)
    if (known) {
      known.heardAt = now
      return known
    }
    this.#forgetTheSilent(now)
    const holder = { heardAt: now, open: 0 }
    this.#holders.set(name, holder)
    return holder
  }

  /** A holder joins when a process or an instance starts: rarely, so that all keys can be looked through. */
  #forgetTheSilent(now: number): void {
    let hasLost = false
    for (const [name, holder] of this.#holders) {
      if (!isSilent(holder, now)) continue
      this.#holders.delete(name)
      hasLost ||= holder.open > 0
    }
    if (!hasLost) return
    for (const [key, open] of this.#keys.entries()) if (countOf(open, now) === 0) this.#keys.delete(key)
  }
}

function isSilent({ heardAt }: Holder, now: number): boolean {
  return now - heardAt > HOLDER_TIMEOUT_MS
}

function countOf({ counts }: OpenKey, now: number): number {
  let sum = 0
  for (const [holder, count] of counts) {
    if (isSilent(holder, now)) counts.delete(holder)
    else sum += count
  }
  return sum
}
