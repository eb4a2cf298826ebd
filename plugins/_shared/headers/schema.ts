const scalar = { oneOf: [{ type: 'string' }, { type: 'number' }] } as const
const NAME = '^[^:]+$'

/** A header's value, or several for several lines. */
export const headerValues = {
  anyOf: [scalar.oneOf[0], scalar.oneOf[1], { type: 'array', minItems: 1, items: scalar }],
} as const

/** Names to values. */
export const headerMap = {
  type: 'object',
  minProperties: 1,
  patternProperties: { [NAME]: headerValues },
  additionalProperties: false,
} as const

export const headerNames = {
  type: 'array',
  minItems: 1,
  items: { type: 'string', pattern: NAME },
} as const

/** Lines such as `"Set-Cookie: a=1"`. */
export const headerLines = {
  type: 'array',
  minItems: 1,
  items: { type: 'string', pattern: '^[^:]+:.*$' },
} as const

/** A flat map; the names of operations may be headers too, but then with one value, so that no list is taken for the other form. */
export const flatHeaders = {
  type: 'object',
  minProperties: 1,
  properties: { add: scalar, set: scalar, remove: scalar },
  additionalProperties: headerValues,
} as const
