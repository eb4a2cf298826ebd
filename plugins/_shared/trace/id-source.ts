import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 1024
const EMPTY = Buffer.alloc(0)
const ZERO = /^0+$/

/** Ids of traces and spans, drawn from the system's randomness a kilobyte at a time. */
export class IdSource {
  /** Made when it is first needed: most configurations wait for their first request for long. */
  #bytes = EMPTY
  #next = 0

  /** 32 hexadecimal digits in lower case, never all zero. */
  traceId(): string {
    return this.#hex(16)
  }

  /** 16 hexadecimal digits in lower case, never all zero. */
  spanId(): string {
    return this.#hex(8)
  }

  /** Uniform in [0, 1), for samplers. */
  fraction(): number {
    return this.#take(4).readUInt32BE() / 2 ** 32
  }

  #hex(length: number): string {
    for (;;) {
      const id = this.#take(length).toString('hex')
      if (!ZERO.test(id)) return id
    }
  }

  #take(length: number): Buffer {
    if (this.#next + length > this.#bytes.length) {
      if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(POOL_BYTES)
      randomFillSync(this.#bytes)
      this.#next = 0
    }
    this.#next += length
    return this.#bytes.subarray(this.#next - length, this.#next)
  }
}
