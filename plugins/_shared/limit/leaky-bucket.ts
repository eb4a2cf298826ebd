import { ExpiringMap } from './expiring-map.ts'

/** How fast a bucket drains, and how much of what came too early it holds. */
export interface Drain {
  /** Per second. */
  readonly rate: number
  readonly burst: number
}

interface Bucket {
  /** Requests that are ahead of the rate. */
  readonly excess: number
  readonly at: number
  readonly expiresAt: number
}

const MS_PER_SECOND = 1000

/** One bucket per key; a request that would overflow it leaves it as it is. */
export class LeakyBuckets {
  readonly #buckets: ExpiringMap<Bucket>

  constructor(capacity: number) {
    this.#buckets = new ExpiringMap(capacity)
  }

  /** How long the request has to wait, in ms, or `undefined` for one that is too many. `now` is a clock in ms. */
  pour(key: string, { rate, burst }: Drain, now: number): number | undefined {
    const bucket = this.#buckets.get(key)
    const excess = bucket
      ? Math.max(0, bucket.excess + 1 - (rate * Math.max(0, now - bucket.at)) / MS_PER_SECOND)
      : 0
    if (excess > burst) return undefined
    // An empty bucket and none are the same only when the next request is not early either.
    const expiresAt = now + drainMs(excess, rate)
    this.#buckets.insert(key, { excess, at: now, expiresAt }, now)
    return (excess / rate) * MS_PER_SECOND
  }
}

/** After this long a bucket is as good as new. */
export function drainMs(excess: number, rate: number): number {
  return ((excess + 1) / rate) * MS_PER_SECOND
}
