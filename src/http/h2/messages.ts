import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { ReadableOptions } from 'node:stream'

/** Meant for one connection of HTTP/1; HTTP/2 has no place for them (RFC 9113 §8.2.2). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'],
])

/** What Node makes a request from. */
type RequestParts = readonly [
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: ReadableOptions,
  rawHeaders: readonly string[],
]

export interface BodyCount {
  body(bytes: number): void
}

/**
 * A request of HTTP/2 in the words of HTTP/1, so that whoever handles requests needs to know only one kind: `Host` in place of
 * `:authority`, no pseudo headers, and a body of unknown length announced as a chunked one.
 */
export class Request extends Http2ServerRequest {
  /** Told of the bytes of the body as they come. */
  declare bodyCount?: BodyCount | undefined

  constructor(...[stream, headers, options, rawHeaders]: RequestParts) {
    super(stream, headers, options, plainHeaders(rawHeaders, headers[':authority']))
    if (headers[':authority'] !== undefined) headers.host = headers[':authority']
    if (!stream.endAfterHeaders && headers['content-length'] === undefined) {
      headers['transfer-encoding'] = 'chunked'
    }
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk !== null) this.bodyCount?.body(chunk.length)
    return super.push(chunk)
  }

  static {
    // What HTTP/1.0 lacks is there. Node's types know an accessor only as a field, which cannot be overridden by one.
    Object.defineProperty(Request.prototype, 'httpVersionMinor', { get: () => 1 })
  }
}

function plainHeaders(raw: readonly string[], authority: string | undefined): string[] {
  const plain = authority === undefined ? [] : ['host', authority]
  let cookieAt = -1
  for (let i = 0; i < raw.length; i += 2) {
    // `:authority` wins over a Host that says otherwise (RFC 9113 §8.3.1).
    if (raw[i]!.startsWith(':') || (raw[i] === 'host' && authority !== undefined)) continue
    if (raw[i] === 'cookie') {
      // Clients send them in pieces, to pack them better; elsewhere than in HTTP/2 they are one line (RFC 9113 §8.2.3).
      if (cookieAt !== -1) {
        plain[cookieAt] += `; ${raw[i + 1]}`
        continue
      }
      cookieAt = plain.length + 1
    }
    plain.push(raw[i]!, raw[i + 1]!)
  }
  return plain
}

/**
 * A response of HTTP/2 that takes what one of HTTP/1 takes: a flat list with duplicates for its head. The head is held back until
 * the body or the end comes: a response without a body is one frame, which is what gRPC calls trailers-only.
 */
export class Response extends Http2ServerResponse {
  #hasTrailers = false

  static {
    // Of a stream there is no socket to wait for or to close.
    Object.defineProperty(Response.prototype, 'socket', { get: () => undefined })
  }

  override writeHead(
    status: number,
    flat?: string | OutgoingHttpHeaders | readonly string[],
    headers?: OutgoingHttpHeaders | readonly string[],
  ): this {
    const given = typeof flat === 'object' ? flat : headers
    if (given === undefined) return super.writeHead(status)
    for (const [name, value] of grouped(given as readonly string[])) this.setHeader(name, value)
    this.statusCode = status
    return this
  }

  override addTrailers(trailers: OutgoingHttpHeaders): void {
    this.#hasTrailers = true
    super.addTrailers(trailers)
  }

  override end(...args: unknown[]): this {
    const [chunk, encoding] = args
    const isEmpty = chunk === undefined || chunk === null || (chunk as { length?: number }).length === 0
    // Trailers need a head that does not end the stream.
    if (this.#hasTrailers && !this.headersSent) super.writeHead(this.statusCode)
    return isEmpty ? super.end() : super.end(chunk as Uint8Array, encoding as BufferEncoding)
  }

  /** Cuts it short in a way that no client takes for its end. */
  override destroy(): this {
    if (!this.stream.destroyed) this.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return this
  }
}

function grouped(flat: readonly string[]): Map<string, string | string[]> {
  const byName = new Map<string, string | string[]>()
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    if (CONNECTION_HEADERS.has(name)) continue
    const before = byName.get(name)
    const value = flat[i + 1]!
    byName.set(name, before === undefined ? value : [before, value].flat())
  }
  return byName
}
