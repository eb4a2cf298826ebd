import type { IncomingMessage } from 'node:http'
import { ConnectionGate } from '../http/connection-gate.ts'
import type { CutObserver } from '../http/h2/door.ts'
import type { LeaveObserver } from '../http/leave.ts'
import type { FrontDoor } from '../http/open.ts'
import type { ListenerLimits } from '../http/proxy-app.ts'
import type { RefusalObserver, RefusedRequest } from '../http/refusal.ts'
import type { HandshakeObserver } from '../http/tls/handshake-failure.ts'
import { createIpSet } from '../lib/ip-set.ts'
import type { AccessLog, LoggedRequest } from '../observe/access-log.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { BodyLimits } from '../proxy/request-body.ts'
import type { Settings } from '../settings/settings.ts'
import type { Environment } from './environment.ts'

const MEGABYTE = 1024 * 1024

/** How the settings say that requests are read. */
export function frontDoor({ apisix, nginx_config, gatewright, graphql }: Settings): FrontDoor {
  const { real_ip_header, real_ip_from, real_ip_recursive, client_max_body_size } = nginx_config.http
  const realIp = createIpSet(real_ip_from.filter((address) => address !== 'unix:'))
  return {
    limits: {
      uriBytes: gatewright.limits.max_uri_bytes,
      headers: gatewright.limits.max_headers,
      bodyBytes: client_max_body_size || Number.MAX_SAFE_INTEGER,
    },
    target: {
      deleteTailSlash: apisix.delete_uri_tail_slash,
      servletNormalize: apisix.normalize_uri_like_servlet,
      encodedSlash: apisix.match_uri_encoded_slash,
    },
    trusted: { forwarded: createIpSet(apisix.trusted_addresses), realIp },
    realIp: {
      header: real_ip_header.toLowerCase(),
      isRecursive: real_ip_recursive === 'on',
      isBelieved: (address) => realIp.has(address),
    },
    bodyVariables: {
      postArgBytes: apisix.max_post_args_readable_size * MEGABYTE,
      graphqlBytes: graphql.max_size,
    },
    monotonic: () => performance.now(),
  }
}

export function listenerLimits({ nginx_config: { http }, gatewright: { limits } }: Settings): ListenerLimits {
  return {
    headBytes: limits.max_header_bytes,
    headers: limits.max_headers,
    headersTimeoutMs: http.client_header_timeout,
    keepAliveTimeoutMs: http.keepalive_timeout,
    keepAliveRequests: http.keepalive_requests,
    sendTimeoutMs: http.send_timeout,
    connectionDurationMs: limits.max_connection_duration_ms,
  }
}

export function bodyLimits({ nginx_config: { http }, gatewright: { limits } }: Settings): BodyLimits {
  return {
    stallMs: http.client_body_timeout,
    discardMs: http.client_body_timeout,
    bytes: http.client_max_body_size || Number.MAX_SAFE_INTEGER,
    minRate: limits.min_body_rate,
  }
}

/** The one count of connections that all proxy listeners share. */
export function connectionGate({ settings, metrics }: Environment, { trusted }: FrontDoor): ConnectionGate {
  const { max_connections, max_connections_per_client } = settings.gatewright.limits
  const refused = metrics.counter({
    name: 'gatewright_refused_connections_total',
    help: 'Connections closed because there were too many: of all clients, or of one',
    labels: ['reason'],
  })
  const gate = new ConnectionGate(
    {
      connections: max_connections || Number.POSITIVE_INFINITY,
      perClient: max_connections_per_client || Number.POSITIVE_INFINITY,
      isProxy: (address) => trusted.forwarded.has(address) || trusted.realIp.has(address),
    },
    (reason) => refused.labels(reason).inc(),
  )
  const open = metrics.gauge({
    name: 'gatewright_client_connections',
    help: 'Connections of clients, over all proxy listeners',
    labels: [],
  })
  metrics.beforeCollect(() => open.labels().set(gate.open))
  return gate
}

/** Counts what is refused, and tells the logs. */
export function refusalObserver(
  { metrics, logger }: Environment,
  accessLog: AccessLog | undefined,
): RefusalObserver {
  const refusals = metrics.counter({
    name: 'gatewright_refused_requests_total',
    help: 'Requests answered at the door, without route or plugin',
    labels: ['reason'],
  })
  return (refused) => {
    const { status, reason, peerAddr, isLogged, isOneOfMany } = refused
    refusals.labels(reason).inc()
    if (isOneOfMany !== true) logger.info({ peer: peerAddr, status, reason }, 'a request was refused')
    if (isLogged !== true) accessLog?.write(loggedRefusal(refused))
  }
}

/** Counts HTTP/2 connections that are cut for what their client sends. */
export function http2CutObserver(metrics: MetricRegistry): CutObserver {
  const cuts = metrics.counter({
    name: 'gatewright_http2_cut_connections_total',
    help: 'HTTP/2 connections ended because of floods or errors in their frames',
    labels: ['reason'],
  })
  return (reason) => cuts.labels(reason).inc()
}

/** Counts connections whose clients are told to connect anew. */
export function leaveObserver(metrics: MetricRegistry): LeaveObserver {
  const leaving = metrics.counter({
    name: 'gatewright_drained_connections_total',
    help: 'Connections of clients that were let go because of their age, or of another certificate',
    labels: ['reason'],
  })
  return (reason) => leaving.labels(reason).inc()
}

/** Counts TLS handshakes that came to nothing. */
export function handshakeObserver(metrics: MetricRegistry): HandshakeObserver {
  const failures = metrics.counter({
    name: 'gatewright_tls_handshake_failures_total',
    help: 'TLS handshakes of clients that were refused or broke off',
    labels: ['reason'],
  })
  return (reason) => failures.labels(reason).inc()
}

/** A line of the access log for what has no context; `-` where nothing could be read. */
function loggedRefusal({ request, status, peerAddr }: RefusedRequest): LoggedRequest {
  return {
    remoteAddr: peerAddr,
    method: request?.method ?? '-',
    rawTarget: request?.url ?? '-',
    httpVersion: request?.httpVersion ?? '-',
    rawHost: request?.headers.host ?? '-',
    headers: { get: (name) => headerOf(request, name) },
    upstream: { target: '' },
    upstreamScheme: undefined,
    sentHost: undefined,
    node: undefined,
    upstreamStatuses: undefined,
    response: { status },
    stats: { responseBodyBytes: 0, totalMs: 0, upstreamMs: undefined },
  }
}

function headerOf(request: IncomingMessage | undefined, name: string): string | undefined {
  const value = request?.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
