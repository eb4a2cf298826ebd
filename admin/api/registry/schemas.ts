const NAMES = { type: 'object', additionalProperties: { type: 'string' }, default: {} } as const
const VERSION = { type: 'string', maxLength: 128 } as const
const PERCENT = { type: 'number', minimum: 0 } as const
const COUNT = { type: 'integer', minimum: 0 } as const
const WORD = { type: 'string', minLength: 1, maxLength: 128 } as const

/** Body of `PUT /nodes/{node_id}`. */
export const nodeSchema = {
  type: 'object',
  properties: {
    node_id: WORD,
    endpoint: { type: 'string', minLength: 1, maxLength: 512 },
    protocol: { type: 'string', enum: ['http', 'https', 'grpc', 'grpcs', 'ws'], default: 'http' },
    zone: { type: 'string', maxLength: 128 },
    version: VERSION,
    capacity: COUNT,
    labels: NAMES,
    status: { type: 'string', enum: ['initializing', 'running'] },
    ttl_s: { type: 'integer', minimum: 2, maximum: 300 },
  },
  required: ['endpoint'],
  additionalProperties: false,
} as const

/** Body of `PUT /agents/{type}/{key}` and `POST /agents/{type}`. */
export const agentSchema = {
  type: 'object',
  properties: {
    node_id: WORD,
    endpoint: { type: 'string', minLength: 1, maxLength: 512 },
    weight: { type: 'integer', minimum: 0, maximum: 1_000_000 },
    priority: { type: 'integer', minimum: -1000, maximum: 1000, default: 0 },
    capabilities: {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 128 },
      maxItems: 256,
      default: [],
    },
    metadata: { type: 'object', default: {} },
    version: VERSION,
    health_check: { type: 'object' },
  },
  required: ['node_id'],
  additionalProperties: false,
} as const

/** Body of `PUT /nodes/{node_id}/heartbeat`. */
export const heartbeatSchema = {
  type: 'object',
  properties: {
    node_id: WORD,
    timestamp: {},
    status: { type: 'string', enum: ['initializing', 'running', 'degraded', 'draining'] },
    metrics: {
      type: 'object',
      properties: {
        cpu_usage: PERCENT,
        memory_usage: PERCENT,
        messages_processed: COUNT,
        messages_failed: COUNT,
        average_processing_time: PERCENT,
        active_connections: COUNT,
      },
      additionalProperties: false,
    },
    agents: { type: 'array', items: { type: 'string', maxLength: 129 }, maxItems: 10_000 },
  },
  additionalProperties: false,
} as const

/** Body of `POST /select/{type}`. */
export const selectSchema = {
  type: 'object',
  properties: {
    strategy: { type: 'string', default: 'roundrobin' },
    hash_key: { type: 'string', default: '' },
    exclude: { type: 'array', items: { type: 'string' }, maxItems: 10_000, default: [] },
  },
  additionalProperties: false,
} as const
