/** What nginx escapes in a path, `%` and `?` included: the text was decoded before. */
const UNSAFE_IN_PATH = /[^A-Za-z0-9!$&'()*+,\-./:;=@_~[\]]+/g
/** In literal text of the configuration a percent sequence is meant as it is written. */
const UNSAFE_IN_PATH_LITERAL = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9!$&'()*+,\-./:;=@_~[\]%]+/g
/** A query keeps its own syntax; only what would end the target or break the request line goes. */
const UNSAFE_IN_QUERY = /[^\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+/g

export const encodePath = (text: string): string => text.replace(UNSAFE_IN_PATH, percentEncoded)
export const encodePathLiteral = (text: string): string =>
  text.replace(UNSAFE_IN_PATH_LITERAL, percentEncoded)
export const encodeQuery = (text: string): string => text.replace(UNSAFE_IN_QUERY, percentEncoded)

function percentEncoded(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
