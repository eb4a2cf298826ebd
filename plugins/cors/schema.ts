import type { FromSchema } from '../../src/plugin/api.ts'

/** `*`, `**`, `null`, or origins with commas between them. */
const ORIGINS = '^(?:\\*|\\*\\*|null|\\w+://[^,]+(?:,\\w+://[^,]+)*)$'

const patterns = (what: string) =>
  ({
    type: 'array',
    minItems: 1,
    uniqueItems: true,
    items: { type: 'string', minLength: 1, maxLength: 4096 },
    description: what,
  }) as const

/** Configuration of cors (contract §7.2). */
export const schema = {
  type: 'object',
  properties: {
    allow_origins: {
      type: 'string',
      pattern: ORIGINS,
      default: '*',
      description: 'Origins that may read answers, with commas between them; `*` is any, `**` echoes any.',
    },
    allow_methods: {
      type: 'string',
      default: '*',
      description: 'Value of `Access-Control-Allow-Methods`; `**` lists all methods.',
    },
    allow_headers: {
      type: 'string',
      default: '*',
      description: 'Value of `Access-Control-Allow-Headers`; `**` echoes what a preflight asks for.',
    },
    expose_headers: { type: 'string', description: 'Value of `Access-Control-Expose-Headers`.' },
    max_age: {
      type: 'integer',
      default: 5,
      description: 'Seconds for which a browser may keep the answer to a preflight; `-1` is not at all.',
    },
    allow_credential: {
      type: 'boolean',
      default: false,
      description: 'Let browsers send cookies and credentials; then no option may be `*`.',
    },
    allow_origins_by_regex: patterns('Patterns for origins, in place of `allow_origins`.'),
    allow_origins_by_metadata: patterns(
      'Keys of `allow_origins` in the metadata, asked when the origin was not found here.',
    ),
    timing_allow_origins: {
      type: 'string',
      pattern: ORIGINS,
      description: 'Origins that may read timings (`Timing-Allow-Origin`), as in `allow_origins`.',
    },
    timing_allow_origins_by_regex: patterns('Patterns for them, in place of `timing_allow_origins`.'),
  },
} as const

export type CorsConfig = FromSchema<typeof schema>

export const metadataSchema = {
  type: 'object',
  properties: {
    allow_origins: {
      type: 'object',
      additionalProperties: { type: 'string', pattern: ORIGINS },
      description: 'Lists of origins by key, for `allow_origins_by_metadata`.',
    },
  },
} as const

export type CorsMetadata = FromSchema<typeof metadataSchema>
