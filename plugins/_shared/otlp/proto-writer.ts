/** Wire types of protocol buffers. */
const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2

const FIRST_BYTES = 1024
const EMPTY = Buffer.alloc(0)

/** Writes messages in the binary form of protocol buffers. A field with its default value is left to the caller to leave out. */
export class ProtoWriter {
  #bytes = EMPTY
  #length = 0

  /** A copy of what was written since the last call; the writer begins anew. */
  finish(): Buffer {
    const written = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return written
  }

  /** A whole number from 0 to 2^53. */
  uint(field: number, value: number): this {
    this.#tag(field, VARINT)
    this.#varint(value)
    return this
  }

  /** An int64 of any sign: negative ones take ten bytes. */
  int64(field: number, value: number): this {
    this.#tag(field, VARINT)
    if (value >= 0) this.#varint(value)
    else this.#bigVarint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  fixed64(field: number, value: bigint): this {
    this.#tag(field, FIXED64)
    this.#ensure(8)
    this.#length = this.#bytes.writeBigUInt64LE(value, this.#length)
    return this
  }

  double(field: number, value: number): this {
    this.#tag(field, FIXED64)
    this.#ensure(8)
    this.#length = this.#bytes.writeDoubleLE(value, this.#length)
    return this
  }

  string(field: number, value: string): this {
    const size = Buffer.byteLength(value)
    this.#tag(field, DELIMITED)
    this.#varint(size)
    this.#ensure(size)
    this.#length += this.#bytes.write(value, this.#length)
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, DELIMITED)
    this.#varint(value.length)
    this.#ensure(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** A message inside this one. */
  message(field: number, write: (writer: this) => void): this {
    this.#tag(field, DELIMITED)
    const start = this.#length
    write(this)
    const size = this.#length - start
    const prefix = varintSize(size)
    this.#ensure(prefix)
    // The length stands before the content and is known after it.
    this.#bytes.copyWithin(start + prefix, start, this.#length)
    this.#length = start
    this.#varint(size)
    this.#length += size
    return this
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType)
  }

  #varint(value: number): void {
    this.#ensure(10)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  #bigVarint(value: bigint): void {
    this.#ensure(10)
    let rest = value
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) + 0x80
      rest >>= 7n
    }
    this.#bytes[this.#length++] = Number(rest)
  }

  #ensure(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, FIRST_BYTES, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1
  return size
}
