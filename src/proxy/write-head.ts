import type { ServerResponse } from 'node:http'
import type { Response } from '../plugin/context/context.ts'
import { headBytes } from '../plugin/context/stats.ts'
import type { Exchange } from './exchange.ts'

/** `HTTP/1.1 200 OK` with the header lines that Node adds: Date, Connection, Keep-Alive. */
const START_AND_OWN_BYTES = 30

/**
 * Hands a response's head to the HTTP server, as the plugins left it. Throws, with nothing written, on a status that ends no request
 * or a header that Node refuses.
 */
export function writeHead(exchange: Exchange, { status, headers }: Response): void {
  if (!(Number.isInteger(status) && status >= 200 && status <= 999)) {
    throw new RangeError(`response status ${String(status)} is none that ends a request; use 200 to 999`)
  }
  const { response, context, body } = exchange
  const raw = headers.raw()
  // Refused without having asked for it: whether the body still comes only the client knows (RFC 9110 §10.1.1).
  if (body?.isHeldBack) response.shouldKeepAlive = false
  context.stats.responseHeadBytes = headBytes(START_AND_OWN_BYTES, raw)
  response.writeHead(status, raw as string[])
}

/**
 * Ends a response whose head was handed over and is not on the wire yet, with all of its body. `end(body)` would add an empty
 * chunk and so send head and body by writev, which costs 2 to 3 µs more than one write (docs/reference/benchmarks.md); put behind
 * the head that Node holds ready, the body leaves in the same write.
 */
export function endWithHead(response: ServerResponse, body: string): void {
  const held = response as ServerResponse & { _header?: unknown; _headerSent?: unknown; _hasBody?: unknown }
  if (
    typeof held._header === 'string' &&
    held._headerSent === false &&
    !response.chunkedEncoding &&
    held._hasBody === true
  ) {
    held._header += body
    response.end()
  } else response.end(body, 'latin1')
}
