import { desc, id, labels, plugins, timestamps, username } from './definitions.ts'

/** Contract §3.6. */
export const consumerSchema = {
  type: 'object',
  properties: { username, id, desc, labels, group_id: id, plugins, ...timestamps },
  required: ['username'],
  additionalProperties: false,
} as const
