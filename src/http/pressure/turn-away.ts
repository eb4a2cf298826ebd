import type { IncomingMessage, ServerResponse } from 'node:http'
import { endWithHead } from '../../proxy/write-head.ts'
import { lingerAfter } from '../refuse-connection.ts'

/** A body that is announced to be no longer is read and dropped, which is cheaper than a new connection. */
const DROPPED_BODY_BYTES = 16 * 1024

const BODY = '{"error_msg":"503 Service Unavailable"}\n'

export interface TurnAwayOptions {
  readonly serverHeader: string | false
  readonly retryAfterSeconds: number
}

/** Answers 503 before anything was done for the request: always the same bytes, and the connection is kept where that is cheap. */
export function createTurnAway({ serverHeader, retryAfterSeconds }: TurnAwayOptions) {
  const kept = ['Content-Type', 'application/json', 'Retry-After', String(retryAfterSeconds)]
  if (serverHeader !== false) kept.push('Server', serverHeader)
  kept.push('Content-Length', String(BODY.length))
  const last = [...kept, 'Connection', 'close']
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (hasSmallBody(request)) response.writeHead(503, kept)
    else {
      response.writeHead(503, last)
      lingerAfter(response)
      request.resume()
    }
    endWithHead(response, BODY)
  }
}

function hasSmallBody({ headers }: IncomingMessage): boolean {
  // Whoever waits to be asked for the body may send it after the answer, or not.
  if (headers['transfer-encoding'] !== undefined || headers.expect !== undefined) return false
  const length = headers['content-length']
  return length === undefined || Number(length) <= DROPPED_BODY_BYTES
}
