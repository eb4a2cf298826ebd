import type { RequestContext } from '../../../src/plugin/api.ts'
import { type TraceParent, traceparentOf } from './traceparent.ts'

const TRACE_ID_LENGTH = 32

/** APISIX's `set_ngx_var`: the place of a request in its trace as variables that begin with the plugin's name. */
export function setVariables(
  context: RequestContext,
  plugin: 'opentelemetry' | 'zipkin',
  span: TraceParent,
): void {
  const { traceId, spanId } = span
  const parent = traceparentOf({ ...span, traceId: traceId.padStart(TRACE_ID_LENGTH, '0') })
  context.setVariable(`${plugin}_context_traceparent`, parent)
  context.setVariable(`${plugin}_trace_id`, traceId)
  context.setVariable(`${plugin}_span_id`, spanId)
}
