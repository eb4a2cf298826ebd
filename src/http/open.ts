import type { IncomingMessage } from 'node:http'
import { type CanonicalTarget, canonicalizeTarget, type TargetOptions } from '../lib/canonical-path.ts'
import { parseHost, type RequestHost } from '../lib/host.ts'
import type { BodyVariableLimits } from '../plugin/context/body-variables.ts'
import { type ConsumerLookup, Context } from '../plugin/context/context.ts'
import { clientAddress, type RealIpRule } from './client-address.ts'
import { type ConnectionFacts, connectionFacts, type TrustedPeers } from './connection-facts.ts'
import { dropNominated, replaceHost, screenHeaders } from './dropped-headers.ts'
import { type HeadLimits, headFault } from './head-fault.ts'
import type { Refusal } from './refusal.ts'
import type { SecureConnection } from './tls/secure-connection.ts'

/** How requests are read; fixed for the process. */
export interface FrontDoor {
  readonly limits: HeadLimits
  readonly target: TargetOptions
  readonly trusted: TrustedPeers
  readonly realIp: RealIpRule
  readonly bodyVariables: BodyVariableLimits
  /** Monotonic ms. */
  readonly monotonic: () => number
}

export interface OpenedRequest {
  readonly context: Context
  readonly tls: SecureConnection | undefined
  /** What routes are matched with; differs from the context's path only with `match_uri_encoded_slash`. */
  readonly matchPath: string
}

const NO_PATH: Refusal = { status: 400, reason: 'asterisk-form' }
const BAD_HOST: Refusal = { status: 400, reason: 'bad-host' }
/** HTTP/1.0 needs no Host. */
const NO_HOST: RequestHost = { host: '', port: undefined }

/** Reads a request's head into a context, or says why it is refused. */
export function openRequest(
  request: IncomingMessage,
  consumers: ConsumerLookup,
  door: FrontDoor,
): OpenedRequest | Refusal {
  const fault = headFault(request, door.limits)
  if (fault) return fault
  const rawTarget = request.url ?? ''
  const target = canonicalizeTarget(rawTarget, door.target)
  if (!target.ok) return { status: 400, reason: target.reason }
  if (target.form === 'asterisk') return NO_PATH
  const connection = connectionFacts(request.socket, door.trusted)
  // Node keeps the first of several Hosts; who is behind the gateway might keep the last.
  const hosts = screenHeaders(request.rawHeaders, connection.isTrusted)
  const host = hosts > 1 ? undefined : hostOf(request, target.authority)
  if (!host) return BAD_HOST
  return {
    context: contextOf(
      request,
      {
        target,
        rawTarget,
        host: host.host,
        rawHost: target.authority ?? request.headers.host ?? '',
        connection,
      },
      { consumers, door },
    ),
    tls: connection.tls,
    matchPath: target.matchPath,
  }
}

/** An absolute target wins over a Host that says otherwise, which must be sound all the same (RFC 9112 §3.2). */
function hostOf(request: IncomingMessage, authority: string | undefined): RequestHost | undefined {
  const sent = request.headers.host ?? ''
  const host = sent === '' && request.httpVersionMinor === 0 ? NO_HOST : parseHost(sent)
  if (authority === undefined || !host) return host
  replaceHost(request.rawHeaders, authority)
  return parseHost(authority)
}

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
    bodyVariables: door.bodyVariables,
    tls: connection.tls,
  })
}
