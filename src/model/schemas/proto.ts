import { described } from './definitions.ts'

/** Contract §3.6. */
export const protoSchema = {
  type: 'object',
  properties: {
    ...described,
    content: {
      type: 'string',
      description: 'text of a .proto file, or a FileDescriptorSet in base64',
      minLength: 1,
      maxLength: 1024 * 1024,
    },
  },
  required: ['content'],
  additionalProperties: false,
} as const
