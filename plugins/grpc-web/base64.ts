/** Four characters stand for three bytes; a group that ends early is filled up with `=`. */
const GROUP = 4

/**
 * The bytes of a gRPC-Web text: one base64 text, or several behind each other, each with its own padding. `undefined` when it is none.
 */
export function decodeText(text: string): Buffer | undefined {
  const packed = text.replace(/[\r\n]/g, '')
  if (packed.length % GROUP !== 0 || !/^[A-Za-z0-9+/=]*$/.test(packed)) return undefined
  // Padding ends a group and never begins one, so that cutting behind it leaves whole texts.
  const texts = packed.match(/[A-Za-z0-9+/]+={0,2}/g) ?? []
  if (texts.some((one) => one.length % GROUP !== 0)) return undefined
  return Buffer.concat(texts.map((one) => Buffer.from(one, 'base64')))
}

/** Encodes a body that comes in parts as one base64 text. */
export class TextEncoder64 {
  #rest: Buffer = Buffer.alloc(0)

  encode(part: Uint8Array): Buffer {
    const bytes = Buffer.concat([this.#rest, part])
    const whole = bytes.length - (bytes.length % 3)
    this.#rest = bytes.subarray(whole)
    return Buffer.from(bytes.toString('base64', 0, whole), 'latin1')
  }

  /** With its padding; what is encoded next begins a text of its own. */
  flush(): Buffer {
    const text = this.#rest.toString('base64')
    this.#rest = Buffer.alloc(0)
    return Buffer.from(text, 'latin1')
  }
}
