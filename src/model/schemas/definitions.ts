import { ID_MAX_LENGTH, ID_PATTERN, USERNAME_MAX_LENGTH, USERNAME_PATTERN } from '../id.ts'

/** The definitions that resources share (contract §3.2). */
export const id = {
  anyOf: [
    { type: 'string', minLength: 1, maxLength: ID_MAX_LENGTH, pattern: ID_PATTERN },
    { type: 'integer', minimum: 1 },
  ],
} as const

export const username = {
  type: 'string',
  minLength: 1,
  maxLength: USERNAME_MAX_LENGTH,
  pattern: USERNAME_PATTERN,
} as const

export const name = { type: 'string', minLength: 1, maxLength: 256 } as const

export const desc = { type: 'string', maxLength: 256 } as const

export const labels = {
  type: 'object',
  description: 'key-value pairs that mark and find resources',
  patternProperties: { '.*': { type: 'string', minLength: 1, maxLength: 256, pattern: '^\\S+$' } },
} as const

/** Unix seconds, written by the admin API. */
export const timestamps = {
  create_time: { type: 'integer' },
  update_time: { type: 'integer' },
} as const

/** What most resources carry. */
export const described = { id, name, desc, labels, ...timestamps } as const

export const host = { type: 'string', pattern: '^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$' } as const

export const hosts = { type: 'array', items: host, minItems: 1, uniqueItems: true } as const

export const remoteAddr = {
  description: 'an IP address or CIDR block',
  anyOf: [
    { type: 'string', format: 'ipv4' },
    { type: 'string', format: 'ipv4-cidr' },
    { type: 'string', format: 'ipv6' },
    { type: 'string', format: 'ipv6-cidr' },
  ],
} as const

const seconds = { type: 'number', exclusiveMinimum: 0 } as const

export const timeout = {
  type: 'object',
  description: 'seconds',
  properties: { connect: seconds, send: seconds, read: seconds },
  required: ['connect', 'send', 'read'],
} as const

/** Each value is checked by the plugin it is for. */
export const plugins = { type: 'object' } as const

export const script = { type: 'string', minLength: 10, maxLength: 102400 } as const

export const certificate = { type: 'string', minLength: 128, maxLength: 65536 } as const

export const privateKey = { type: 'string', minLength: 64, maxLength: 65536 } as const
