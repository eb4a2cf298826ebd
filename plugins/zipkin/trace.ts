import type { RequestContext } from '../../src/plugin/api.ts'
import type { IdSource } from '../_shared/trace/id-source.ts'
import type { B3 } from './b3.ts'

/** A request that is traced: its ids, and when it reached which phase, in monotonic ms. */
export class Trace {
  readonly traceId: string
  /** Of the client's span, if there is one. */
  readonly clientSpanId: string | undefined
  readonly requestSpanId: string
  /** The one that the upstream's spans belong under. */
  readonly proxySpanId: string
  readonly isDebug: boolean
  accessAt: number | undefined = undefined
  headerFilterAt: number | undefined = undefined

  constructor({ ids: given, isDebug }: B3, ids: IdSource) {
    this.traceId = given?.traceId ?? ids.traceId()
    this.clientSpanId = given?.spanId
    this.requestSpanId = ids.spanId()
    this.proxySpanId = ids.spanId()
    this.isDebug = isDebug
  }
}

/** One span, with times in monotonic ms. */
export interface SpanTimes {
  readonly name: string
  readonly id: string
  readonly parentId: string | undefined
  readonly startMs: number
  readonly endMs: number
}

/** The spans of a finished request, the one that holds all others first. */
export type SpanTree = (trace: Trace, context: RequestContext, ids: IdSource) => SpanTimes[]

/** APISIX's trees by `span_version`: 2 has what the client sees, 1 has the phases. */
export const SPAN_TREES: Readonly<Record<1 | 2, SpanTree>> = { 1: phaseTree, 2: responseTree }

/** request ⊃ proxy (up to the header filter), response (from there). */
function responseTree(trace: Trace, context: RequestContext, ids: IdSource): SpanTimes[] {
  const { startedAt: startMs } = context.stats
  const endMs = endOf(context)
  const { headerFilterAt } = trace
  const parentId = trace.requestSpanId
  const spans: SpanTimes[] = [
    { name: 'apisix.request', id: trace.requestSpanId, parentId: trace.clientSpanId, startMs, endMs },
    { name: 'apisix.proxy', id: trace.proxySpanId, parentId, startMs, endMs: headerFilterAt ?? endMs },
  ]
  if (headerFilterAt !== undefined) {
    spans.push({ name: 'apisix.response_span', id: ids.spanId(), parentId, startMs: headerFilterAt, endMs })
  }
  return spans
}

/** request ⊃ rewrite, access, proxy ⊃ body_filter; a phase that was not reached has no span. */
function phaseTree(trace: Trace, context: RequestContext, ids: IdSource): SpanTimes[] {
  const { startedAt: startMs, upstreamStartedAt } = context.stats
  const endMs = endOf(context)
  const parentId = trace.requestSpanId
  const { accessAt, headerFilterAt } = trace
  const rewriteEnd = accessAt ?? headerFilterAt ?? endMs
  const spans: SpanTimes[] = [
    { name: 'apisix.request', id: trace.requestSpanId, parentId: trace.clientSpanId, startMs, endMs },
    { name: 'apisix.rewrite', id: ids.spanId(), parentId, startMs, endMs: rewriteEnd },
  ]
  if (accessAt === undefined) return spans
  const proxyAt = upstreamStartedAt > 0 ? upstreamStartedAt : undefined
  const accessEnd = proxyAt ?? headerFilterAt ?? endMs
  spans.push({ name: 'apisix.access', id: ids.spanId(), parentId, startMs: accessAt, endMs: accessEnd })
  if (proxyAt === undefined) return spans
  spans.push({ name: 'apisix.proxy', id: trace.proxySpanId, parentId, startMs: proxyAt, endMs })
  if (headerFilterAt === undefined) return spans
  const inside = { parentId: trace.proxySpanId, startMs: headerFilterAt, endMs }
  spans.push({ name: 'apisix.body_filter', id: ids.spanId(), ...inside })
  return spans
}

function endOf({ stats }: RequestContext): number {
  return stats.startedAt + stats.totalMs
}
