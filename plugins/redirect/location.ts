import { encodePathBytes } from '../../src/lib/percent-encoding.ts'
import { ConfigError, compileTemplate, type RequestContext } from '../../src/plugin/api.ts'
import { compilePattern } from '../_shared/pattern/pattern.ts'
import { fillReplacement, parseReplacement } from '../_shared/pattern/replacement.ts'
import { encodePath } from '../_shared/uri/encoding.ts'
import type { RedirectConfig } from './schema.ts'

/** Where a request is sent to; `undefined` when it goes on. */
export type Locate = (context: RequestContext) => string | undefined

/** What no URI reference may hold: controls, line breaks among them, blanks, what is not ASCII, and `"<>\^{|}` with the backtick. */
const UNSAFE_IN_URI = /[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+/g
/** Two slashes at the start name a host. */
const SLASHES = /^\/{2,}/

/** Compiles `uri` or `regex_uri`. Throws {@link ConfigError} with the contract's text for a pattern that cannot be used. */
export function compileLocation(config: RedirectConfig): Locate {
  const { uri, regex_uri: pair, encode_uri: isEncoded, append_query_string: appendsQuery } = config
  const locate = pair ? compileRegexUri(pair[0]!, pair[1]!) : compileUri(uri ?? '')
  const mayNameHost = (pair?.[1] ?? uri ?? '').startsWith('//')
  return (context) => {
    const found = locate(context)
    if (found === undefined) return undefined
    // Of what a client wrote nothing may become the host of the redirect.
    const bounded = mayNameHost ? found : found.replace(SLASHES, '/')
    const path = isEncoded ? encodedUpToQuery(bounded) : bounded
    return encodeUri(appendsQuery ? withQuery(path, context.queryString) : path)
  }
}

/** Percent-encodes what may stand nowhere in a URI. Characters become the bytes of their `encoding`. */
export function encodeUri(text: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  return text.replace(UNSAFE_IN_URI, (unsafe) => encodePathBytes(Buffer.from(unsafe, encoding)))
}

function compileUri(text: string): Locate {
  const template = compileTemplate(text)
  return (context) => template.render(context)
}

/** As ngx.re.sub: the first match is replaced, the rest of the path stays. */
function compileRegexUri(source: string, replacement: string): Locate {
  try {
    const pattern = compilePattern(source)
    const parts = parseReplacement(replacement)
    return ({ path }) => {
      const match = pattern.exec(path)
      if (!match) return undefined
      const end = match.index + match[0].length
      return path.slice(0, match.index) + fillReplacement(parts, match) + path.slice(end)
    }
  } catch (error) {
    throw new ConfigError(`invalid regex_uri(${source}, ${replacement}): ${(error as Error).message}`)
  }
}

function encodedUpToQuery(uri: string): string {
  const mark = uri.indexOf('?')
  const path = mark === -1 ? uri : uri.slice(0, mark)
  return encodePath(path) + uri.slice(path.length)
}

function withQuery(uri: string, query: string): string {
  if (query === '') return uri
  return `${uri}${uri.includes('?') ? '&' : '?'}${query}`
}
