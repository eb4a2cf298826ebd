import type { FromSchema } from '../../src/plugin/api.ts'
import { bodyFields, calloutFields } from '../_shared/callout/schema.ts'

const names = { type: 'array', default: [], items: { type: 'string' } } as const

/** Configuration of forward-auth (contract §7.1). */
export const schema = {
  type: 'object',
  properties: {
    uri: { type: 'string', description: 'Where the authorization service is asked, `http` or `https`.' },
    request_method: {
      type: 'string',
      enum: ['GET', 'POST'],
      default: 'GET',
      description: "How it is asked; `POST` takes the client's body along.",
    },
    request_headers: {
      ...names,
      description: "Headers of the client's request that the service is sent too.",
    },
    extra_headers: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: 'string' },
      description: 'Further headers for the service; values may hold variables.',
    },
    upstream_headers: {
      ...names,
      description:
        "Headers of the service's answer that the upstream is sent; those the answer does not have are taken out of the request.",
    },
    client_headers: {
      ...names,
      description: "Headers of the service's answer that the client is sent when the request is refused.",
    },
    allow_degradation: {
      type: 'boolean',
      default: false,
      description: 'Whether requests go on when the service cannot be asked.',
    },
    status_on_error: {
      type: 'integer',
      minimum: 200,
      maximum: 599,
      default: 403,
      description: 'Status when the service cannot be asked.',
    },
    ...bodyFields,
    ...calloutFields,
  },
  required: ['uri'],
} as const

export type ForwardAuthConfig = FromSchema<typeof schema>
