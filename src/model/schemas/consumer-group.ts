import { described, plugins } from './definitions.ts'

/** Contract §3.6. */
export const consumerGroupSchema = {
  type: 'object',
  properties: { ...described, plugins },
  required: ['id', 'plugins'],
  additionalProperties: false,
} as const
