/** What the first bytes of a connection say, before anything is answered. */
export type FirstBytes =
  | { readonly kind: 'incomplete' }
  /** A complete ClientHello; the name is absent when the client asked for none. */
  | { readonly kind: 'hello'; readonly serverName: string | undefined }
  /** Text: someone speaks HTTP to a TLS port. */
  | { readonly kind: 'plain' }
  | { readonly kind: 'malformed' }

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const SERVER_NAME_EXTENSION = 0
const HOST_NAME = 0
const RECORD_HEADER_BYTES = 5
const MESSAGE_HEADER_BYTES = 4
/** Version and random in front of the session id. */
const FIXED_BYTES = 34
/** What OpenSSL takes at the most. */
const MAX_HELLO_BYTES = 16_384
/** Longest record there can be, RFC 8446 §5.1. */
const MAX_RECORD_BYTES = 16_384

const INCOMPLETE: FirstBytes = { kind: 'incomplete' }
const MALFORMED: FirstBytes = { kind: 'malformed' }
const PLAIN: FirstBytes = { kind: 'plain' }

/** Most bytes of a connection that {@link readClientHello} can ask for before it decides. */
export const MAX_FIRST_BYTES = 2 * MAX_HELLO_BYTES

/**
 * Reads the name that a client asks for (RFC 6066 §3) from all bytes of its connection so far. It decides which certificate,
 * TLS versions and client check a handshake gets; that the hello is sound beyond that is OpenSSL's to judge.
 */
export function readClientHello(bytes: Buffer): FirstBytes {
  if (bytes.length === 0) return INCOMPLETE
  if (bytes[0] !== HANDSHAKE_RECORD) return isUpperCase(bytes[0]!) ? PLAIN : MALFORMED
  const message = joinRecords(bytes)
  if (!message) return MALFORMED
  if (message.length >= 1 && message[0] !== CLIENT_HELLO) return MALFORMED
  if (message.length < MESSAGE_HEADER_BYTES) return patience(bytes)
  const length = message.readUIntBE(1, 3)
  if (length > MAX_HELLO_BYTES) return MALFORMED
  if (message.length < MESSAGE_HEADER_BYTES + length) return patience(bytes)
  const name = readServerName(
    new Cursor(message.subarray(MESSAGE_HEADER_BYTES, MESSAGE_HEADER_BYTES + length)),
  )
  return name === null ? MALFORMED : { kind: 'hello', serverName: name }
}

function patience({ length }: Buffer): FirstBytes {
  return length >= MAX_FIRST_BYTES ? MALFORMED : INCOMPLETE
}

function isUpperCase(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a
}

/** The handshake bytes in the records so far, the last of which may be cut; undefined when they are no handshake records. */
function joinRecords(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = []
  let at = 0
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt16BE(at + 3)
    const isSound =
      bytes[at] === HANDSHAKE_RECORD && bytes[at + 1] === 3 && length > 0 && length <= MAX_RECORD_BYTES
    if (!isSound) return parts.length > 0 ? Buffer.concat(parts) : undefined
    const start = at + RECORD_HEADER_BYTES
    parts.push(bytes.subarray(start, start + length))
    at = start + length
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts)
}

/** Reads on through a buffer; what lies beyond its end reads as nothing and marks it short. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0
  isShort = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) this.isShort = true
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }

  number(size: 1 | 2): number {
    const part = this.take(size)
    return this.isShort ? 0 : part.readUIntBE(0, size)
  }

  /** A vector with its length in front. */
  vector(sizeOfLength: 1 | 2): Buffer {
    return this.take(this.number(sizeOfLength))
  }
}

/** The name, `undefined` when the hello has none, `null` when it cannot be read. */
function readServerName(hello: Cursor): string | undefined | null {
  hello.take(FIXED_BYTES)
  hello.vector(1)
  hello.vector(2)
  hello.vector(1)
  if (hello.isShort) return null
  if (hello.isAtEnd) return undefined
  const extensions = new Cursor(hello.vector(2))
  while (!hello.isShort && !extensions.isAtEnd) {
    const type = extensions.number(2)
    const content = extensions.vector(2)
    if (extensions.isShort) return null
    if (type === SERVER_NAME_EXTENSION) return readHostName(new Cursor(content))
  }
  return hello.isShort ? null : undefined
}

function readHostName(content: Cursor): string | null {
  const list = new Cursor(content.vector(2))
  const type = list.number(1)
  const name = list.vector(2)
  const isName = !content.isShort && !list.isShort && type === HOST_NAME && name.length > 0
  return isName && !name.includes(0) ? name.toString('latin1') : null
}
