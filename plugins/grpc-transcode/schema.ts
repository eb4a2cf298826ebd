const OPTIONS = [
  ...(['enum_as_name', 'enum_as_value'] as const),
  ...(['int64_as_number', 'int64_as_string', 'int64_as_hexstring'] as const),
  ...(['auto_default_values', 'no_default_values', 'use_default_values', 'use_default_metatable'] as const),
  ...(['enable_hooks', 'disable_hooks'] as const),
] as const

/** Contract §7.4. */
export const schema = {
  type: 'object',
  properties: {
    proto_id: {
      anyOf: [
        { type: 'string', minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-_.]+$' },
        { type: 'integer', minimum: 1 },
      ],
      description: 'id of the proto resource that describes the service',
    },
    service: { type: 'string', minLength: 1, description: 'full name: `package.Service`' },
    method: { type: 'string', minLength: 1, description: 'name of the method' },
    deadline: {
      type: 'number',
      default: 0,
      description: 'milliseconds for the call, sent as `grpc-timeout`; 0 for none',
    },
    pb_option: {
      type: 'array',
      items: { type: 'string', enum: OPTIONS },
      minItems: 1,
      default: ['enum_as_name', 'int64_as_number', 'auto_default_values', 'disable_hooks'],
      description: 'how values look in JSON',
    },
    show_status_in_body: {
      type: 'boolean',
      default: false,
      description: 'answer a failed call with its status as JSON',
    },
    status_detail_type: {
      type: 'string',
      description:
        'message type of the details in `grpc-status-details-bin`; without it they are not decoded',
    },
    max_req_body_size: {
      type: 'integer',
      minimum: 1,
      default: 67_108_864,
      description: 'longest body of a request in bytes',
    },
    max_resp_body_size: {
      type: 'integer',
      minimum: 1,
      default: 67_108_864,
      description: 'longest answer in bytes that is turned into JSON; a longer one is cut off',
    },
  },
  required: ['proto_id', 'service', 'method'],
} as const
