import { isIPv6 } from 'node:net'
import { type Clock, type RequestContext, variableText } from '../../src/plugin/api.ts'
import { microsAt } from '../_shared/trace/wall-time.ts'
import type { SpanTimes, Trace } from './trace.ts'

interface Endpoint {
  readonly serviceName?: string
  readonly ipv4?: string
  readonly ipv6?: string
  readonly port?: number
}

interface Annotation {
  readonly timestamp: number
  readonly value: string
}

/** A span in Zipkin's v2 JSON. */
interface ReportedSpan {
  readonly traceId: string
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly kind?: 'CLIENT' | 'SERVER'
  /** Microseconds since the epoch. */
  readonly timestamp: number
  /** Microseconds, at least 1. */
  readonly duration: number
  readonly debug?: true
  readonly localEndpoint: Endpoint
  readonly remoteEndpoint?: Endpoint
  readonly tags?: Readonly<Record<string, string>>
  readonly annotations?: readonly Annotation[]
}

export interface ReportOptions {
  readonly serviceName: string
  /** Instead of the address that the client reached. */
  readonly serverAddr: string | undefined
  readonly clock: Clock
}

/** The spans of one request as Zipkin takes them, in JSON without the brackets of the list around them. */
export function reportText(
  spans: readonly SpanTimes[],
  { trace, context }: { readonly trace: Trace; readonly context: RequestContext },
  options: ReportOptions,
): string {
  const toMicros = microsAt(options.clock, context)
  const local = localEndpoint(context, options)
  const report = ({ name, id, parentId, startMs, endMs }: SpanTimes): ReportedSpan => {
    const timestamp = toMicros(startMs)
    return {
      traceId: trace.traceId,
      id,
      ...(parentId !== undefined && { parentId }),
      name,
      timestamp,
      duration: Math.max(1, toMicros(endMs) - timestamp),
      ...(trace.isDebug && { debug: true as const }),
      localEndpoint: local,
      ...(id === trace.requestSpanId && clientSide(trace, context, toMicros)),
      ...(id === trace.proxySpanId && nodeSide(context)),
    }
  }
  return spans.map((span) => JSON.stringify(report(span))).join(',')
}

/** What the span of the whole request has beside the others. */
function clientSide(trace: Trace, context: RequestContext, toMicros: (ms: number) => number) {
  const { startedAt } = context.stats
  const reached: readonly (readonly [phase: string, atMs: number | undefined])[] = [
    ['rewrite', startedAt],
    ['access', trace.accessAt],
    ['header_filter', trace.headerFilterAt],
  ]
  return {
    kind: 'SERVER' as const,
    remoteEndpoint: endpoint(context.remoteAddr, context.remotePort),
    tags: {
      component: 'apisix',
      'http.method': context.method,
      'http.url': context.requestUri,
      ...(context.hasResponse && { 'http.status_code': String(context.response.status) }),
    },
    annotations: reached.flatMap(([phase, atMs]) =>
      atMs === undefined ? [] : [{ timestamp: toMicros(atMs), value: `apisix.${phase}` }],
    ),
  }
}

function nodeSide({ node }: RequestContext): Pick<ReportedSpan, 'kind' | 'remoteEndpoint'> {
  return node ? { kind: 'CLIENT', remoteEndpoint: endpoint(node.host, node.port) } : {}
}

function localEndpoint(context: RequestContext, { serviceName, serverAddr }: ReportOptions): Endpoint {
  const address = serverAddr ?? variableText(context.var('server_addr')) ?? ''
  const port = Number(context.var('server_port') ?? 0)
  return { serviceName, ...endpoint(address, port) }
}

function endpoint(address: string, port: number): Endpoint {
  return { ...(isIPv6(address) ? { ipv6: address } : { ipv4: address }), port }
}
