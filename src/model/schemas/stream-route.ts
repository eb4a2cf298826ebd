import { described, host, id, plugins, remoteAddr } from './definitions.ts'
import { upstreamSchema } from './upstream.ts'

/** Contract §3.6. */
export const streamRouteSchema = {
  type: 'object',
  properties: {
    ...described,
    remote_addr: remoteAddr,
    server_addr: remoteAddr,
    server_port: { type: 'integer', minimum: 1, maximum: 65535 },
    sni: host,
    upstream: upstreamSchema,
    upstream_id: id,
    service_id: id,
    plugins,
    protocol: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        superior_id: id,
        conf: { type: 'object' },
        logger: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              filter: { type: 'array' },
              conf: { type: 'object' },
            },
          },
        },
      },
      required: ['name'],
    },
  },
  additionalProperties: false,
} as const
