const LENGTH_BITS = 0x7f
const MASKED = 0x80
const TWO_BYTES = 126
const MASK_BYTES = 4
const LONGEST_HEAD_BYTES = 14

/**
 * Follows the frames of one direction of a WebSocket to know where one ends (RFC 6455 §5.2): only there can another frame be put in
 * between. Contents are neither read nor kept, and nothing is checked.
 */
export class FrameEdges {
  readonly #head = Buffer.alloc(LONGEST_HEAD_BYTES)
  #headBytes = 0
  /** Of the payload that is still to come. */
  #payloadBytes = 0

  /** Whether what was taken so far ends with a frame. */
  get isAtEdge(): boolean {
    return this.#payloadBytes === 0 && this.#headBytes === 0
  }

  /** Takes the next bytes. Returns how many of them lead up to the first end of a frame, -1 when there is none in them. */
  take(bytes: Buffer): number {
    let first = -1
    let at = 0
    while (at < bytes.length) {
      if (this.#payloadBytes > 0) at += this.#skip(bytes.length - at)
      else this.#takeHeadByte(bytes[at++]!)
      if (first === -1 && this.isAtEdge) first = at
    }
    return first
  }

  #skip(available: number): number {
    const skipped = Math.min(this.#payloadBytes, available)
    this.#payloadBytes -= skipped
    return skipped
  }

  #takeHeadByte(byte: number): void {
    const head = this.#head
    head[this.#headBytes++] = byte
    if (this.#headBytes < 2) return
    const short = head[1]! & LENGTH_BITS
    const lengthBytes = short < TWO_BYTES ? 0 : short === TWO_BYTES ? 2 : 8
    const maskBytes = (head[1]! & MASKED) === 0 ? 0 : MASK_BYTES
    if (this.#headBytes < 2 + lengthBytes + maskBytes) return
    this.#headBytes = 0
    this.#payloadBytes = lengthBytes === 0 ? short : readLength(head, lengthBytes)
  }
}

function readLength(head: Buffer, bytes: 2 | 8): number {
  return bytes === 2 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2))
}
