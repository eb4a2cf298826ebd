import { SCHEMAS } from '../../src/model/schemas/index.ts'
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
])

/** By the names of `schema/validate/{resource}`. Metadata has no schema before its plugin is named. */
const PLURAL: ReadonlyMap<string, object> = new Map<string, object>(
  Object.entries(SCHEMAS).filter(([kind]) => kind !== 'plugin_metadata'),
)

/** GET `schema/{name}`; `schema/plugins/{name}` is `plugins/{name}`. */
export function showSchema(call: Call, plugins: PluginRoutes): Answer {
  if (call.id === 'plugins') return plugins.describe({ ...call, id: call.subPath[0] })
  const schema = call.id === undefined ? undefined : SINGULAR.get(call.id)
  if (schema === undefined) throw refuse(400, `not found schema: ${call.id ?? ''}`)
  return { status: 200, json: schema }
}

/** POST `schema/validate/{resource}`: only what the schema says; plugins are not checked. */
export function validateAgainstSchema({ subPath, body }: Call): Answer {
  const schema = PLURAL.get(subPath[0] ?? '')
  if (schema === undefined) throw refuse(404, `Unsupported resource type: ${subPath[0] ?? ''}`)
  const message = compileValidator(schema)(body)
  if (message !== undefined) throw refuse(400, message)
  return { status: 200 }
}
