import type { OutgoingHttpHeaders } from 'node:http2'
import { checkStartLine, checkValue } from '../h1/request-head.ts'
import type { OutgoingRequest } from '../transport.ts'

/**
 * The header block of a request, pseudo headers first (RFC 9113 §8.3.1); `te: trailers` says that trailers are understood, without
 * which gRPC is refused. Throws a TypeError on what cannot be written.
 */
export function requestHeaders(
  { method, target, headers, body }: OutgoingRequest,
  scheme: 'http' | 'https',
): OutgoingHttpHeaders {
  checkStartLine(method, target)
  const block: OutgoingHttpHeaders = Object.create(null)
  block[':method'] = method
  block[':scheme'] = scheme
  block[':path'] = target
  for (let i = 0; i < headers.length; i += 2) add(block, headers[i]!, headers[i + 1]!)
  block['te'] = 'trailers'
  if (body?.length !== undefined) block['content-length'] = String(body.length)
  return block
}

/** A flat list as the object that `node:http2` takes. Throws a TypeError on what cannot be written. */
export function fieldBlock(flat: readonly string[]): OutgoingHttpHeaders {
  const block: OutgoingHttpHeaders = Object.create(null)
  for (let i = 0; i < flat.length; i += 2) add(block, flat[i]!, flat[i + 1]!)
  return block
}

/** What is about a connection of HTTP/1 has no place in HTTP/2 (RFC 9113 §8.2.2). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'],
])
/** Node refuses these twice; the last one stands. */
const SINGLE: ReadonlySet<string> = new Set([
  ...['access-control-allow-credentials', 'authorization', 'content-length', 'content-type', 'date', 'etag'],
  ...['expires', 'from', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'],
  ...['last-modified', 'location', 'max-forwards', 'proxy-authorization', 'range', 'referer', 'retry-after'],
  ...['upgrade-insecure-requests', 'user-agent', 'x-content-type-options', 'age', 'dnt', 'host', 'tk'],
  ...['access-control-max-age', 'access-control-request-method', 'content-encoding', 'content-language'],
  ...['content-location', 'content-md5', 'content-range', 'te'],
])

function add(block: OutgoingHttpHeaders, name: string, value: string): void {
  checkValue(name, value)
  const lower = name.toLowerCase()
  const key = lower === 'host' ? ':authority' : lower
  if (CONNECTION_HEADERS.has(key)) return
  const before = block[key]
  if (before === undefined || key === ':authority' || SINGLE.has(key)) block[key] = value
  else if (Array.isArray(before)) before.push(value)
  else block[key] = [String(before), value]
}
