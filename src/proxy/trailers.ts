import type { Response } from '../plugin/context/context.ts'
import { isSafeValue } from '../upstream/h1/request-head.ts'
import type { Exchange } from './exchange.ts'

/** Passed on of one message; what more there is, is dropped. Their bytes are bounded where they are read. */
const MAX_TRAILERS = 64

/** Frames or routes a message, asks for something, says who somebody is, or is needed before the body (RFC 9110 §6.5.1). */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'host', 'http2-settings', 'keep-alive', 'proxy-connection', 'te'],
  ...['trailer', 'transfer-encoding', 'upgrade'],
  ...['cache-control', 'expect', 'if-match', 'if-modified-since', 'if-none-match', 'if-range'],
  ...['if-unmodified-since', 'max-forwards', 'pragma', 'range'],
  ...[
    'authorization',
    'cookie',
    'proxy-authenticate',
    'proxy-authorization',
    'set-cookie',
    'www-authenticate',
  ],
  ...['age', 'date', 'expires', 'location', 'retry-after', 'vary', 'warning'],
  ...['content-disposition', 'content-encoding', 'content-language', 'content-location', 'content-range'],
  ...['content-security-policy', 'content-type'],
  ...['forwarded', 'x-real-ip', 'x-credential-identifier'],
])
/** What the gateway says of the client: to a node that puts trailers among the headers a client could say it. */
const OF_THE_GATEWAY = /^x-(?:forwarded|consumer)-/

/** The trailers that may go on to the other side, whichever that is; a new flat list. */
export function passableTrailers(flat: readonly string[]): string[] {
  const trailers: string[] = []
  for (let i = 0; i < flat.length && trailers.length < 2 * MAX_TRAILERS; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    const meant = name.toLowerCase().replaceAll('_', '-')
    if (!FORBIDDEN.has(meant) && !OF_THE_GATEWAY.test(meant) && isSafeValue(value)) trailers.push(name, value)
  }
  return trailers
}

/**
 * Hands the upstream's trailers to the response, whose head may be out already. To an HTTP/1 client only when it asked for them
 * (`TE: trailers`) and the body is chunked; in any other form there is no room for them.
 */
export function addTrailers(exchange: Exchange, flat: readonly string[]): void {
  const { request, response } = exchange
  if (!isAskedFor(exchange) || (request.httpVersionMajor === 1 && !response.chunkedEncoding)) return
  const passed = passableTrailers(flat)
  const trailers: Record<string, string | string[]> = Object.create(null)
  for (let i = 0; i < passed.length; i += 2) {
    const name = passed[i]!.toLowerCase()
    const before = trailers[name]
    trailers[name] = before === undefined ? passed[i + 1]! : [before, passed[i + 1]!].flat()
  }
  response.addTrailers(trailers as Record<string, string>)
}

/** Takes `Trailer` out of a response that will have none: one without chunks, or for a client that did not ask for any. */
export function keepAnnouncement(exchange: Exchange, { headers, status }: Response): void {
  const isBodyless = status === 204 || status === 304 || exchange.context.method === 'HEAD'
  if (isBodyless || !isAskedFor(exchange) || headers.has('content-length')) headers.remove('trailer')
}

/** Tells a node of trailers that the client will send, and whether the client takes some, which is asked anew for each hop. */
export function announceTrailers({ request, body, context }: Exchange, headers: string[]): void {
  const { te, trailer } = request.headers
  if (te !== undefined && acceptsTrailers(te)) headers.push('TE', 'trailers', 'Connection', 'TE')
  const isClients = body !== undefined && context.newBody === undefined
  if (trailer !== undefined && isClients && body.length === undefined) headers.push('Trailer', trailer)
}

function isAskedFor({ request }: Exchange): boolean {
  if (request.httpVersionMajor === 2) return true
  const { te } = request.headers
  return request.httpVersionMinor === 1 && te !== undefined && acceptsTrailers(te)
}

function acceptsTrailers(te: string | string[]): boolean {
  return /(?:^|,)\s*trailers\s*(?:$|[,;])/i.test(String(te))
}
