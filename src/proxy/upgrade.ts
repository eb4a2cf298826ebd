import type { Socket } from 'node:net'
import type { Response } from '../plugin/context/context.ts'
import { headBytes } from '../plugin/context/stats.ts'
import { reportAnswer } from '../upstream/health/passive.ts'
import type { ProtocolSwitch, ResponseHead, ResponseSink } from '../upstream/transport.ts'
import type { UpstreamNode } from '../upstream/upstream.ts'
import type { Exchange } from './exchange.ts'
import { Tunnel } from './tunnel.ts'

const SWITCHING = 101
/** About this hop, or about a body that a 101 does not have; what a plugin wrote into them does not count. */
const NOT_OF_SWITCH = ['connection', 'upgrade', 'keep-alive', 'content-length', 'transfer-encoding']

/** A request's headers, owned by the caller, with those that ask for another protocol. */
export function askingHeaders(headers: string[], protocol: string): string[] {
  headers.push('Connection', 'Upgrade', 'Upgrade', protocol)
  return headers
}

export interface Asking {
  /** The client's `Upgrade`. */
  readonly protocol: string
  /** The upstream's `timeout.read`; a tunnel in which nothing moves for that long ends. */
  readonly readMs: number
  readonly sink: ResponseSink
}

/** Asks the node for the protocol that the client asked for, and opens a tunnel when it agrees. */
export function askToSwitch(exchange: Exchange, asking: Asking): ProtocolSwitch {
  return {
    protocol: asking.protocol,
    onSwitched: (head, protocol, node) => {
      try {
        switchOver(exchange, asking, { head, protocol, node })
      } catch (error) {
        node.destroy()
        exchange.crash(error)
      }
    },
  }
}

/** Called while the attempt counts as under way, which it does until the client's connection is closed. */
function switchOver(
  exchange: Exchange,
  { readMs, sink }: Asking,
  { head, protocol, node }: { head: ResponseHead; protocol: string; node: Socket },
): void {
  const { context, response, request, options } = exchange
  // What the node took to answer; how long the tunnel lives says nothing about it.
  context.stats.upstreamEndedAt = performance.now()
  sink.onHead(head)
  // A header filter that threw has ended the request.
  if (exchange.isOver || response.headersSent) {
    node.destroy()
    return
  }
  reportHealth(exchange, head.status)
  const { response: sent } = context
  if (sent.status !== SWITCHING) {
    node.destroy()
    exchange.attempts?.abort()
    // A plugin made it another answer: its status stands, and there is no tunnel.
    exchange.answer({ status: sent.status })
    return
  }
  const client = request.socket
  writeSwitch(client, exchange, { head, protocol })
  new Tunnel({ client, node, idleMs: readMs, stats: context.stats, protocol }, options.tunnels).start()
}

function reportHealth({ context }: Exchange, status: number): void {
  const { health } = context.node as UpstreamNode
  if (health !== undefined) reportAnswer(health, status)
}

/** Writes the node's own 101, as the header filters left it. */
function writeSwitch(
  client: Socket,
  { context }: Exchange,
  { head, protocol }: { head: ResponseHead; protocol: string },
): void {
  const { headers }: Response = context.response
  for (const name of NOT_OF_SWITCH) headers.remove(name)
  const raw = ['Connection', 'Upgrade', 'Upgrade', protocol, ...headers.raw()]
  const startLine = `HTTP/1.1 ${SWITCHING} ${head.reason}`
  let text = `${startLine}\r\n`
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\r\n`
  context.stats.responseHeadBytes = headBytes(startLine.length, raw)
  client.write(`${text}\r\n`, 'latin1')
}
