import type { Kind } from '../kind.ts'
import { consumerSchema } from './consumer.ts'
import { globalRuleSchema } from './global-rule.ts'
import { pluginConfigSchema } from './plugin-config.ts'
import { pluginMetadataSchema } from './plugin-metadata.ts'
import { routeSchema } from './route.ts'
import { serviceSchema } from './service.ts'
import { sslSchema } from './ssl.ts'
import { upstreamSchema } from './upstream.ts'

/** The schema of each kind's documents. */
export const SCHEMAS = {
  plugin_metadata: pluginMetadataSchema,
  ssls: sslSchema,
  upstreams: upstreamSchema,
  services: serviceSchema,
  plugin_configs: pluginConfigSchema,
  consumers: consumerSchema,
  global_rules: globalRuleSchema,
  routes: routeSchema,
} as const satisfies Record<Kind, object>
