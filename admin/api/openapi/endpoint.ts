import { type Answer, refuse } from '../answer.ts'
import type { Call } from '../call.ts'
import type { AdminDeps } from '../deps.ts'
import { buildOpenApi } from './document.ts'

/** GET `openapi.json`: the description with the plugins that are enabled now. */
export function showOpenApi({ id }: Call, { plugins, version }: AdminDeps): Answer {
  if (id !== undefined) throw refuse(404, 'not found')
  return { status: 200, json: buildOpenApi(plugins.all(), version) }
}
