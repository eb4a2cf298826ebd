import type { IncomingMessage } from 'node:http'
import { type CanonicalTarget, canonicalizeTarget, type TargetOptions } from '../lib/canonical-path.ts'
import { parseHost } from '../lib/host.ts'
import { type ConsumerLookup, Context } from '../plugin/context/context.ts'
import { clientAddress, type RealIpRule } from './client-address.ts'
import { type ConnectionFacts, connectionFacts, type TrustedPeers } from './connection-facts.ts'
import { dropForwarded, dropNominated } from './dropped-headers.ts'
import type { SecureConnection } from './tls/secure-connection.ts'

/** How requests are read; fixed for the process. */
export interface FrontDoor {
  readonly target: TargetOptions
  readonly trusted: TrustedPeers
  readonly realIp: RealIpRule
  /** Monotonic ms. */
  readonly monotonic: () => number
}

/** A request that cannot be understood; answered without route or plugin. */
export interface Refusal {
  readonly status: number
  readonly reason: string
}

export interface OpenedRequest {
  readonly context: Context
  readonly tls: SecureConnection | undefined
  /** What routes are matched with; differs from the context's path only with `match_uri_encoded_slash`. */
  readonly matchPath: string
}

/** Reads a request's head into a context, or says why it is refused. */
export function openRequest(
  request: IncomingMessage,
  consumers: ConsumerLookup,
  door: FrontDoor,
): OpenedRequest | Refusal {
  const rawTarget = request.url ?? ''
  const target = canonicalizeTarget(rawTarget, door.target)
  if (!target.ok) return { status: 400, reason: target.reason }
  if (target.form === 'asterisk') return { status: 400, reason: 'asterisk-form' }
  if (request.method === 'TRACE') return { status: 405, reason: 'TRACE' }
  if (!isExpectationKnown(request)) return { status: 417, reason: 'unknown expectation' }
  const rawHost = target.authority ?? request.headers.host ?? ''
  const host = rawHost === '' && request.httpVersionMinor === 0 ? NO_HOST : parseHost(rawHost)
  if (!host || hasSeveralHosts(request.rawHeaders)) return { status: 400, reason: 'bad Host' }
  const connection = connectionFacts(request.socket, door.trusted)
  return {
    context: contextOf(
      request,
      { target, rawTarget, host: host.host, rawHost, connection },
      { consumers, door },
    ),
    tls: connection.tls,
    matchPath: target.matchPath,
  }
}

/** HTTP/1.0 has no expectations; what asks for one in an odd form would be answered in one way and forwarded in another. */
function isExpectationKnown({ headers: { expect }, httpVersionMinor }: IncomingMessage): boolean {
  return expect === undefined || httpVersionMinor === 0 || expect.toLowerCase() === '100-continue'
}

/** Node keeps the first of several; who is behind the gateway might keep the last. */
function hasSeveralHosts(raw: readonly string[]): boolean {
  let count = 0
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === 4 && raw[i]!.toLowerCase() === 'host') count++
  }
  return count > 1
}

/** HTTP/1.0 needs no Host. */
const NO_HOST = { host: '', port: undefined }

interface ReadHead {
  readonly target: CanonicalTarget
  readonly rawTarget: string
  readonly host: string
  readonly rawHost: string
  readonly connection: ConnectionFacts
}

function contextOf(
  request: IncomingMessage,
  { target, rawTarget, host, rawHost, connection }: ReadHead,
  { consumers, door }: { consumers: ConsumerLookup; door: FrontDoor },
): Context {
  const { rawHeaders } = request
  if (!connection.isTrusted) dropForwarded(rawHeaders)
  dropNominated(rawHeaders, request.headers.connection)
  return new Context({
    method: request.method ?? 'GET',
    rawTarget,
    path: target.path,
    query: target.query,
    forwardTarget: target.forwardTarget,
    host,
    rawHost,
    scheme: connection.scheme,
    httpVersion: request.httpVersion,
    rawHeaders,
    remoteAddr: clientAddress(connection, request.headers, door.realIp),
    remotePort: connection.peerPort,
    peerAddr: connection.peerAddr,
    serverAddr: connection.serverAddr,
    serverPort: connection.serverPort,
    consumers,
    monotonic: door.monotonic,
    tls: connection.tls,
  })
}
