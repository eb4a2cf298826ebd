const FIRST_BYTES = 4096

/** The first bytes of something that passes in pieces. Copies them: many small pieces would cost far more than their bytes. */
export class Prefix {
  readonly #maxBytes: number
  #bytes: Buffer | undefined
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(piece: Uint8Array): void {
    const taken = Math.min(piece.length, this.#maxBytes - this.#length)
    if (taken <= 0) return
    const bytes = this.#room(this.#length + taken)
    bytes.set(piece.subarray(0, taken), this.#length)
    this.#length += taken
  }

  /** What has passed so far, as far as it is kept; not to be changed. */
  bytes(): Buffer {
    return this.#bytes?.subarray(0, this.#length) ?? Buffer.alloc(0)
  }

  #room(needed: number): Buffer {
    const before = this.#bytes
    if (before && before.length >= needed) return before
    const size = Math.min(this.#maxBytes, Math.max(needed, 2 * (before?.length ?? 0), FIRST_BYTES))
    const bytes = Buffer.allocUnsafeSlow(size)
    if (before) bytes.set(before.subarray(0, this.#length))
    this.#bytes = bytes
    return bytes
  }
}
