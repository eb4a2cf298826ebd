const transform = {
  type: 'object',
  properties: {
    input_format: {
      type: 'string',
      enum: ['xml', 'json', 'encoded', 'args', 'plain', 'multipart'],
      description: 'what the body is; absent: as its Content-Type says',
    },
    template: { type: 'string', description: 'what becomes of it' },
    template_is_base64: { type: 'boolean', default: false, description: 'the template is written in base64' },
  },
  required: ['template'],
} as const

const bytes = { type: 'integer', minimum: 1, default: 67_108_864 } as const

/** Contract §7.4. */
export const schema = {
  type: 'object',
  properties: {
    request: { ...transform, description: 'for the body of the request' },
    response: { ...transform, description: 'for the body of the response' },
    max_req_body_size: { ...bytes, description: 'longest body of a request in bytes' },
    max_resp_body_size: { ...bytes, description: 'longest body of a response in bytes that is transformed' },
  },
  anyOf: [{ required: ['request'] }, { required: ['response'] }, { required: ['request', 'response'] }],
} as const
