import { ConfigError } from '../../../src/plugin/api.ts'

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisCredentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** Where redis is and how it is spoken to. Plain data: equal ones share a connection. */
export interface RedisTarget extends RedisCredentials {
  readonly kind: 'redis' | 'redis-cluster' | 'redis-sentinel'
  /** The server, the cluster's nodes to begin with, or the sentinels. */
  readonly addresses: readonly RedisAddress[]
  readonly database: number
  readonly connectTimeoutMs: number
  /** Longest time for one answer. */
  readonly timeoutMs: number
  readonly tls?: { readonly isVerified: boolean } | undefined
  readonly sentinel?: RedisCredentials & { readonly name: string; readonly role: 'master' | 'slave' }
}

/** Options of REDIS, REDISC and REDISS (contract §7), with the defaults of the schema. */
export interface RedisOptions {
  readonly redis_host?: string
  readonly redis_port: number
  readonly redis_username?: string
  readonly redis_password?: string
  readonly redis_database: number
  readonly redis_timeout: number
  readonly redis_ssl: boolean
  readonly redis_ssl_verify: boolean
  readonly redis_cluster_nodes?: readonly string[]
  readonly redis_cluster_name?: string
  readonly redis_cluster_ssl: boolean
  readonly redis_cluster_ssl_verify: boolean
  readonly redis_sentinels?: readonly RedisAddress[]
  readonly redis_master_name?: string
  readonly redis_role: 'master' | 'slave'
  readonly redis_connect_timeout: number
  readonly redis_read_timeout: number
  readonly sentinel_username?: string
  readonly sentinel_password?: string
}

export type RedisPolicy = RedisTarget['kind']

const MAX_PORT = 65_535

/** What the options of a policy come to. Throws {@link ConfigError} for a node that is no address. */
export function redisTarget(policy: RedisPolicy, options: RedisOptions): RedisTarget {
  return targets[policy](options)
}

const targets: Readonly<Record<RedisPolicy, (options: RedisOptions) => RedisTarget>> = {
  redis: (options) => ({
    kind: 'redis',
    addresses: [{ host: options.redis_host!, port: options.redis_port }],
    username: options.redis_username,
    password: options.redis_password,
    database: options.redis_database,
    connectTimeoutMs: options.redis_timeout,
    timeoutMs: options.redis_timeout,
    tls: options.redis_ssl ? { isVerified: options.redis_ssl_verify } : undefined,
  }),
  'redis-cluster': (options) => ({
    kind: 'redis-cluster',
    addresses: options.redis_cluster_nodes!.map(parseAddress),
    password: options.redis_password,
    database: 0,
    connectTimeoutMs: options.redis_timeout,
    timeoutMs: options.redis_timeout,
    tls: options.redis_cluster_ssl ? { isVerified: options.redis_cluster_ssl_verify } : undefined,
  }),
  'redis-sentinel': (options) => ({
    kind: 'redis-sentinel',
    addresses: options.redis_sentinels!,
    username: options.redis_username,
    password: options.redis_password,
    database: options.redis_database,
    connectTimeoutMs: options.redis_connect_timeout,
    timeoutMs: options.redis_read_timeout,
    sentinel: {
      name: options.redis_master_name!,
      role: options.redis_role,
      username: options.sentinel_username,
      password: options.sentinel_password,
    },
  }),
}

function parseAddress(text: string): RedisAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host !== undefined && port >= 1 && port <= MAX_PORT) return { host, port }
  throw new ConfigError(
    `redis_cluster_nodes: ${JSON.stringify(text)} is no address; write "host:port" with a port of 1–${MAX_PORT}`,
  )
}
