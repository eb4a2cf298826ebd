import { definePlugin, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { type Attribute, SPAN_KIND_SERVER } from '../_shared/otlp/span.ts'
import { IdSource } from '../_shared/trace/id-source.ts'
import { type OwnEntry, ownState } from '../_shared/trace/own-state.ts'
import { readTraceparent, traceparentOf } from '../_shared/trace/traceparent.ts'
import { setVariables } from '../_shared/trace/variables.ts'
import { microsAt } from '../_shared/trace/wall-time.ts'
import { compileAttributes } from './attributes.ts'
import { Exporter } from './exporter.ts'
import { LiveSettings } from './live-settings.ts'
import { compileSampler } from './sampler.ts'
import { attrSchema, metadataSchema, type OpentelemetryConfig, type Settings, schema } from './schema.ts'

/** A span that has begun. */
interface OpenSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly traceState: string | undefined
  readonly attributes: readonly Attribute[]
}

const openSpan = requestSlot<OwnEntry<OpenSpan>>('opentelemetry')

const TRACE_ID = /^[0-9a-f]{32}$/
const ZERO = /^0+$/
const MAX_TRACE_STATE_LENGTH = 512

/** Traces requests for OpenTelemetry: a span for each, and its place in the trace for the upstream (contract §7.6). */
export default definePlugin<OpentelemetryConfig>({
  name: 'opentelemetry',
  priority: 12009,
  phases: ['rewrite', 'log'],
  schema,
  metadataSchema,
  attrSchema,
  compile(config, host) {
    const settings = new LiveSettings(host)
    const exporter = new Exporter(host, settings)
    const isSampled = compileSampler(config.sampler)
    const attributes = compileAttributes(config)
    const own = ownState(openSpan)
    const ids = new IdSource()
    return {
      rewrite(context) {
        const { headers } = context
        const parent = readTraceparent(headers)
        const traceId = parent?.traceId ?? newTraceId(context, settings.current, ids)
        const span = { traceId, spanId: ids.spanId(), isSampled: isSampled(traceId, parent) }
        headers.set('traceparent', traceparentOf(span))
        if (settings.current.set_ngx_var) setVariables(context, 'opentelemetry', span)
        // Belongs to a trace that nobody can tell (W3C Trace Context §4.3).
        if (!parent) headers.remove('tracestate')
        if (!span.isSampled) return
        own.set(context, {
          traceId,
          spanId: span.spanId,
          parentSpanId: parent?.spanId,
          traceState: parent && traceStateOf(context),
          attributes: attributes.begin(context),
        })
      },
      log(context) {
        const span = own.get(context)
        if (!span) return
        const { startedAt, totalMs } = context.stats
        const at = microsAt(host.clock, context)
        exporter.add({
          ...span,
          name: context.route ? `${context.method} ${context.route.uri}` : context.method,
          kind: SPAN_KIND_SERVER,
          startMicros: at(startedAt),
          endMicros: at(startedAt + totalMs),
          attributes: [...span.attributes, ...attributes.end(context)],
          error: errorOf(context),
        })
      },
    }
  },
})

function newTraceId(
  { headers }: RequestContext,
  { trace_id_source: source }: Settings,
  ids: IdSource,
): string {
  if (source === 'random') return ids.traceId()
  const id = headers.get('x-request-id')?.replaceAll('-', '').toLowerCase()
  return id !== undefined && TRACE_ID.test(id) && !ZERO.test(id) ? id : ids.traceId()
}

function traceStateOf({ headers }: RequestContext): string | undefined {
  const all = headers.all('tracestate').join(',')
  return all === '' || all.length > MAX_TRACE_STATE_LENGTH ? undefined : all
}

function errorOf(context: RequestContext): string | undefined {
  if (!context.hasResponse || context.response.status < 500) return undefined
  const { source, status } = context.response
  return source === 'upstream' ? `upstream response status: ${status}` : `response status: ${status}`
}
