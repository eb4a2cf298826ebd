import {
  definePlugin,
  type FromSchema,
  type InstanceHost,
  type Reply,
  requestSlot,
} from '../../src/plugin/api.ts'
import { type Batch, type BatchOptions, createBatch } from '../_shared/batch/batch.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { postEntries } from '../_shared/sink/http-sink.ts'
import { IdSource } from '../_shared/trace/id-source.ts'
import { type OwnEntry, ownState } from '../_shared/trace/own-state.ts'
import { setVariables } from '../_shared/trace/variables.ts'
import { readB3, writeB3, writeUnsampled } from './b3.ts'
import { reportText } from './report.ts'
import { SPAN_TREES, Trace } from './trace.ts'

const schema = {
  type: 'object',
  properties: {
    endpoint: {
      type: 'string',
      description: 'URL that spans are posted to, such as `http://127.0.0.1:9411/api/v2/spans`.',
    },
    sample_ratio: {
      type: 'number',
      minimum: 0.00001,
      maximum: 1,
      description: 'Share of the requests that are traced when their headers do not decide.',
    },
    service_name: {
      type: 'string',
      default: 'APISIX',
      description: 'Name of the service that spans are of.',
    },
    server_addr: {
      type: 'string',
      pattern: '^[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}$',
      description: 'IPv4 address of the gateway in spans, instead of the one that the client reached.',
    },
    span_version: {
      type: 'integer',
      enum: [1, 2],
      default: 2,
      description: '1: spans by phase; 2: spans up to the response and from there.',
    },
  },
  required: ['endpoint', 'sample_ratio'],
} as const

type Config = FromSchema<typeof schema>

const attrSchema = {
  type: 'object',
  properties: {
    set_ngx_var: {
      type: 'boolean',
      default: false,
      description: 'Set the variables `zipkin_context_traceparent`, `zipkin_trace_id` and `zipkin_span_id`.',
    },
  },
} as const

const openTrace = requestSlot<OwnEntry<Trace>>('zipkin')
const INVALID: Reply = { status: 400 }
const TIMEOUT_MS = 5000
/** Of requests; each has two to five spans. */
const BATCH: BatchOptions = {
  maxEntries: 500,
  inactiveMs: 5000,
  durationMs: 60_000,
  maxRetries: 2,
  retryDelayMs: 1000,
  maxPending: () => 8192,
}

/** Traces requests for Zipkin, with B3 headers toward the upstream (contract §7.6). */
export default definePlugin<Config>({
  name: 'zipkin',
  priority: 12011,
  phases: ['rewrite', 'access', 'headerFilter', 'log'],
  schema,
  attrSchema,
  check: (config) => checkServiceUrl(config.endpoint, 'endpoint'),
  compile(config, host) {
    const { sample_ratio: ratio, service_name: serviceName, server_addr: serverAddr } = config
    const batch = openBatch(config.endpoint, host)
    const spansOf = SPAN_TREES[config.span_version]
    const own = ownState(openTrace)
    const ids = new IdSource()
    const setsVariables = host.attr['set_ngx_var'] === true
    return {
      rewrite(context) {
        const b3 = readB3(context.headers)
        if (b3 === 'invalid') return INVALID
        const isSampled = b3.isSampled ?? ids.fraction() < ratio
        const trace = isSampled || setsVariables ? new Trace(b3, ids) : undefined
        if (trace && setsVariables) {
          const { traceId, requestSpanId: spanId } = trace
          setVariables(context, 'zipkin', { traceId, spanId, isSampled })
        }
        if (trace && isSampled) {
          own.set(context, trace)
          writeB3(context.headers, trace)
        } else writeUnsampled(context.headers, b3)
        return undefined
      },
      access(context) {
        const trace = own.get(context)
        if (trace) trace.accessAt = host.clock.monotonic()
      },
      headerFilter(context) {
        const trace = own.get(context)
        if (trace) trace.headerFilterAt = host.clock.monotonic()
      },
      log(context) {
        const trace = own.get(context)
        if (!trace) return
        const options = { serviceName, serverAddr, clock: host.clock }
        const text = reportText(spansOf(trace, context, ids), { trace, context }, options)
        batch.push(text, text.length)
      },
    }
  },
})

function openBatch(url: string, host: InstanceHost): Batch<string> {
  return createBatch<string>({
    name: 'zipkin',
    host,
    options: BATCH,
    send: (spans, signal) =>
      postEntries(host.http, {
        url,
        headers: { 'Content-Type': 'application/json' },
        body: `[${spans.join(',')}]`,
        timeoutMs: TIMEOUT_MS,
        failsFrom: 300,
        signal,
      }),
  })
}
