const PERCENT = 0x25
const DOT = 0x2e
const SLASH = 0x2f

/** What may stand raw in a path (RFC 3986 `pchar` and the slash); every other byte is percent-encoded. */
const PATH_BYTES = new Set(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/", 'latin1'),
)

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  PATH_BYTES.has(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
)

/** The bytes of a path as a request target can carry them: only what is unsafe there is percent-encoded. */
export function encodePathBytes(bytes: Uint8Array): string {
  let encoded = ''
  for (const byte of bytes) encoded += ENCODED[byte]!
  return encoded
}

/**
 * The bytes that a raw path stands for, or `undefined` at a `%` without two hexadecimal digits. A character up to U+00FF is one
 * byte, as Node hands request targets over; text with a higher one is taken as UTF-8.
 */
export function decodePathBytes(raw: string): Buffer | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is every byte a latin1 target can hold
  const bytes = Buffer.from(raw, /^[\x00-\xff]*$/.test(raw) ? 'latin1' : 'utf8')
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!
    if (byte === PERCENT) {
      const high = hexDigit(bytes[at + 1])
      const low = hexDigit(bytes[at + 2])
      if (high === -1 || low === -1) return undefined
      byte = high * 16 + low
      at += 2
    }
    bytes[length++] = byte
  }
  return bytes.subarray(0, length)
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = (byte | 0x20) - 0x61
  return letter >= 0 && letter < 6 ? letter + 10 : -1
}

export interface ResolvedPath {
  readonly bytes: Buffer
  /** Whether a `.` or `..` segment was there, raw or encoded. */
  readonly hadDotSegments: boolean
}

/**
 * Resolves dot segments and merges slashes in a decoded path that starts with a slash; an encoded slash or dot counts as a plain
 * one, as in nginx. Works in place. `undefined` when the path leads above the root.
 */
export function resolvePathBytes(bytes: Buffer): ResolvedPath | undefined {
  let hadDotSegments = false
  let length = 1
  let segment = 1
  for (let at = 1; at <= bytes.length; at++) {
    const isLast = at === bytes.length
    const byte = isLast ? SLASH : bytes[at]!
    if (byte !== SLASH) {
      bytes[length++] = byte
      continue
    }
    const dots = dotsOf(bytes, segment, length)
    if (dots === 0) {
      if (length > segment && !isLast) bytes[length++] = SLASH
    } else {
      hadDotSegments = true
      if (dots === 2 && segment === 1) return undefined
      length = dots === 1 ? segment : bytes.lastIndexOf(SLASH, segment - 2) + 1
    }
    segment = length
  }
  return { bytes: bytes.subarray(0, length), hadDotSegments }
}

/** 1 for a `.` segment, 2 for `..`, 0 for any other. */
function dotsOf(bytes: Uint8Array, from: number, to: number): 0 | 1 | 2 {
  const length = to - from
  if (length === 0 || length > 2 || bytes[from] !== DOT || bytes[to - 1] !== DOT) return 0
  return length as 1 | 2
}
