import { SCHEMAS } from '../../src/model/schemas/index.ts'
import { SECRET_SCHEMAS } from '../../src/model/schemas/secret.ts'
import { compileValidator } from '../../src/model/validator.ts'
import { type Answer, refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { PluginRoutes } from './plugin-routes.ts'

/** By the names of `schema/{name}`. */
const SINGULAR: ReadonlyMap<string, object> = new Map<string, object>([
  ['route', SCHEMAS.routes],
  ['service', SCHEMAS.services],
  ['upstream', SCHEMAS.upstreams],
  ['consumer', SCHEMAS.consumers],
  ['plugin_config', SCHEMAS.plugin_configs],
  ['global_rule', SCHEMAS.global_rules],
  ['credential', SCHEMAS.credentials],
  ['consumer_group', SCHEMAS.consumer_groups],
  ['ssl', SCHEMAS.ssls],
  ['proto', SCHEMAS.protos],
  ['stream_route', SCHEMAS.stream_routes],
  ['secret', { anyOf: Object.values(SECRET_SCHEMAS) }],
])

/** By the names of `schema/validate/{resource}`. */
const PLURAL: ReadonlyMap<string, object> = new Map<string, object>(Object.entries(SCHEMAS))

/** What has no schema before its path says whose it is, and so cannot be validated by its name alone. */
const SCHEMA_BY: ReadonlyMap<string, string> = new Map([
  ['plugin_metadata', 'plugin: use PUT /apisix/admin/plugin_metadata/<plugin>?dry_run=true'],
  ['secrets', 'manager: use PUT /apisix/admin/secrets/<manager>/<id>?dry_run=true'],
])

/** GET `schema/{name}`; `schema/plugins/{name}` is `plugins/{name}`. */
export function showSchema(call: Call, plugins: PluginRoutes): Answer {
  if (call.id === 'plugins') return plugins.describe({ ...call, id: call.subPath[0] })
  const schema = call.id === undefined ? undefined : SINGULAR.get(call.id)
  if (schema === undefined) throw refuse(400, `not found schema: ${call.id ?? ''}`)
  return { status: 200, json: schema }
}

/** POST `schema/validate/{resource}`: only what the schema says; plugins are not checked. */
export function validateAgainstSchema({ subPath, body }: Call): Answer {
  const name = subPath[0] ?? ''
  const schema = PLURAL.get(name)
  if (schema === undefined) throw refuse(404, `Unsupported resource type: ${name}`)
  const decidedBy = SCHEMA_BY.get(name)
  if (decidedBy !== undefined) throw refuse(400, `the schema of ${name} depends on the ${decidedBy}`)
  const message = compileValidator(schema)(body)
  if (message !== undefined) throw refuse(400, message)
  return { status: 200 }
}
