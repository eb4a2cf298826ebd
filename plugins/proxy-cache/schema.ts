const TEXT_OR_VARIABLE = '^(?:[^$].*|\\$[0-9a-zA-Z_]+)$'

const conditions = (what: string) =>
  ({
    type: 'array',
    minItems: 1,
    items: { type: 'string', pattern: TEXT_OR_VARIABLE },
    description: what,
  }) as const

/** Configuration of proxy-cache (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    cache_strategy: {
      type: 'string',
      enum: ['disk', 'memory'],
      default: 'disk',
      description: 'Where answers are kept, and whose rules say for how long.',
    },
    cache_zone: {
      type: 'string',
      minLength: 1,
      maxLength: 100,
      default: 'disk_cache_one',
      description: 'Zone of `apisix.proxy_cache.zones` in the settings.',
    },
    cache_key: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: TEXT_OR_VARIABLE },
      default: ['$host', '$request_uri'],
      description: 'Texts and variables that name an answer, beside scheme and host.',
    },
    cache_http_status: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { type: 'integer', minimum: 200, maximum: 599 },
      default: [200, 301, 404],
      description: 'Statuses whose answers are kept.',
    },
    cache_method: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { type: 'string', enum: ['GET', 'POST', 'HEAD'] },
      default: ['GET', 'HEAD'],
      description: 'Methods that may be answered from the cache.',
    },
    hide_cache_headers: {
      type: 'boolean',
      default: false,
      description: 'Send neither `Cache-Control` nor `Expires` to clients.',
    },
    cache_control: {
      type: 'boolean',
      default: false,
      description: 'Follow `Cache-Control` of the request; in memory, take the time from the answer too.',
    },
    cache_bypass: conditions('Ask the upstream when one of these has a value that is neither empty nor 0.'),
    no_cache: conditions('Do not keep the answer when one of these has a value that is neither empty nor 0.'),
    cache_ttl: {
      type: 'integer',
      minimum: 1,
      default: 300,
      description: 'Seconds an answer is kept in memory.',
    },
    consumer_isolation: {
      type: 'boolean',
      default: true,
      description: 'Give each consumer answers of its own.',
    },
    cache_set_cookie: {
      type: 'boolean',
      default: false,
      description: 'Keep answers that set cookies too, with the cookies.',
    },
    max_resp_body_size: {
      type: 'integer',
      minimum: 1,
      default: 67108864,
      description: 'Bytes of the longest body that is kept.',
    },
  },
} as const

/** `apisix.proxy_cache` of the settings as the plugin gets it, and its own attribute. */
export const attrSchema = {
  type: 'object',
  properties: {
    lock_timeout: {
      type: 'number',
      minimum: 0,
      maximum: 60,
      default: 5,
      description:
        'Seconds that a request waits for another one to bring the same answer; 0 to have each ask the upstream.',
    },
  },
} as const

export interface ProxyCacheConfig {
  readonly cache_strategy: 'disk' | 'memory'
  readonly cache_zone: string
  readonly cache_key: readonly string[]
  readonly cache_http_status: readonly number[]
  readonly cache_method: readonly ('GET' | 'POST' | 'HEAD')[]
  readonly hide_cache_headers: boolean
  readonly cache_control: boolean
  readonly cache_bypass?: readonly string[]
  readonly no_cache?: readonly string[]
  readonly cache_ttl: number
  readonly consumer_isolation: boolean
  readonly cache_set_cookie: boolean
  readonly max_resp_body_size: number
}

/** A zone as the settings give it; one with a folder is on disk. */
export interface ZoneSpec {
  readonly name: string
  readonly memory_bytes: number
  readonly folder?: string
  readonly disk_bytes?: number
  readonly levels?: readonly number[]
}

export interface ProxyCacheAttr {
  readonly lock_timeout?: number
  readonly cache_ttl_ms?: number
  readonly zones?: readonly ZoneSpec[]
}
