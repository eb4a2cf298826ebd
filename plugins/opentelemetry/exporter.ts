import { hostname } from 'node:os'
import { VERSION } from '../../src/lib/version.ts'
import type { InstanceHost } from '../../src/plugin/api.ts'
import { type Batch, type BatchOptions, createBatch } from '../_shared/batch/batch.ts'
import { BatchSendError, type Unsendable } from '../_shared/batch/send-error.ts'
import { readPartialSuccess } from '../_shared/otlp/partial-success.ts'
import { ProtoWriter } from '../_shared/otlp/proto-writer.ts'
import {
  type Attribute,
  encodeRequest,
  encodeSpan,
  type SpanRecord,
  type SpanSource,
} from '../_shared/otlp/span.ts'
import type { LiveSettings } from './live-settings.ts'
import type { Settings } from './schema.ts'

const SCOPE = { name: 'gatewright/opentelemetry', version: VERSION }
const DEFAULT_PATH = '/v1/traces'
/** Further attempts after one that failed, a second apart. */
const RETRIES = 2
const RETRY_DELAY_MS = 1000
/** What a collector may take later; after any other failure the same must not be sent again (OTLP, "Failures" of OTLP/HTTP). */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** Sends spans to the collector over OTLP/HTTP, in protobuf. */
export class Exporter {
  readonly #batch: Batch<Uint8Array>
  readonly #writer = new ProtoWriter()

  constructor(host: InstanceHost, settings: LiveSettings) {
    this.#batch = createBatch<Uint8Array>({
      name: 'opentelemetry',
      host,
      options: batchOptions(settings),
      send: (spans, signal) => send(host, settings.current, { spans, signal }),
    })
  }

  /** Encodes at once, so that nothing of the request is kept. */
  add(span: SpanRecord): void {
    const bytes = encodeSpan(this.#writer, span)
    this.#batch.push(bytes, bytes.length)
  }
}

/** Read whenever they are needed, because the metadata may have changed. */
function batchOptions(settings: LiveSettings): BatchOptions {
  const processor = () => settings.current.batch_span_processor
  return {
    get maxEntries() {
      return processor().max_export_batch_size
    },
    get inactiveMs() {
      return processor().inactive_timeout * 1000
    },
    get durationMs() {
      return processor().batch_timeout * 1000
    },
    maxRetries: RETRIES,
    retryDelayMs: RETRY_DELAY_MS,
    maxPending: () => processor().max_queue_size,
  }
}

async function send(
  { http }: InstanceHost,
  { collector, resource }: Settings,
  { spans, signal }: { readonly spans: readonly Uint8Array[]; readonly signal: AbortSignal },
): Promise<Unsendable | undefined> {
  const url = collectorUrl(collector.address)
  if (!url) {
    const reason = `collector.address "${collector.address}" is no address; use host:port, or a URL with http: or https:`
    throw new BatchSendError(reason, 0, spans.length)
  }
  const { status, body } = await http.call({
    url,
    method: 'POST',
    headers: { ...textValues(collector.request_headers), 'Content-Type': 'application/x-protobuf' },
    body: encodeRequest(spans, sourceOf(resource)),
    timeoutMs: collector.request_timeout * 1000,
    tls: { verify: collector.ssl_verify },
    isRepeatable: true,
    signal,
  })
  if (status < 200 || status > 299) {
    const reason = `${new URL(url).origin}: answered with status ${status}`
    throw new BatchSendError(reason, 0, PASSING.has(status) ? 0 : spans.length)
  }
  const partial = readPartialSuccess(body)
  if (!partial) return undefined
  const { rejectedSpans, message } = partial
  return {
    unsendable: Math.min(rejectedSpans, spans.length),
    reason: new Error(`the collector did not take ${rejectedSpans} spans: ${message.slice(0, 200)}`),
  }
}

function collectorUrl(address: string): string | undefined {
  const text = /^https?:\/\//.test(address) ? address : `http://${address}`
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.pathname === '/') url.pathname = DEFAULT_PATH
  return url.href
}

function sourceOf(given: Settings['resource']): SpanSource {
  const resource: Attribute[] = [['hostname', hostname()]]
  if (given['service.name'] === undefined) resource.push(['service.name', 'APISIX'])
  resource.push(...Object.entries(given))
  return { resource, scope: SCOPE }
}

function textValues(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
