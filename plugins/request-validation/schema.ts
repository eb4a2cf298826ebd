import type { FromSchema } from '../../src/plugin/api.ts'

const DEFAULT_MAX_BODY_BYTES = 67_108_864

/** Configuration of request-validation (contract §7.2). */
export const schema = {
  type: 'object',
  properties: {
    header_schema: {
      type: 'object',
      description: 'JSON schema of the headers, by their lower-case names; values are strings.',
    },
    body_schema: {
      type: 'object',
      description: 'JSON schema of the body: JSON, or a form, whose values are strings.',
    },
    rejected_code: {
      type: 'integer',
      minimum: 200,
      maximum: 599,
      default: 400,
      description: 'Status of a refusal.',
    },
    rejected_msg: {
      type: 'string',
      minLength: 1,
      maxLength: 256,
      description: 'What a refused client is told; what is wrong, unless given.',
    },
    max_req_body_size: {
      type: 'integer',
      minimum: 1,
      default: DEFAULT_MAX_BODY_BYTES,
      description: 'Most bytes of a body; longer ones are refused with 413.',
    },
  },
  anyOf: [{ required: ['header_schema'] }, { required: ['body_schema'] }],
} as const

export type RequestValidationConfig = FromSchema<typeof schema>
