import { anonymousConsumer, hideCredentials, REALM } from '../_shared/auth/schema.ts'

/** On a route, service or global rule. */
export const schema = {
  type: 'object',
  properties: {
    header: {
      type: 'string',
      default: 'authorization',
      description: 'Header that carries the token, after `Bearer` or alone; asked first.',
    },
    query: {
      type: 'string',
      default: 'jwt',
      description: 'Query argument that carries the token when the header is absent.',
    },
    cookie: {
      type: 'string',
      default: 'jwt',
      description: 'Cookie that carries the token when header and argument are absent.',
    },
    hide_credentials: hideCredentials,
    key_claim_name: {
      type: 'string',
      minLength: 1,
      default: 'key',
      description: 'The claim that holds the key of the consumer.',
    },
    store_in_ctx: {
      type: 'boolean',
      default: false,
      description: 'Keep the verified claims for plugins that run later.',
    },
    realm: { ...REALM, default: 'jwt' },
    anonymous_consumer: anonymousConsumer,
    claims_to_verify: {
      type: 'array',
      items: { type: 'string', enum: ['exp', 'nbf'] },
      uniqueItems: true,
      description: 'Claims that must be in the token. `exp` and `nbf` are checked whenever they are there.',
    },
  },
} as const

/** On a consumer or credential. */
export const consumerSchema = {
  type: 'object',
  properties: {
    key: {
      type: 'string',
      minLength: 1,
      description: 'What tokens name the consumer by, unique among consumers.',
    },
    secret: { type: 'string', minLength: 1, description: 'The shared secret; required for HS algorithms.' },
    algorithm: {
      type: 'string',
      enum: [
        'HS256',
        'HS384',
        'HS512',
        'RS256',
        'RS384',
        'RS512',
        'ES256',
        'ES384',
        'ES512',
        'PS256',
        'PS384',
        'PS512',
        'EdDSA',
      ],
      default: 'HS256',
      description: 'The one algorithm that the tokens of the consumer are signed with.',
    },
    exp: {
      type: 'integer',
      minimum: 1,
      default: 86400,
      description:
        'Seconds that a token should be good for, for those who make them; the gateway looks at the token.',
    },
    base64_secret: { type: 'boolean', default: false, description: '`secret` is the base64 of the secret.' },
    lifetime_grace_period: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Seconds by which the clocks of those who make tokens may differ.',
    },
    public_key: {
      type: 'string',
      description: 'The public key, PEM; required for all other algorithms.',
    },
  },
  required: ['key'],
} as const
