/** Contract §7.4. */
export const schema = {
  type: 'object',
  properties: {
    cors_allow_headers: {
      type: 'string',
      default: 'content-type,x-grpc-web,x-user-agent',
      description: 'headers that a page of another origin may send, comma separated',
    },
    max_req_body_size: {
      type: 'integer',
      minimum: 1,
      default: 67_108_864,
      description: 'longest body in bytes that is decoded from base64',
    },
  },
} as const
