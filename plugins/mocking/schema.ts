import type { FromSchema } from '../../src/plugin/api.ts'
import { replyHeadersSchema } from '../_shared/headers/reply-headers.ts'

/** Configuration of mocking (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    delay: { type: 'integer', minimum: 0, default: 0, description: 'Seconds before the answer.' },
    response_status: {
      type: 'integer',
      minimum: 200,
      maximum: 999,
      default: 200,
      description: 'Status of the answer.',
    },
    content_type: {
      type: 'string',
      minLength: 1,
      default: 'application/json;charset=utf8',
      description: 'JSON, plain text, XML or HTML; `response_schema` is written as the first three.',
    },
    response_example: { type: 'string', description: 'Body of the answer; may hold variables.' },
    response_schema: {
      type: 'object',
      description:
        'JSON schema by which a body is made up for each request. Not used beside `response_example`.',
    },
    with_mock_header: {
      type: 'boolean',
      default: true,
      description: 'Say in the header `x-mock-by` that the answer is made up.',
    },
    response_headers: { ...replyHeadersSchema, description: 'Further headers of the answer.' },
  },
  anyOf: [{ required: ['response_example'] }, { required: ['response_schema'] }],
} as const

export type MockingConfig = FromSchema<typeof schema>
