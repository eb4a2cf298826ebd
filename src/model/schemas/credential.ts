import { desc, id, labels, name, plugins, timestamps } from './definitions.ts'

/** Contract §3.6. In a file the id names the consumer too. */
export const credentialSchema = {
  type: 'object',
  properties: {
    id: {
      anyOf: [
        ...id.anyOf,
        {
          type: 'string',
          minLength: 15,
          maxLength: 128,
          pattern: '^[a-zA-Z0-9_\\-]+/credentials/[a-zA-Z0-9-_.]+$',
        },
      ],
    },
    name,
    desc,
    labels,
    plugins: { ...plugins, maxProperties: 1 },
    ...timestamps,
  },
  additionalProperties: false,
} as const
