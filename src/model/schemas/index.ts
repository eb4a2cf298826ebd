import type { Kind } from '../kind.ts'
import { consumerSchema } from './consumer.ts'
import { consumerGroupSchema } from './consumer-group.ts'
import { credentialSchema } from './credential.ts'
import { globalRuleSchema } from './global-rule.ts'
import { pluginConfigSchema } from './plugin-config.ts'
import { pluginMetadataSchema } from './plugin-metadata.ts'
import { protoSchema } from './proto.ts'
import { routeSchema } from './route.ts'
import { secretSchema } from './secret.ts'
import { serviceSchema } from './service.ts'
import { sslSchema } from './ssl.ts'
import { streamRouteSchema } from './stream-route.ts'
import { upstreamSchema } from './upstream.ts'

/** The schema of each kind's documents. */
export const SCHEMAS = {
  plugin_metadata: pluginMetadataSchema,
  secrets: secretSchema,
  ssls: sslSchema,
  protos: protoSchema,
  upstreams: upstreamSchema,
  services: serviceSchema,
  plugin_configs: pluginConfigSchema,
  consumer_groups: consumerGroupSchema,
  credentials: credentialSchema,
  consumers: consumerSchema,
  global_rules: globalRuleSchema,
  routes: routeSchema,
  stream_routes: streamRouteSchema,
} as const satisfies Record<Kind, object>
