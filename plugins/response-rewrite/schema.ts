import { flatHeaders, headerLines, headerMap, headerNames } from '../_shared/headers/schema.ts'

const DEFAULT_MAX_BODY_BYTES = 67_108_864

/** Configuration of response-rewrite (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    status_code: { type: 'integer', minimum: 200, maximum: 598, description: 'Status to send.' },
    body: { type: 'string', description: 'Body to send in place of the one that came.' },
    body_base64: { type: 'boolean', default: false, description: '`body` is base64; for binary data.' },
    headers: {
      description: '`{add, set, remove}`, or a flat map, which means `set`. Values may hold variables.',
      anyOf: [
        {
          type: 'object',
          minProperties: 1,
          properties: { add: headerLines, set: headerMap, remove: headerNames },
          additionalProperties: false,
        },
        flatHeaders,
      ],
    },
    vars: { type: 'array', description: 'Expression; the response is changed only when it holds.' },
    filters: {
      type: 'array',
      minItems: 1,
      description: 'Replacements in the body, one after the other. Not together with `body`.',
      items: {
        type: 'object',
        properties: {
          regex: { type: 'string', minLength: 1, description: 'Pattern to look for.' },
          replace: { type: 'string', description: 'What takes its place; `$1` is a capture.' },
          scope: {
            type: 'string',
            enum: ['once', 'global'],
            default: 'once',
            description: 'The first match or all.',
          },
          options: { type: 'string', default: 'jo', description: 'Options of the pattern, such as `i`.' },
        },
        required: ['regex', 'replace'],
      },
    },
    max_resp_body_size: {
      type: 'integer',
      minimum: 1,
      default: DEFAULT_MAX_BODY_BYTES,
      description: 'Most bytes of a body, packed or unpacked, that `filters` hold in memory.',
    },
  },
  dependencies: {
    body: { not: { required: ['filters'] } },
    filters: { not: { required: ['body'] } },
  },
} as const

export interface Filter {
  readonly regex: string
  readonly replace: string
  readonly scope: 'once' | 'global'
  readonly options: string
}

/** What the schema leaves; spelt by hand, because a derived type cannot say that the dependencies exclude each other. */
export interface ResponseRewriteConfig {
  readonly status_code?: number
  readonly body?: string
  readonly body_base64: boolean
  readonly headers?: Readonly<Record<string, never>>
  readonly vars?: readonly unknown[]
  readonly filters?: readonly Filter[]
  readonly max_resp_body_size: number
}
