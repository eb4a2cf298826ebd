import type { FromSchema, Schema } from '../../src/plugin/api.ts'

const fraction = {
  type: 'number',
  minimum: 0,
  maximum: 1,
  default: 0,
  description: 'Share of traces that `trace_id_ratio` samples.',
} as const

const rootSampler = {
  type: 'object',
  default: { name: 'always_off', options: { fraction: 0 } },
  description: 'For `parent_base`: what decides when a request belongs to no trace yet.',
  properties: {
    name: { type: 'string', enum: ['always_on', 'always_off', 'trace_id_ratio'], default: 'always_off' },
    options: { type: 'object', default: { fraction: 0 }, properties: { fraction } },
  },
} as const

const names = { type: 'array', items: { type: 'string', minLength: 1 } } as const

export const schema = {
  type: 'object',
  properties: {
    sampler: {
      type: 'object',
      default: {},
      description: 'Which requests are traced.',
      properties: {
        name: {
          type: 'string',
          enum: ['always_on', 'always_off', 'trace_id_ratio', 'parent_base'],
          default: 'always_off',
          description: '`parent_base` does as the trace that the request belongs to.',
        },
        options: { type: 'object', default: {}, properties: { fraction, root: rootSampler } },
      },
    },
    additional_attributes: {
      ...names,
      description:
        'Variables that become attributes under their names, such as `http_x_tenant` or `consumer_name`.',
    },
    additional_header_prefix_attributes: {
      ...names,
      description:
        'Headers of the client that become attributes: a name, or a beginning of names followed by `*`.',
    },
  },
} as const

export type OpentelemetryConfig = FromSchema<typeof schema>

const SETTINGS = {
  trace_id_source: {
    type: 'string',
    enum: ['x-request-id', 'random'],
    default: 'random',
    description:
      'Where the id of a new trace comes from; an `X-Request-Id` that is not 32 hexadecimal digits is not used.',
  },
  resource: {
    type: 'object',
    default: {},
    additionalProperties: { type: ['boolean', 'number', 'string'] },
    description: 'Attributes of the gateway; `service.name` is `APISIX` unless it is given.',
  },
  collector: {
    type: 'object',
    default: {},
    description: 'Where spans are sent.',
    properties: {
      address: {
        type: 'string',
        default: '127.0.0.1:4318',
        pattern: '^(https?://)?[^/?#@\\s]+(/[^?#\\s]*)?$',
        description:
          '`host:port`, with `http://` or `https://` before it and a path behind it where these are not `http` and `/v1/traces`.',
      },
      request_timeout: { type: 'integer', minimum: 1, default: 3, description: 'Seconds.' },
      request_headers: {
        type: 'object',
        default: {},
        additionalProperties: { type: ['boolean', 'number', 'string'] },
        description: 'Headers of the requests to the collector.',
      },
      ssl_verify: {
        type: 'boolean',
        default: true,
        description: 'Whether the certificate of the collector is checked.',
      },
    },
  },
  set_ngx_var: {
    type: 'boolean',
    default: false,
    description:
      'Set the variables `opentelemetry_context_traceparent`, `opentelemetry_trace_id` and `opentelemetry_span_id`.',
  },
  batch_span_processor: {
    type: 'object',
    default: {},
    description: 'How spans wait for each other. They never hold up a request.',
    properties: {
      drop_on_queue_full: {
        type: 'boolean',
        default: true,
        description: 'Spans that find no room are always dropped and counted; `false` has no effect.',
      },
      max_queue_size: { type: 'integer', minimum: 1, default: 2048, description: 'Most spans that wait.' },
      batch_timeout: {
        type: 'number',
        exclusiveMinimum: 0,
        default: 5,
        description: 'Longest time in seconds that a span waits for others.',
      },
      inactive_timeout: {
        type: 'number',
        exclusiveMinimum: 0,
        default: 2,
        description: 'What waits is sent when no span has come for so many seconds.',
      },
      max_export_batch_size: {
        type: 'integer',
        minimum: 1,
        default: 256,
        description: 'Most spans of one request to the collector.',
      },
    },
  },
} as const

/** What `plugin_attr` and the metadata say together. */
export interface Settings {
  readonly trace_id_source: 'x-request-id' | 'random'
  readonly resource: Readonly<Record<string, boolean | number | string>>
  readonly collector: {
    readonly address: string
    readonly request_timeout: number
    readonly request_headers: Readonly<Record<string, boolean | number | string>>
    readonly ssl_verify: boolean
  }
  readonly set_ngx_var: boolean
  readonly batch_span_processor: {
    readonly max_queue_size: number
    readonly batch_timeout: number
    readonly inactive_timeout: number
    readonly max_export_batch_size: number
  }
}

export const attrSchema = { type: 'object', properties: SETTINGS } as const

/** The same keys without their defaults: what the metadata leaves out is as the settings have it. */
export const metadataSchema: Schema = withoutDefaults(attrSchema) as Schema

function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== 'default')
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutDefaults(inner)]))
}
