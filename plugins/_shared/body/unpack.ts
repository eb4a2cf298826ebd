import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

/** Unpacks a whole body; throws a RangeError when it would come to more than `maxBytes`. */
export type Unpack = (packed: Uint8Array, maxBytes: number) => Uint8Array

const CODINGS: ReadonlyMap<string, Unpack> = new Map<string, Unpack>([
  ['identity', (body) => body],
  ['gzip', (body, maxOutputLength) => gunzipSync(body, { maxOutputLength })],
  ['x-gzip', (body, maxOutputLength) => gunzipSync(body, { maxOutputLength })],
  ['br', (body, maxOutputLength) => brotliDecompressSync(body, { maxOutputLength })],
  ['deflate', inflate],
])

/** How to unpack a body with this `Content-Encoding`; `undefined` for a coding, or a chain of codings, that is not known. */
export function unpackFor(contentEncoding: string | undefined): Unpack | undefined {
  return CODINGS.get(contentEncoding?.trim().toLowerCase() || 'identity')
}

/** `deflate` means the zlib format, but some senders leave its two bytes of header away (RFC 9110 §8.4.1.2). */
function inflate(body: Uint8Array, maxOutputLength: number): Uint8Array {
  const hasHeader = (body[0]! & 0x0f) === 8 && ((body[0]! << 8) | body[1]!) % 31 === 0
  return hasHeader ? inflateSync(body, { maxOutputLength }) : inflateRawSync(body, { maxOutputLength })
}
