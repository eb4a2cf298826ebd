/** The directives of `Cache-Control` by lower-case name; one without a value has the empty text. */
export type Directives = ReadonlyMap<string, string>

const DIRECTIVE = /([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?/gi
const NONE: Directives = new Map()

/** Reads all lines of the header together. Of a directive that stands twice the first one counts (RFC 9111 §4.2.1). */
export function parseCacheControl(lines: readonly string[]): Directives {
  if (lines.length === 0) return NONE
  const directives = new Map<string, string>()
  for (const [, name = '', quoted, bare] of lines.join(', ').matchAll(DIRECTIVE)) {
    const directive = name.toLowerCase()
    if (!directives.has(directive)) directives.set(directive, quoted ?? bare ?? '')
  }
  return directives
}

/** A time in seconds; one that cannot be read has passed (RFC 9111 §4.2.1). `undefined` when the directive is not there. */
export function seconds(directives: Directives, name: string): number | undefined {
  const text = directives.get(name)
  if (text === undefined) return undefined
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}

/** Milliseconds since the epoch of an HTTP date; `undefined` for anything else. */
export function parseDate(text: string): number | undefined {
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}
