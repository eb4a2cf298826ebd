import { Glob, type GlobToken } from './glob.ts'

/** A route's `uri` as the tables store it (contract §4.2). */
export interface UriPattern {
  /** What the user wrote. */
  readonly source: string
  /** The whole path when `isExact`, else what comes before the first wildcard or parameter. */
  readonly key: string
  readonly isExact: boolean
  /** What is left to check once the key has matched; `undefined` when the key says it all. */
  readonly glob: Glob | undefined
  /** The name under which a trailing `/*` or `/*name` captures what follows the key. */
  readonly tailName: string | undefined
}

const WILDCARD_NAME = 'ext'

/**
 * Parses a pattern. `*` at the start of a segment captures under the rest of the segment, or as `ext`; within a segment it takes
 * any run of characters. A segment that starts with `:` is a parameter where `hasParameters`, else literal, as is everything that
 * a regular expression would treat specially: APISIX leaves that unescaped there, so that a dot in such a route takes any character.
 */
export function parsePattern(source: string, hasParameters: boolean): UriPattern {
  const tokens = tokenize(source, hasParameters)
  const [first, second] = tokens
  const key = first?.kind === 'literal' ? first.text : ''
  const special = first?.kind === 'literal' ? second : first
  if (special === undefined) return { source, key, isExact: true, glob: undefined, tailName: undefined }
  const isPrefix = special.kind === 'star' && special === tokens.at(-1)
  return {
    source,
    key,
    isExact: false,
    glob: isPrefix ? undefined : new Glob(tokens),
    tailName: isPrefix ? special.name : undefined,
  }
}

function tokenize(source: string, hasParameters: boolean): GlobToken[] {
  const tokens: GlobToken[] = []
  source.split('/').forEach((segment, index) => {
    if (index > 0) pushLiteral(tokens, '/')
    if (segment.startsWith('*')) tokens.push({ kind: 'star', name: segment.slice(1) || WILDCARD_NAME })
    else if (hasParameters && segment.length > 1 && segment.startsWith(':')) {
      tokens.push({ kind: 'parameter', name: segment.slice(1) })
    } else pushStars(tokens, segment)
  })
  return tokens
}

function pushStars(tokens: GlobToken[], segment: string): void {
  segment.split('*').forEach((literal, index) => {
    if (index > 0) tokens.push({ kind: 'star', name: undefined })
    pushLiteral(tokens, literal)
  })
}

function pushLiteral(tokens: GlobToken[], text: string): void {
  if (text === '') return
  const last = tokens.at(-1)
  if (last?.kind === 'literal') tokens[tokens.length - 1] = { kind: 'literal', text: last.text + text }
  else tokens.push({ kind: 'literal', text })
}
