/** Fields of every plugin that asks a service over HTTP (contract §7, group HTTPC). */
export const calloutFields = {
  timeout: {
    type: 'integer',
    minimum: 1,
    maximum: 60_000,
    default: 3000,
    description: 'Milliseconds for the whole call, from connecting to the last byte of the answer.',
  },
  keepalive: {
    type: 'boolean',
    default: true,
    description: 'Whether connections to the service are kept for further calls.',
  },
  keepalive_timeout: {
    type: 'integer',
    minimum: 1000,
    default: 60_000,
    description: 'Milliseconds that a kept connection waits for its next call.',
  },
  keepalive_pool: { type: 'integer', minimum: 1, default: 5, description: 'Connections kept at most.' },
  ssl_verify: {
    type: 'boolean',
    default: true,
    description: "Whether the service's certificate is checked.",
  },
} as const

/** The values of {@link calloutFields}, defaults filled in. */
export interface CalloutConfig {
  readonly timeout: number
  readonly keepalive: boolean
  readonly keepalive_timeout: number
  readonly keepalive_pool: number
  readonly ssl_verify: boolean
}

/** Longest body of a request that a plugin reads whole (contract §7, group BODY). */
export const bodyFields = {
  max_req_body_size: {
    type: 'integer',
    minimum: 1,
    default: 67_108_864,
    description: 'Longest body in bytes that is read; a longer one is answered 413.',
  },
} as const
