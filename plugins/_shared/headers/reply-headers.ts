import { compileTemplate, type VariableSource } from '../../../src/plugin/api.ts'
import { checkHeaders } from './operations.ts'
import { toHeaderValue } from './value.ts'

type HeaderMap = Readonly<Record<string, string | number>>

/** The headers of a plugin's own answer to one request. */
export type RenderHeaders = (source: VariableSource) => Record<string, string>

/** Names to one value each, which is a template. */
export const replyHeadersSchema = {
  type: 'object',
  minProperties: 1,
  patternProperties: { '^[^:]+$': { oneOf: [{ type: 'string' }, { type: 'number' }] } },
  additionalProperties: false,
} as const

/** Throws ConfigError for a name or value that no header can have. */
export function checkReplyHeaders(map: HeaderMap): void {
  checkHeaders({ set: map })
}

/** The same headers for every answer; nothing in their values is a variable. Run {@link checkReplyHeaders} before. */
export function fixedReplyHeaders(map: HeaderMap): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, headerBytes(value)]))
}

/** Compiles the headers of an answer; one whose value comes to nothing is left out. Run {@link checkReplyHeaders} before. */
export function compileReplyHeaders(map: HeaderMap): RenderHeaders {
  const templates = Object.entries(map).map(
    ([name, value]) => [name, compileTemplate(headerBytes(value), toHeaderValue)] as const,
  )
  return (source) => {
    const lines: [name: string, value: string][] = []
    for (const [name, template] of templates) {
      const value = template.render(source).trim()
      if (value !== '') lines.push([name, value])
    }
    // Not by assignment: a header may be called __proto__.
    return Object.fromEntries(lines)
  }
}

/** The configuration is text, a header is bytes: what is not ASCII goes out as UTF-8. */
const headerBytes = (value: string | number) => Buffer.from(String(value), 'utf8').toString('latin1')
