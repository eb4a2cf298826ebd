import type { FromSchema } from '../../src/plugin/api.ts'

export const schema = {
  type: 'object',
  properties: {
    prefer_name: {
      type: 'boolean',
      default: false,
      description: 'Label with the names of route and service instead of their ids, where they have one.',
    },
  },
} as const

export type PrometheusConfig = FromSchema<typeof schema>

const names = { type: 'array', items: { type: 'string' } } as const

export const metadataSchema = {
  type: 'object',
  properties: {
    disabled_labels: {
      type: 'object',
      properties: { http_status: names, http_latency: names, bandwidth: names },
      description: 'Labels to leave empty, by metric.',
    },
  },
} as const

const perMetric = {
  type: 'object',
  properties: {
    expire: {
      type: 'number',
      minimum: 0,
      default: 0,
      description: 'Seconds after which a series that has not changed is removed; 0 keeps it.',
    },
    extra_labels: {
      type: 'array',
      items: {
        type: 'object',
        minProperties: 1,
        maxProperties: 1,
        patternProperties: { '^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$': { type: 'string', minLength: 1 } },
        additionalProperties: false,
      },
      description: 'More labels, each `{name: "$variable"}`; values are cut after 256 characters.',
    },
  },
} as const

/** Bounds of the latency histogram in ms (contract §8.3). */
const DEFAULT_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000]

/** `plugin_attr.prometheus` (contract §8.3); where the exposition listens is read by the gateway itself. */
export const attrSchema = {
  type: 'object',
  properties: {
    export_uri: {
      type: 'string',
      default: '/apisix/prometheus/metrics',
      description: 'Path of the metrics, on their own listener or through `public-api`.',
    },
    enable_export_server: {
      type: 'boolean',
      default: true,
      description: 'Whether the metrics have a listener of their own; without it `public-api` serves them.',
    },
    metric_prefix: { type: 'string', default: 'apisix_', description: 'Begins the name of every metric.' },
    default_buckets: {
      type: 'array',
      minItems: 1,
      items: { type: 'number' },
      default: DEFAULT_BUCKETS,
      description: 'Upper bounds of the latency histogram, in ms.',
    },
    max_series: {
      type: 'integer',
      minimum: 1,
      default: 20_000,
      description: 'Most series of one metric; all others are one whose labels are `overflow`.',
    },
    max_label_values: {
      type: 'integer',
      minimum: 1,
      default: 5000,
      description: 'Most values of one label; others are `overflow` in that label.',
    },
    metrics: {
      type: 'object',
      properties: { http_status: perMetric, http_latency: perMetric, bandwidth: perMetric },
    },
  },
} as const
