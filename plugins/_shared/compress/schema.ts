/** Attributes that every plugin has that packs bodies. */
export const compressProperties = {
  types: {
    description: 'Media types of the bodies to pack; `*` for all.',
    anyOf: [
      { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
      { type: 'string', enum: ['*'] },
    ],
    default: ['text/html'],
  },
  min_length: {
    type: 'integer',
    minimum: 1,
    default: 20,
    description: 'Least `Content-Length` of a body to pack; one without is packed.',
  },
  http_version: {
    type: 'number',
    enum: [1.1, 1.0],
    default: 1.1,
    description: 'Least HTTP version of a request.',
  },
  vary: {
    type: 'boolean',
    description: 'Add `Vary: Accept-Encoding`, so that caches keep the forms apart.',
  },
} as const
