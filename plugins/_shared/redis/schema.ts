const port = (description: string) => ({ type: 'integer', minimum: 1, maximum: 65_535, description }) as const
const text = (description: string) => ({ type: 'string', minLength: 1, description }) as const
const milliseconds = (byDefault: number, description: string) =>
  ({ type: 'integer', minimum: 1, default: byDefault, description }) as const
const flag = (description: string) => ({ type: 'boolean', default: false, description }) as const

/** Options for one server, which the policies `redis` and `redis-cluster` share in part (contract §7, REDIS and REDISC). */
export const redisProperties = {
  redis_host: { type: 'string', minLength: 2, description: 'Policy `redis`: host of the server.' },
  redis_port: { ...port('Policy `redis`: its port.'), default: 6379 },
  redis_username: text('User name, for servers with access lists.'),
  redis_password: {
    type: 'string',
    minLength: 0,
    description: 'Password; encrypted in the store, may be a reference to a secret.',
  },
  redis_database: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Number of the database; a cluster has only one.',
  },
  redis_timeout: milliseconds(1000, 'Longest time for connecting and for an answer, in ms.'),
  redis_ssl: flag('Policy `redis`: speak TLS.'),
  redis_ssl_verify: flag(
    'Policy `redis`: refuse a certificate that no authority in `apisix.ssl.ssl_trusted_certificate` vouches for.',
  ),
  redis_keepalive_timeout: {
    type: 'integer',
    minimum: 1000,
    default: 10_000,
    description: 'Of no effect: connections are kept.',
  },
  redis_keepalive_pool: {
    type: 'integer',
    minimum: 1,
    default: 100,
    description: 'Of no effect: all requests share one connection.',
  },
  redis_cluster_nodes: {
    type: 'array',
    minItems: 1,
    items: { type: 'string', minLength: 2, maxLength: 100 },
    description: 'Policy `redis-cluster`: nodes to begin with, as `host:port`.',
  },
  redis_cluster_name: text('Policy `redis-cluster`: a name for people.'),
  redis_cluster_ssl: flag('Policy `redis-cluster`: speak TLS.'),
  redis_cluster_ssl_verify: flag(
    'Policy `redis-cluster`: refuse a certificate that no authority in `apisix.ssl.ssl_trusted_certificate` vouches for.',
  ),
} as const

/** Options for a server that sentinels know (REDISS). */
export const sentinelProperties = {
  redis_sentinels: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      properties: {
        host: { type: 'string', minLength: 2, description: 'Host of a sentinel.' },
        port: port('Its port.'),
      },
      required: ['host', 'port'],
    },
    description: 'Policy `redis-sentinel`: the sentinels.',
  },
  redis_master_name: text('Policy `redis-sentinel`: what the sentinels call the master.'),
  redis_role: {
    type: 'string',
    enum: ['master', 'slave'],
    default: 'master',
    description: 'Policy `redis-sentinel`: where to count; a `slave` must take writes.',
  },
  redis_connect_timeout: milliseconds(1000, 'Policy `redis-sentinel`: longest time for connecting, in ms.'),
  redis_read_timeout: milliseconds(1000, 'Policy `redis-sentinel`: longest time for an answer, in ms.'),
  sentinel_username: text('Policy `redis-sentinel`: user name for the sentinels.'),
  sentinel_password: text('Policy `redis-sentinel`: password for the sentinels; encrypted in the store.'),
} as const

const whenPolicyIs = (policy: string, required: readonly string[]) =>
  ({
    if: { properties: { policy: { enum: [policy] } }, required: ['policy'] },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON schema
    then: { required },
  }) as const

const cluster = whenPolicyIs('redis-cluster', ['redis_cluster_nodes', 'redis_cluster_name'])

/** What the policies need; to be spread into a schema with a property `policy`. */
export const redisRequirements = {
  ...whenPolicyIs('redis', ['redis_host']),
  else: cluster,
} as const

/** The same where `redis-sentinel` is a policy too. */
export const sentinelRequirements = {
  ...whenPolicyIs('redis', ['redis_host']),
  else: { ...cluster, else: whenPolicyIs('redis-sentinel', ['redis_sentinels', 'redis_master_name']) },
} as const

/** Of the options, for a plugin's `secretFields`. */
export const redisSecrets = ['redis_password'] as const
export const sentinelSecrets = [...redisSecrets, 'sentinel_password'] as const
