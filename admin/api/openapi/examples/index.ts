import type { ExampleGroup } from '../example.ts'
import { CLUSTER } from './cluster.ts'
import { CONFIGS } from './configs.ts'
import { CONFIGS_VALIDATE } from './configs-validate.ts'
import { CONSUMER_GROUPS } from './consumer-groups.ts'
import { CONSUMERS } from './consumers.ts'
import { CREDENTIALS } from './credentials.ts'
import { GLOBAL_RULES } from './global-rules.ts'
import { PLUGIN_CONFIGS } from './plugin-configs.ts'
import { PLUGIN_METADATA } from './plugin-metadata.ts'
import { PLUGINS } from './plugins.ts'
import { PROTOS } from './protos.ts'
import { ROUTES } from './routes.ts'
import { SCHEMA } from './schema.ts'
import { SECRETS } from './secrets.ts'
import { SERVICES } from './services.ts'
import { SSLS } from './ssls.ts'
import { STREAM_ROUTES } from './stream-routes.ts'
import { UPSTREAMS } from './upstreams.ts'

const OPENAPI: ExampleGroup = {
  name: 'openapi',
  about:
    'This description, an OpenAPI 3.1 document with the schemas of the enabled plugins. `GET /apisix/admin/openapi` is a page that ' +
    'asks for a key, lists all of it and sends requests.',
  examples: [],
}

/** All groups, in the order in which they are shown. Each example is one that a test sends. */
export const EXAMPLE_GROUPS: readonly ExampleGroup[] = [
  ROUTES,
  SERVICES,
  UPSTREAMS,
  CONSUMERS,
  CREDENTIALS,
  CONSUMER_GROUPS,
  SSLS,
  GLOBAL_RULES,
  PLUGIN_CONFIGS,
  PLUGIN_METADATA,
  PROTOS,
  STREAM_ROUTES,
  SECRETS,
  PLUGINS,
  SCHEMA,
  CONFIGS_VALIDATE,
  CONFIGS,
  CLUSTER,
  OPENAPI,
]
