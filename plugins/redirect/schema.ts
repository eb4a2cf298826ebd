import type { FromSchema } from '../../src/plugin/api.ts'

/** Configuration of redirect (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    uri: { type: 'string', minLength: 2, description: 'Where to go; may hold variables.' },
    regex_uri: {
      type: 'array',
      minItems: 2,
      maxItems: 2,
      items: { type: 'string' },
      description: 'Pattern for the path and its replacement; a path that does not match goes on.',
    },
    http_to_https: {
      type: 'boolean',
      description: 'Send requests without TLS to the same address with TLS; others go on.',
    },
    ret_code: {
      type: 'integer',
      minimum: 200,
      maximum: 999,
      default: 302,
      description: 'Status; `http_to_https` has its own.',
    },
    encode_uri: {
      type: 'boolean',
      default: false,
      description: 'Percent-encode what may not stand in a path, `%` included, up to the first `?`.',
    },
    append_query_string: {
      type: 'boolean',
      default: false,
      description: "Add the request's query; not beside `http_to_https`.",
    },
  },
  oneOf: [{ required: ['uri'] }, { required: ['regex_uri'] }, { required: ['http_to_https'] }],
} as const

export type RedirectConfig = FromSchema<typeof schema>

export const attrSchema = {
  type: 'object',
  properties: {
    https_port: {
      type: 'integer',
      minimum: 1,
      maximum: 65535,
      description: 'Port for `http_to_https`; that of the first TLS listener by default.',
    },
  },
} as const

export type RedirectAttr = FromSchema<typeof attrSchema>
