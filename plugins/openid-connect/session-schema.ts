const timeout = (byDefault: number, description: string) =>
  ({ type: 'integer', minimum: 0, default: byDefault, description }) as const

/** What redis is told of a session store. */
const redis = {
  type: 'object',
  default: {},
  description: 'With `storage: redis`: the server.',
  properties: {
    host: { type: 'string', minLength: 1, default: '127.0.0.1', description: 'Host of the server.' },
    port: { type: 'integer', minimum: 1, maximum: 65_535, default: 6379, description: 'Its port.' },
    username: { type: 'string', description: 'User name, for servers with access lists.' },
    password: { type: 'string', description: 'Password.' },
    database: { type: 'integer', minimum: 0, default: 0, description: 'Number of the database.' },
    prefix: { type: 'string', default: 'sessions', description: 'What its keys begin with.' },
    ssl: { type: 'boolean', default: false, description: 'Speak TLS.' },
    ssl_verify: { type: 'boolean', default: false, description: 'Refuse a certificate that is not trusted.' },
    connect_timeout: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      description: 'Longest time for connecting, in ms.',
    },
    read_timeout: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      description: 'Longest time for an answer, in ms.',
    },
    send_timeout: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      description: 'Of no effect: `read_timeout` covers it.',
    },
    keepalive_timeout: {
      type: 'integer',
      minimum: 1,
      default: 10_000,
      description: 'Of no effect: connections are kept.',
    },
  },
} as const

/** `session` of openid-connect (contract §7.1). */
export const sessionSchema = {
  type: 'object',
  description: 'What a login leaves with the browser; required unless `bearer_only` is set.',
  properties: {
    secret: {
      type: 'string',
      minLength: 16,
      description: 'What sessions are encrypted with; the same on all gateways that share them.',
    },
    cookie_name: {
      type: 'string',
      default: 'session',
      pattern: '^[A-Za-z0-9_.-]{1,64}$',
      description: 'Name of the cookie; long sessions have further ones with a number.',
    },
    cookie_path: { type: 'string', default: '/', pattern: '^/[!-:<-~]*$', description: 'Its path.' },
    cookie_domain: {
      type: 'string',
      pattern: '^[A-Za-z0-9.-]+$',
      description: 'Its domain; the host of the request unless given.',
    },
    cookie_secure: {
      type: 'boolean',
      description: 'Whether it is sent over TLS only; decided by the scheme of the login unless given.',
    },
    cookie_http_only: { type: 'boolean', default: true, description: 'Whether scripts cannot read it.' },
    cookie_same_site: {
      type: 'string',
      enum: ['Lax', 'Strict', 'None'],
      default: 'Lax',
      description: 'Which requests of other sites carry it.',
    },
    idling_timeout: timeout(900, 'Seconds without a request after which a session ends; 0 for none.'),
    rolling_timeout: timeout(
      3600,
      'Seconds after which a session that is not renewed by use ends; 0 for none.',
    ),
    absolute_timeout: timeout(86_400, 'Seconds after the login after which a session ends; 0 for none.'),
    storage: {
      type: 'string',
      enum: ['cookie', 'redis'],
      default: 'cookie',
      description: 'Where sessions are kept: in the cookies themselves, or in redis.',
    },
    redis,
  },
  required: ['secret'],
  additionalProperties: false,
} as const
