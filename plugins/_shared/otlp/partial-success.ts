/** What a collector took only in part. */
export interface PartialSuccess {
  readonly rejectedSpans: number
  readonly message: string
}

interface Field {
  readonly number: number
  /** A number for varints, bytes for what has a length; others are passed over. */
  readonly value: number | Uint8Array | undefined
}

/**
 * Reads the answer of a collector, an `ExportTraceServiceResponse`. `undefined` when everything was taken, and when the answer
 * cannot be read: then the status has to do.
 */
export function readPartialSuccess(body: Uint8Array): PartialSuccess | undefined {
  const partial = fieldsOf(body).find(({ number }) => number === 1)?.value
  if (!(partial instanceof Uint8Array)) return undefined
  const fields = fieldsOf(partial)
  const rejected = fields.find(({ number }) => number === 1)?.value
  const message = fields.find(({ number }) => number === 2)?.value
  if (typeof rejected !== 'number' || rejected <= 0) return undefined
  const text = message instanceof Uint8Array ? Buffer.from(message).toString() : ''
  return { rejectedSpans: rejected, message: text }
}

/** The fields of a message up to the first that cannot be read. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  const reader = new Reader(bytes)
  while (!reader.isAtEnd) {
    const tag = reader.varint()
    if (tag === undefined) break
    const value = reader.value(tag % 8)
    if (value === 'unreadable') break
    fields.push({ number: Math.floor(tag / 8), value })
  }
  return fields
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): number | undefined {
    let value = 0
    for (let factor = 1; factor < 2 ** 70; factor *= 0x80) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) return undefined
      value += (byte % 0x80) * factor
      if (byte < 0x80) return value
    }
    return undefined
  }

  value(wireType: number): Field['value'] | 'unreadable' {
    if (wireType === 0) return this.varint() ?? 'unreadable'
    if (wireType === 2) return this.#take(this.varint()) ?? 'unreadable'
    const isFixed = wireType === 1 || wireType === 5
    return isFixed && this.#take(wireType === 1 ? 8 : 4) ? undefined : 'unreadable'
  }

  #take(length: number | undefined): Uint8Array | undefined {
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
