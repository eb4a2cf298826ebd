import { described, hosts, id, plugins, script } from './definitions.ts'
import { upstreamSchema } from './upstream.ts'

/** Contract §3.4. */
export const serviceSchema = {
  type: 'object',
  properties: {
    ...described,
    plugins,
    upstream: upstreamSchema,
    upstream_id: id,
    script,
    enable_websocket: { type: 'boolean' },
    hosts,
  },
  additionalProperties: false,
} as const
