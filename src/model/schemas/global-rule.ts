import { id, plugins, timestamps } from './definitions.ts'

/** Contract §3.6. */
export const globalRuleSchema = {
  type: 'object',
  properties: { id, plugins, ...timestamps },
  required: ['id', 'plugins'],
  additionalProperties: false,
} as const
