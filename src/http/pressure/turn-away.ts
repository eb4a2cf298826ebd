import type { IncomingMessage, ServerResponse } from 'node:http'
import { endWithHead } from '../../proxy/write-head.ts'
import { lingerAfter } from '../refuse-connection.ts'

/** A body that is announced to be no longer is read and dropped, which is cheaper than a new connection. */
const DROPPED_BODY_BYTES = 16 * 1024
/** Its head has the time of day in seconds. */
const SAMPLE_AGE_MS = 1000

const BODY = '{"error_msg":"503 Service Unavailable"}\n'

export interface TurnAwayOptions {
  readonly serverHeader: string | false
  readonly retryAfterSeconds: number
}

/** Answers 503 before anything was done for a request: always the same bytes, and the connection is kept where that is cheap. */
export class TurnAway {
  readonly #kept: readonly string[]
  readonly #last: readonly string[]
  #sample = ''
  #sampledAtMs = Number.NEGATIVE_INFINITY

  constructor({ serverHeader, retryAfterSeconds }: TurnAwayOptions) {
    const kept = ['Content-Type', 'application/json', 'Retry-After', String(retryAfterSeconds)]
    if (serverHeader !== false) kept.push('Server', serverHeader)
    kept.push('Content-Length', String(BODY.length))
    this.#kept = kept
    this.#last = [...kept, 'Connection', 'close']
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    if (hasSmallBody(request)) {
      response.writeHead(503, this.#kept as string[])
      this.#takeSample(request, response)
    } else {
      response.writeHead(503, this.#last as string[])
      lingerAfter(response)
      request.resume()
    }
    endWithHead(response, BODY)
  }

  /** All bytes of an answer that went to a client of HTTP/1.1 in this second, on a connection that was kept; undefined when there was none. */
  recent(nowMs: number): string | undefined {
    return nowMs - this.#sampledAtMs < SAMPLE_AGE_MS ? this.#sample : undefined
  }

  #takeSample({ httpVersion, method }: IncomingMessage, response: ServerResponse): void {
    const { _header: head } = response as ServerResponse & { _header?: unknown }
    if (httpVersion !== '1.1' || method === 'HEAD' || !response.shouldKeepAlive || typeof head !== 'string')
      return
    this.#sample = head + BODY
    this.#sampledAtMs = performance.now()
  }
}

function hasSmallBody({ headers }: IncomingMessage): boolean {
  // Whoever waits to be asked for the body may send it after the answer, or not.
  if (headers['transfer-encoding'] !== undefined || headers.expect !== undefined) return false
  const length = headers['content-length']
  return length === undefined || Number(length) <= DROPPED_BODY_BYTES
}
