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
    expire: { type: 'number', enum: [0], description: 'Series do not expire; only 0 is accepted.' },
    extra_labels: {
      type: 'array',
      items: {
        type: 'object',
        minProperties: 1,
        maxProperties: 1,
        patternProperties: { '^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$': { type: 'string', minLength: 1 } },
        additionalProperties: false,
      },
      description: 'More labels, each `{name: "$variable"}`.',
    },
  },
} as const

/** `plugin_attr.prometheus` (contract §8.3); where the exposition listens is read by the gateway itself. */
export const attrSchema = {
  type: 'object',
  properties: {
    metric_prefix: { type: 'string', default: 'apisix_', description: 'Begins the name of every metric.' },
    default_buckets: {
      type: 'array',
      minItems: 1,
      items: { type: 'number' },
      description: 'Upper bounds of the latency histogram, in ms.',
    },
    metrics: {
      type: 'object',
      properties: { http_status: perMetric, http_latency: perMetric, bandwidth: perMetric },
    },
  },
} as const
