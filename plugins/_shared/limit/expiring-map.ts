interface Expiring {
  /** On the clock of whoever calls. */
  readonly expiresAt: number
}

const SWEPT_PER_INSERT = 4

/**
 * A map that holds at most `capacity` entries and drops what has expired while it is written to, oldest first. It needs no
 * timer: each insertion removes more than it adds as long as anything has expired.
 */
export class ExpiringMap<Entry extends Expiring> {
  readonly #entries = new Map<string, Entry>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Oldest first. */
  entries(): IterableIterator<[key: string, entry: Entry]> {
    return this.#entries.entries()
  }

  /** Stores `entry` as the youngest. With the map full, the oldest entry makes room. */
  insert(key: string, entry: Entry, now: number): void {
    // Deleted first, so that the order of the map stays the order of expiry.
    this.#entries.delete(key)
    let looked = 0
    for (const [oldest, { expiresAt }] of this.#entries) {
      const mustGo = this.#entries.size >= this.#capacity || expiresAt <= now
      if (!mustGo || looked++ === SWEPT_PER_INSERT) break
      this.#entries.delete(oldest)
    }
    this.#entries.set(key, entry)
  }
}
