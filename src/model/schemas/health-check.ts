import { host } from './definitions.ts'

function statuses<const Default extends readonly number[]>(defaults: Default) {
  return {
    type: 'array',
    minItems: 1,
    items: { type: 'integer', minimum: 200, maximum: 599 },
    uniqueItems: true,
    default: defaults,
  } as const
}

function count<const Minimum extends number, const Default extends number>(minimum: Minimum, value: Default) {
  return { type: 'integer', minimum, maximum: 254, default: value } as const
}

const checkType = { type: 'string', enum: ['http', 'https', 'tcp'], default: 'http' } as const
const interval = { type: 'integer', minimum: 1, default: 1, description: 'seconds' } as const

const active = {
  type: 'object',
  properties: {
    type: checkType,
    timeout: { type: 'number', default: 1, description: 'seconds' },
    concurrency: { type: 'integer', default: 10 },
    host,
    port: { type: 'integer', minimum: 1, maximum: 65535 },
    http_method: {
      type: 'string',
      enum: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE'],
      default: 'GET',
    },
    http_path: { type: 'string', default: '/' },
    http_req_body: { type: 'string', default: '' },
    https_verify_certificate: { type: 'boolean', default: true },
    req_headers: { type: 'array', minItems: 1, items: { type: 'string' } },
    healthy: {
      type: 'object',
      properties: { interval, http_statuses: statuses([200, 302]), successes: count(1, 2) },
    },
    unhealthy: {
      type: 'object',
      properties: {
        interval,
        http_statuses: statuses([429, 404, 500, 501, 502, 503, 504, 505]),
        http_failures: count(1, 5),
        tcp_failures: count(1, 2),
        timeouts: count(1, 3),
      },
    },
  },
} as const

const passive = {
  type: 'object',
  properties: {
    type: checkType,
    healthy: {
      type: 'object',
      properties: {
        http_statuses: statuses([
          200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
        ]),
        successes: count(0, 5),
      },
    },
    unhealthy: {
      type: 'object',
      properties: {
        http_statuses: statuses([429, 500, 503]),
        tcp_failures: count(0, 2),
        timeouts: count(0, 7),
        http_failures: count(0, 5),
      },
    },
  },
} as const

/** `checks` of an upstream (contract §5.7). Absent `healthy` and `unhealthy` objects stay absent here. */
export const checks = {
  type: 'object',
  properties: { active, passive },
  anyOf: [{ required: ['active'] }, { required: ['active', 'passive'] }],
  additionalProperties: false,
} as const
