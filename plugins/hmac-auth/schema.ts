import { anonymousConsumer, hideCredentials, REALM } from '../_shared/auth/schema.ts'

/** On a route, service or global rule. */
export const schema = {
  type: 'object',
  properties: {
    allowed_algorithms: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', enum: ['hmac-sha1', 'hmac-sha256', 'hmac-sha512'] },
      default: ['hmac-sha1', 'hmac-sha256', 'hmac-sha512'],
      description: 'Algorithms that clients may sign with.',
    },
    clock_skew: {
      type: 'integer',
      minimum: 1,
      default: 300,
      description: 'Seconds that `Date` may be away from the clock of the gateway.',
    },
    signed_headers: {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 50 },
      default: ['date'],
      description:
        'What clients have to sign: names of headers, and `@request-target` for method, path and query.',
    },
    validate_request_body: {
      type: 'boolean',
      default: false,
      description:
        'Compare the body with the header `Digest`, which must then be there. List `digest` in `signed_headers` as well.',
    },
    max_req_body_size: {
      type: 'integer',
      minimum: 1,
      default: 67108864,
      description: 'Bytes of a body that is compared; longer ones are refused.',
    },
    hide_credentials: hideCredentials,
    realm: { ...REALM, default: 'hmac' },
    anonymous_consumer: anonymousConsumer,
  },
} as const

const KEY = { type: 'string', minLength: 1, maxLength: 256 } as const

/** On a consumer or credential. */
export const consumerSchema = {
  type: 'object',
  properties: {
    key_id: { ...KEY, description: 'What signatures name the consumer by, unique among consumers.' },
    secret_key: { ...KEY, description: 'The secret that the consumer signs with.' },
  },
  required: ['key_id', 'secret_key'],
} as const
