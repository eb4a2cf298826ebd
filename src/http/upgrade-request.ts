import { IncomingMessage, METHODS } from 'node:http'

const isAskedFor = Symbol('asks for an upgrade')

/**
 * Protocols that would change the connection to this gateway itself: they are for it to accept, which it does not, and never
 * forwarded. A request that asks for one is an ordinary one (RFC 9110 §7.8).
 */
const OF_THIS_HOP = /^(?:h2c?|http|tls)(?:\/|$)/i

/**
 * A request as the HTTP server makes it. The server reads `upgrade` once the head is complete, to find out whether the connection
 * leaves HTTP: only for what can become a tunnel. A server that listens for upgrades would otherwise give up the connection of every
 * request with such a header, body and all.
 */
export class UpgradeRequest extends IncomingMessage {
  declare [isAskedFor]: boolean | null

  /** Whether the request is one that can be answered with another protocol. */
  get upgrade(): boolean {
    return this[isAskedFor] === true && (this.method === 'CONNECT' || mayBecomeTunnel(this))
  }

  /** Written by the HTTP parser: the head has `Connection: upgrade` and `Upgrade`. */
  set upgrade(isAsked: boolean | null) {
    this[isAskedFor] = isAsked
  }
}

/** The protocol that a request asks for, as sent, if it can become a tunnel. */
export function askedProtocol(request: IncomingMessage): string | undefined {
  return (request as UpgradeRequest).upgrade === true ? request.headers.upgrade : undefined
}

/** The parser knows those of RTSP too, which are refused as ordinary requests are. */
const KNOWN_METHODS: ReadonlySet<string | undefined> = new Set(METHODS)

/** A body would be taken for bytes of the new protocol, and one that waits to be asked for it twice over. */
function mayBecomeTunnel({ headers, httpVersionMinor, method }: IncomingMessage): boolean {
  const { upgrade, expect } = headers
  const length = headers['content-length']
  if (!KNOWN_METHODS.has(method)) return false
  if (httpVersionMinor === 0 || upgrade === undefined || expect !== undefined) return false
  if (headers['transfer-encoding'] !== undefined || !(length === undefined || Number(length) === 0))
    return false
  return upgrade.split(',').every((protocol) => !OF_THIS_HOP.test(protocol.trim()))
}
