import { ConfigError, compileTemplate, type RequestContext } from '../../src/plugin/api.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import { isHeaderName, isHeaderValue, toHeaderValue } from '../_shared/headers/value.ts'
import { encodePath, encodeQuery } from '../_shared/uri/encoding.ts'
import type { ForwardAuthConfig } from './schema.ts'

type HeaderLines = Record<string, string | readonly string[]>

/** The headers of the question about one request. */
export type AskWith = (context: RequestContext) => HeaderLines

/** Throws {@link ConfigError} for a header that cannot be sent. */
export function checkQuestion({ request_headers, extra_headers = {} }: ForwardAuthConfig): void {
  for (const name of [...request_headers, ...Object.keys(extra_headers)]) {
    if (!isHeaderName(name)) {
      throw new ConfigError(
        `${JSON.stringify(name)} cannot be the name of a header; use letters, digits and -`,
      )
    }
  }
  for (const [name, value] of Object.entries(extra_headers)) {
    if (!isHeaderValue(value)) {
      throw new ConfigError(`the value of extra_headers "${name}" holds a control character; remove it`)
    }
    if (isHopByHop(name)) {
      throw new ConfigError(`extra_headers "${name}" belongs to the connection and cannot be set; remove it`)
    }
  }
}

/**
 * Compiles what the service is told: who asks for what (`X-Forwarded-*`), then `extra_headers`, which win over these, then those of
 * the client's headers that are listed and not said yet. What frames the client's message is not passed on: the question is a
 * message of its own.
 */
export function compileQuestion({ request_headers, extra_headers = {} }: ForwardAuthConfig): AskWith {
  const extra = Object.entries(extra_headers).map(([name, text]) => {
    return { name: name.toLowerCase(), template: compileTemplate(bytesOf(text), toHeaderValue) }
  })
  const copied = [...new Set(request_headers.map((name) => name.toLowerCase()))].filter(
    (name) => !isHopByHop(name),
  )
  return (context) => {
    const headers: HeaderLines = Object.assign(Object.create(null), {
      'x-forwarded-proto': context.scheme,
      'x-forwarded-method': context.method,
      'x-forwarded-host': toHeaderValue(context.host),
      'x-forwarded-uri': uriOf(context),
      'x-forwarded-for': context.remoteAddr,
    })
    for (const { name, template } of extra) headers[name] = template.render(context)
    for (const name of copied) {
      const values = headers[name] === undefined ? context.headers.all(name) : []
      if (values.length > 0) headers[name] = values
    }
    return headers
  }
}

/** The path that was matched, encoded where a header or a reader of URIs would take it for something else, and the query as it came. */
function uriOf({ path, queryString }: RequestContext): string {
  const encoded = encodePath(path)
  return queryString === '' ? encoded : `${encoded}?${encodeQuery(queryString)}`
}

/** A configuration is text, a header is bytes: what is not ASCII goes out as UTF-8. */
function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
