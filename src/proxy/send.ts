import { isSocketPath } from '../lib/socket-path.ts'
import { serverNameOf } from '../upstream/server-name-pools.ts'
import {
  formatAddress,
  isHttp2Scheme,
  isSchemePort,
  isTlsScheme,
  nodeName,
  type TimeoutsMs,
} from '../upstream/spec.ts'
import type { ResponseSink, Sending } from '../upstream/transport.ts'
import type { UpstreamNode, UpstreamState } from '../upstream/upstream.ts'
import type { Exchange } from './exchange.ts'
import { upstreamHeaders } from './headers.ts'
import { outgoingBody } from './outgoing-body.ts'
import { announceTrailers } from './trailers.ts'
import { askingHeaders, askToSwitch } from './upgrade.ts'

/** What an attempt is made with. */
export interface AttemptTarget {
  readonly node: UpstreamNode
  readonly state: UpstreamState
  readonly needsFreshConnection: boolean
}

/**
 * Sends one attempt to a node. What comes of it is told to `sink`, never before this returns. Throws when the request, as plugins
 * left it, cannot be written.
 */
export function sendAttempt(
  exchange: Exchange,
  { node, state, needsFreshConnection }: AttemptTarget,
  sink: ResponseSink,
): Sending {
  const { context } = exchange
  // HTTP/2 has no Upgrade.
  const upgrade = isHttp2Scheme(state.spec.scheme) ? undefined : exchange.upgrade
  const host = hostFor(exchange, node, state)
  const { connectMs, sendMs, readMs } = timeoutsOf(exchange, state)
  context.sentHost = host
  const headers = upstreamHeaders(context, host)
  if (upgrade === undefined) announceTrailers(exchange, headers)
  context.upstreamScheme = state.spec.scheme
  return node.pool.send(
    {
      method: context.upstream.method,
      target: context.upstream.target,
      headers: upgrade === undefined ? headers : askingHeaders(headers, upgrade),
      serverName: isTlsScheme(state.spec.scheme) ? serverNameOf(host) : undefined,
      body: outgoingBody(exchange),
      connectMs,
      sendMs,
      readMs,
      needsFreshConnection,
      upgrade: upgrade === undefined ? undefined : askToSwitch(exchange, { protocol: upgrade, readMs, sink }),
    },
    sink,
  )
}

/** The route's timeouts win over the upstream's (contract §5.5). */
function timeoutsOf(exchange: Exchange, state: UpstreamState): TimeoutsMs {
  return exchange.plan?.timeouts ?? state.spec.timeouts
}

/** `pass_host` of contract §5.1; a plugin's own host wins. */
function hostFor({ context }: Exchange, node: UpstreamNode, { spec }: UpstreamState): string {
  if (context.upstream.host !== undefined) return context.upstream.host
  if (spec.passHost === 'rewrite') return spec.upstreamHost ?? context.rawHost
  if (spec.passHost === 'pass' && context.rawHost !== '') return context.rawHost
  const name = nodeName(node)
  if (isSocketPath(node.host)) return name
  if (!isSchemePort(spec.scheme, node.port)) return formatAddress(name, node.port)
  return name.includes(':') ? `[${name}]` : name
}
