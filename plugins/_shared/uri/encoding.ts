import { encodePathBytes } from '../../../src/lib/percent-encoding.ts'

/** `%` and `?` included: what variables give was decoded before. */
const UNSAFE_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]+/g
/** In text of the configuration a percent sequence is meant as it is written. */
const UNSAFE_IN_PATH_LITERAL = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+/g
/** A query keeps its own syntax; only what would end the target or break the request line is escaped. */
const UNSAFE_IN_QUERY = /[^\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e%]+/g

/** A decoded text as part of a path: whatever it holds, it stays within the path. */
export const encodePath = (text: string): string => text.replace(UNSAFE_IN_PATH, percentEncoded)
/** A path as a person wrote it in the configuration. */
export const encodePathLiteral = (text: string): string =>
  text.replace(UNSAFE_IN_PATH_LITERAL, percentEncoded)
/** A text as part of a query. */
export const encodeQuery = (text: string): string => text.replace(UNSAFE_IN_QUERY, percentEncoded)

function percentEncoded(text: string): string {
  return encodePathBytes(Buffer.from(text, 'utf8'))
}
