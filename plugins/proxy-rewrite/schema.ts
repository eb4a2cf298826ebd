import type { FromSchema } from '../../src/plugin/api.ts'
import { flatHeaders, headerMap, headerNames } from '../_shared/headers/schema.ts'

/** Configuration of proxy-rewrite (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    uri: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      pattern: '^/',
      description: 'Path (and query) to send, with variables; wins over `regex_uri`.',
    },
    regex_uri: {
      type: 'array',
      minItems: 2,
      items: { type: 'string' },
      description: 'Pairs of pattern and replacement; the first pattern that matches the path is used.',
    },
    host: {
      type: 'string',
      pattern: '^[0-9a-zA-Z-.]+(:\\d{1,5})?$',
      description: 'Host to send.',
    },
    method: {
      type: 'string',
      enum: [
        'GET',
        'POST',
        'PUT',
        'HEAD',
        'DELETE',
        'OPTIONS',
        'MKCOL',
        'COPY',
        'MOVE',
        'PROPFIND',
        'LOCK',
        'UNLOCK',
        'PATCH',
        'TRACE',
      ],
      description: 'Method to send.',
    },
    headers: {
      description:
        '`{add, set, remove}`, or a flat map, which means `set`. Values may hold variables and `$1`.',
      anyOf: [
        {
          type: 'object',
          minProperties: 1,
          properties: { add: headerMap, set: headerMap, remove: headerNames },
          additionalProperties: false,
        },
        flatHeaders,
      ],
    },
    use_real_request_uri_unsafe: {
      type: 'boolean',
      default: false,
      description: 'Work on the target as the client sent it, neither decoded nor made canonical.',
    },
  },
} as const

export type ProxyRewriteConfig = FromSchema<typeof schema>
