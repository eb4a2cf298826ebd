import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { fieldBlock } from '../upstream/h2/request-headers.ts'
import type { Exchange } from './exchange.ts'

const EARLY_HINTS = 103
const START_LINE = 'HTTP/1.1 103 Early Hints\r\n'

/** About a message that a 103 is not, about one connection, or for the gateway to say. */
const DROPPED: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'trailer', 'te', 'host', 'http2-settings', 'server'],
  ...['connection', 'keep-alive', 'proxy-connection', 'upgrade'],
])

/**
 * Passes a node's 103 on at once (RFC 8297). Plugins see only final responses. Hints of an attempt that fails afterwards stand: they
 * bind nobody. Not for clients of HTTP/1.0, which know no interim answers.
 */
export function relayEarlyHints({ request, response, isOver }: Exchange, flat: readonly string[]): void {
  if (isOver || response.headersSent || (request.httpVersionMajor === 1 && request.httpVersionMinor === 0))
    return
  const hints = passable(flat)
  if (request.httpVersionMajor === 1) writeInterim(response, hints)
  else {
    const { stream } = response as unknown as Http2ServerResponse
    if (!stream.destroyed && !stream.closed) {
      stream.additionalHeaders({ ':status': EARLY_HINTS, ...fieldBlock(hints) })
    }
  }
}

function passable(flat: readonly string[]): string[] {
  const hints: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    if (!DROPPED.has(flat[i]!.toLowerCase())) hints.push(flat[i]!, flat[i + 1]!)
  }
  return hints
}

/** Past Node's `writeEarlyHints`, which wants a `Link` and writes names in lower case. The response has the connection by now. */
function writeInterim({ socket }: ServerResponse, hints: readonly string[]): void {
  let text = START_LINE
  for (let i = 0; i < hints.length; i += 2) text += `${hints[i]}: ${hints[i + 1]}\r\n`
  if (socket?.writable) socket.write(`${text}\r\n`, 'latin1')
}
