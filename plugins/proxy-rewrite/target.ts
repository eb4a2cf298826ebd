import type { SafePattern } from '../../src/lib/safe-pattern.ts'
import {
  ConfigError,
  parseTemplate,
  type RequestContext,
  type TemplatePart,
  type VariableSource,
  variableText,
} from '../../src/plugin/api.ts'
import { compilePattern } from '../_shared/pattern/pattern.ts'
import { parseReplacement, type ReplacementPart } from '../_shared/pattern/replacement.ts'
import { encodePath, encodePathLiteral, encodeQuery } from '../_shared/uri/encoding.ts'
import type { ProxyRewriteConfig } from './schema.ts'

/** A new target, and the captures of the pattern that led to it. */
export interface Rewritten {
  readonly target: string
  readonly captures: RegExpExecArray | undefined
}

/** A value that a client chose leads out of the path it stands in. */
export const LEADS_OUT = 'leads out'

export type RewriteTarget = (context: RequestContext) => Rewritten | typeof LEADS_OUT | undefined

/** Nodes take such a segment for the way up, or drop it (RFC 3986 §5.2.4). */
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/

interface Rule {
  readonly pattern: SafePattern
  readonly parts: readonly ReplacementPart[]
}

/** Gathers a target piece by piece. The first `?` of the configuration's own text begins the query; others are escaped. */
class TargetBuilder {
  text = ''
  hasQuery = false

  literal(piece: string): void {
    const mark = this.hasQuery ? -1 : piece.indexOf('?')
    if (mark === -1) {
      this.text += this.hasQuery ? encodeQuery(piece) : encodePathLiteral(piece)
      return
    }
    this.hasQuery = true
    this.text += `${encodePathLiteral(piece.slice(0, mark))}?${encodeQuery(piece.slice(mark + 1))}`
  }

  value(piece: string): void {
    this.text += this.hasQuery ? encodeQuery(piece) : encodePath(piece)
  }

  /** The finished target with the client's own arguments behind it. */
  withArgs(args: string): string {
    const path = this.text.startsWith('/') ? this.text : `/${this.text}`
    return args === '' ? path : `${path}${this.hasQuery ? '&' : '?'}${args}`
  }
}

/** Compiles `uri` and `regex_uri`; `undefined` when the target stays as it is. */
export function compileTarget(config: ProxyRewriteConfig): RewriteTarget | undefined {
  const { uri, regex_uri: pairs, use_real_request_uri_unsafe: isRaw } = config
  if (uri !== undefined) return compileUri(parseTemplate(uri), !isRaw)
  const rules = pairs && compileRules(pairs)
  if (isRaw) return (context) => rewriteRaw(rules ?? [], context)
  return rules && ((context) => rewritePath(rules, context))
}

/** Throws {@link ConfigError} with the contract's text for a pair that cannot be used. */
export function compileRules(pairs: readonly string[]): Rule[] {
  if (pairs.length % 2 !== 0) throw new ConfigError('The length of regex_uri should be an even number')
  const rules: Rule[] = []
  for (let i = 0; i < pairs.length; i += 2) rules.push(compileRule(pairs[i]!, pairs[i + 1]!))
  return rules
}

function compileRule(source: string, replacement: string): Rule {
  try {
    return { pattern: compilePattern(source), parts: parseReplacement(replacement) }
  } catch (error) {
    throw new ConfigError(`invalid regex_uri(${source}, ${replacement}): ${(error as Error).message}`)
  }
}

function compileUri(parts: readonly TemplatePart[], keepsArgs: boolean): RewriteTarget {
  const mayLeadOut = parts.some((part) => typeof part !== 'string') && !hasDotSegment(textOf(parts))
  return (context) => {
    const filled = fillUri(parts, context)
    if (mayLeadOut && hasDotSegment(filled.text)) return LEADS_OUT
    const target = filled.withArgs(keepsArgs ? queryOf(context.upstream.target) : '')
    return { target, captures: undefined }
  }
}

function hasDotSegment(target: string): boolean {
  const mark = target.indexOf('?')
  return DOT_SEGMENT.test(mark === -1 ? target : target.slice(0, mark))
}

/** What stands in the configuration, variables being something. */
function textOf(parts: readonly TemplatePart[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
}

function fillUri(parts: readonly TemplatePart[], source: VariableSource): TargetBuilder {
  const builder = new TargetBuilder()
  for (const part of parts) {
    if (typeof part === 'string') builder.literal(part)
    else builder.value(variableText(source.var(part.name)) ?? part.fallback ?? '')
  }
  return builder
}

function rewritePath(rules: readonly Rule[], context: RequestContext): Rewritten | undefined {
  const { path } = context
  for (const { pattern, parts } of rules) {
    const match = pattern.exec(path)
    if (!match) continue
    const builder = new TargetBuilder()
    builder.value(path.slice(0, match.index))
    for (const part of parts) {
      if (typeof part === 'string') builder.literal(part)
      else builder.value(match[part] ?? '')
    }
    builder.value(path.slice(match.index + match[0].length))
    return { target: builder.withArgs(queryOf(context.upstream.target)), captures: match }
  }
  return undefined
}

/** The client's own target, query and all, is matched and sent; escapes stay as they came. */
function rewriteRaw(rules: readonly Rule[], context: RequestContext): Rewritten | undefined {
  const { rawTarget } = context
  // The absolute form and `*` are not for an upstream.
  if (!rawTarget.startsWith('/')) return undefined
  for (const { pattern, parts } of rules) {
    const match = pattern.exec(rawTarget)
    if (!match) continue
    const filled = parts.map((part) => (typeof part === 'string' ? encodeQuery(part) : (match[part] ?? '')))
    const end = rawTarget.slice(match.index + match[0].length)
    const target = rawTarget.slice(0, match.index) + filled.join('') + end
    return { target: target.startsWith('/') ? target : `/${target}`, captures: match }
  }
  return { target: rawTarget, captures: undefined }
}

/** Of the target as earlier plugins left it: an argument they removed stays away. */
function queryOf(target: string): string {
  const mark = target.indexOf('?')
  return mark === -1 ? '' : target.slice(mark + 1)
}
