import type { Counter, Family, Histogram, PluginHost } from '../../src/plugin/api.ts'
import { type ExtraLabels, ExtraValues } from './extra-values.ts'

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

/** What the labels name that can be removed: their series go with it. */
const OWNERS = { route: 'routes', service: 'services', consumer: 'consumers', node: 'nodes' }

const HELP = {
  http_status: 'HTTP status codes per route',
  http_latency: 'HTTP request latency in milliseconds per route',
  bandwidth: 'Total bandwidth in bytes per route',
} as const

/** `plugin_attr.prometheus` with the defaults of its schema. */
export interface Attr {
  readonly metric_prefix: string
  readonly default_buckets: readonly number[]
  readonly max_series: number
  readonly max_label_values: number
  readonly metrics?: Partial<
    Record<MetricName, { readonly expire?: number; readonly extra_labels?: ExtraLabels }>
  >
}

/** The metrics of the plugin; the same for all its instances in one gateway. */
export interface Families {
  readonly http_status: Family<Counter>
  readonly http_latency: Family<Histogram>
  readonly bandwidth: Family<Counter>
  /** Values of the labels that the settings added; `undefined` where none were added to any metric. */
  readonly extras: ExtraValues | undefined
}

/** Finds or makes the families in the gateway's registry. */
export function declareFamilies({ metrics, attr: given }: Pick<PluginHost, 'metrics' | 'attr'>): Families {
  const attr = given as unknown as Attr
  const extraLabels = (metric: MetricName) => attr.metrics?.[metric]?.extra_labels ?? []
  const options = (metric: MetricName) => ({
    name: attr.metric_prefix + metric,
    help: HELP[metric],
    labels: [...LABELS[metric], ...extraLabels(metric).map((extra) => Object.keys(extra)[0]!)],
    owners: OWNERS,
    maxSeries: attr.max_series,
    maxLabelValues: attr.max_label_values,
    expireMs: (attr.metrics?.[metric]?.expire ?? 0) * 1000,
  })
  return {
    http_status: metrics.counter(options('http_status')),
    http_latency: metrics.histogram({ ...options('http_latency'), buckets: attr.default_buckets }),
    bandwidth: metrics.counter(options('bandwidth')),
    extras: ExtraValues.compile(Object.fromEntries(METRICS.map((metric) => [metric, extraLabels(metric)]))),
  }
}
