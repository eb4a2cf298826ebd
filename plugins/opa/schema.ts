import type { FromSchema } from '../../src/plugin/api.ts'
import { calloutFields } from '../_shared/callout/schema.ts'

/** Configuration of opa (contract §7.1). */
export const schema = {
  type: 'object',
  properties: {
    host: { type: 'string', description: 'Where the Open Policy Agent is, such as `http://127.0.0.1:8181`.' },
    policy: {
      type: 'string',
      description: 'The policy that decides: the part of its path after `/v1/data/`.',
    },
    with_route: {
      type: 'boolean',
      default: false,
      description: 'Whether the policy is told which route matched.',
    },
    with_service: {
      type: 'boolean',
      default: false,
      description: "Whether the policy is told the route's service.",
    },
    with_consumer: {
      type: 'boolean',
      default: false,
      description: 'Whether the policy is told which consumer was found.',
    },
    send_headers_upstream: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description:
        'Headers of the decision that the upstream is sent; those the decision does not have are taken out of the request.',
    },
    ...calloutFields,
  },
  required: ['host', 'policy'],
} as const

export type OpaConfig = FromSchema<typeof schema>
