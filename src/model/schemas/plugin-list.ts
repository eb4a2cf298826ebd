/** The item `/apisix/plugins` of the store: which plugins are enabled (contract §2.1 and §3.6). */
export const pluginListSchema = {
  type: 'array',
  items: {
    type: 'object',
    properties: { name: { type: 'string', minLength: 1 }, stream: { type: 'boolean' } },
    required: ['name'],
  },
} as const
