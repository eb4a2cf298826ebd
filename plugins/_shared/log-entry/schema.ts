const expression = { type: 'array', minItems: 1, items: { type: 'array' } } as const
const bytes = { type: 'integer', minimum: 1, default: 524288 } as const

/** The attributes LOG of contract §7, to be spread into a logger's properties. */
export const logProperties = {
  log_format: {
    type: 'object',
    description:
      'The entry in place of the default one: texts, `$variable`, and objects or lists of them; what is deeper than 5 levels is left out.',
  },
  log_format_extra: {
    type: 'object',
    description: 'More fields for the default entry, written as in `log_format`; they replace none.',
  },
  include_req_body: {
    type: 'boolean',
    default: false,
    description: 'Add the body of the request as `request.body`.',
  },
  include_req_body_expr: {
    ...expression,
    description: 'Only when this expression, as in `vars`, holds.',
  },
  include_resp_body: {
    type: 'boolean',
    default: false,
    description: 'Add the body of the response as `response.body`.',
  },
  include_resp_body_expr: {
    ...expression,
    description: 'Only when this expression, as in `vars`, holds once the head of the response is known.',
  },
  max_req_body_bytes: {
    ...bytes,
    description: 'Most bytes of a body of a request in an entry; the rest is left out.',
  },
  max_resp_body_bytes: {
    ...bytes,
    description: 'Most bytes of a body of a response in an entry; the rest is left out.',
  },
} as const

/** The part of the metadata that belongs to LOG. */
export const logMetadata = {
  log_format: {
    type: 'object',
    description: 'As the attribute, for every configuration that has none.',
  },
  log_format_extra: {
    type: 'object',
    description: 'As the attribute, for every configuration that has none.',
  },
} as const

/** A configuration with the attributes of {@link logProperties}, defaults filled in. */
export interface LogConfig {
  readonly log_format?: Readonly<Record<string, unknown>> | undefined
  readonly log_format_extra?: Readonly<Record<string, unknown>> | undefined
  readonly include_req_body: boolean
  readonly include_req_body_expr?: readonly unknown[] | undefined
  readonly include_resp_body: boolean
  readonly include_resp_body_expr?: readonly unknown[] | undefined
  readonly max_req_body_bytes: number
  readonly max_resp_body_bytes: number
}
