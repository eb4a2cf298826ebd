import { certificate, described, host, id, privateKey, timeout } from './definitions.ts'
import { checks } from './health-check.ts'

const weight = { type: 'integer', minimum: 0 } as const

const nodes = {
  anyOf: [
    { type: 'object', description: '"host:port" to weight', patternProperties: { '.*': weight } },
    {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          host,
          port: { type: 'integer', minimum: 1, maximum: 65535 },
          weight,
          priority: { type: 'integer', default: 0 },
          metadata: { type: 'object' },
        },
        required: ['host', 'weight'],
      },
    },
  ],
} as const

const keepalivePool = {
  type: 'object',
  properties: {
    size: { type: 'integer', minimum: 1, default: 320 },
    idle_timeout: { type: 'number', minimum: 0, default: 60, description: 'seconds' },
    requests: { type: 'integer', minimum: 1, default: 1000 },
  },
} as const

const tls = {
  type: 'object',
  properties: {
    client_cert_id: id,
    client_cert: certificate,
    client_key: privateKey,
    verify: { type: 'boolean', default: false },
  },
  dependencies: {
    client_cert: { required: ['client_key'], not: { required: ['client_cert_id'] } },
    client_key: { required: ['client_cert'], not: { required: ['client_cert_id'] } },
    client_cert_id: { not: { required: ['client_cert', 'client_key'] } },
  },
} as const

/** Contract §3.5. */
export const upstreamSchema = {
  type: 'object',
  properties: {
    ...described,
    nodes,
    service_name: { type: 'string', minLength: 1, maxLength: 256 },
    discovery_type: { type: 'string' },
    discovery_args: {
      type: 'object',
      properties: { namespace_id: { type: 'string' }, group_name: { type: 'string' } },
    },
    type: {
      type: 'string',
      default: 'roundrobin',
      description: 'how a node is picked: roundrobin, chash, ketama, least_conn, ewma, random or wrr_dynamic',
    },
    hash_on: {
      type: 'string',
      enum: ['vars', 'header', 'cookie', 'consumer', 'vars_combinations'],
      default: 'vars',
    },
    key: { type: 'string' },
    checks,
    retries: { type: 'integer', minimum: 0 },
    retry_timeout: { type: 'number', minimum: 0, description: 'seconds; 0 means no limit' },
    timeout,
    scheme: {
      type: 'string',
      enum: ['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls', 'udp', 'kafka'],
      default: 'http',
    },
    pass_host: { type: 'string', enum: ['pass', 'node', 'rewrite'], default: 'pass' },
    upstream_host: host,
    keepalive_pool: keepalivePool,
    tls,
  },
  oneOf: [{ required: ['nodes'] }, { required: ['service_name', 'discovery_type'] }],
  additionalProperties: false,
} as const
