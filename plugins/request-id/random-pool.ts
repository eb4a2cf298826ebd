import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 1024

/** Random bytes from the system, fetched a kilobyte at a time: asking for sixteen costs as much as asking for a thousand. */
export class RandomPool {
  readonly #bytes = Buffer.allocUnsafeSlow(POOL_BYTES)
  #next = POOL_BYTES

  byte(): number {
    this.#ensure(1)
    return this.#bytes[this.#next++]!
  }

  /** `length` bytes (at most 1024), valid until the next call. */
  take(length: number): Buffer {
    this.#ensure(length)
    this.#next += length
    return this.#bytes.subarray(this.#next - length, this.#next)
  }

  #ensure(length: number): void {
    if (this.#next + length <= POOL_BYTES) return
    randomFillSync(this.#bytes)
    this.#next = 0
  }
}
