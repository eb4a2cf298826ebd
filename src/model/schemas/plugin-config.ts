import { described, plugins } from './definitions.ts'

/** Contract §3.6. */
export const pluginConfigSchema = {
  type: 'object',
  properties: { ...described, name: { type: 'string' }, plugins },
  required: ['id', 'plugins'],
  additionalProperties: false,
} as const
