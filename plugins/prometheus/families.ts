import {
  type Counter,
  compileTemplate,
  type Family,
  type Gauge,
  type Histogram,
  type PluginHost,
  type RequestContext,
  type Template,
} from '../../src/plugin/api.ts'

export const METRICS = ['http_status', 'http_latency', 'bandwidth'] as const
export type MetricName = (typeof METRICS)[number]

/** Labels in the order of contract §8.3. */
const COMMON = ['route', 'service', 'consumer', 'node', 'request_type', 'request_llm_model', 'llm_model']
export const LABELS: Readonly<Record<MetricName, readonly string[]>> = {
  http_status: [
    'code',
    'route',
    'matched_uri',
    'matched_host',
    'service',
    'consumer',
    'node',
    'request_type',
    'request_llm_model',
    'llm_model',
    'response_source',
  ],
  http_latency: ['type', ...COMMON],
  bandwidth: ['type', ...COMMON],
}

/** Bounds of the latency histogram in ms (contract §8.3). */
const DEFAULT_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000]
const HELP = {
  http_status: 'HTTP status codes per route',
  http_latency: 'HTTP request latency in milliseconds per route',
  bandwidth: 'Total bandwidth in bytes per route',
  http_requests_total: 'The total number of client requests',
} as const

type ExtraLabels = readonly Readonly<Record<string, string>>[]

interface Attr {
  readonly metric_prefix?: string
  readonly default_buckets?: readonly number[]
  readonly metrics?: Partial<Record<MetricName, { readonly extra_labels?: ExtraLabels }>>
}

/** The metrics of the plugin; the same for all its instances in one gateway. */
export interface Families {
  readonly http_status: Family<Counter>
  readonly http_latency: Family<Histogram>
  readonly bandwidth: Family<Counter>
  readonly requests: Gauge
  /** Values of the labels that the settings added, for one request; `undefined` where none were added to any metric. */
  readonly extraValues: ((metric: MetricName, context: RequestContext) => string[]) | undefined
}

/** Finds or makes the families in the gateway's registry. */
export function declareFamilies({ metrics, attr: given }: Pick<PluginHost, 'metrics' | 'attr'>): Families {
  const attr = given as Attr
  const prefix = attr.metric_prefix ?? 'apisix_'
  const extras = (metric: MetricName) => attr.metrics?.[metric]?.extra_labels ?? []
  const options = (metric: MetricName) => ({
    name: prefix + metric,
    help: HELP[metric],
    labels: [...LABELS[metric], ...extras(metric).map((extra) => Object.keys(extra)[0]!)],
  })
  const buckets = attr.default_buckets ?? DEFAULT_BUCKETS
  return {
    http_status: metrics.counter(options('http_status')),
    http_latency: metrics.histogram({ ...options('http_latency'), buckets }),
    bandwidth: metrics.counter(options('bandwidth')),
    requests: metrics
      .gauge({ name: `${prefix}http_requests_total`, help: HELP.http_requests_total, labels: [] })
      .labels(),
    extraValues: compileExtras(extras),
  }
}

function compileExtras(extras: (metric: MetricName) => ExtraLabels): Families['extraValues'] {
  const templates = Object.fromEntries(
    METRICS.map((metric) => [
      metric,
      extras(metric).map((extra) => compileTemplate(Object.values(extra)[0]!)),
    ]),
  ) as Record<MetricName, Template[]>
  if (METRICS.every((metric) => templates[metric].length === 0)) return undefined
  return (metric, context) => templates[metric].map((template) => template.render(context))
}
