import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'

const schema = {
  type: 'object',
  properties: {
    max_body_size: {
      type: 'integer',
      minimum: 0,
      description: 'Most bytes of a body; 0 for any number.',
    },
  },
} as const

/** Limits the bodies of requests (contract §7.2). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'client-control',
  priority: 22000,
  phases: ['rewrite'],
  schema,
  compile({ max_body_size: maxBytes }) {
    return maxBytes === undefined ? {} : { rewrite: (context) => context.setBodyLimit(maxBytes) }
  },
})
