import { type Answer, keyNotFound, Refusal, refuse } from './answer.ts'
import { bareStatus } from './bare-status.ts'
import { type Call, type Endpoint, MAX_ID_LENGTH } from './call.ts'
import { showCluster } from './cluster.ts'
import { createConfigsRoutes } from './configs.ts'
import { remove } from './delete.ts'
import type { AdminDeps } from './deps.ts'
import { createOpenApi } from './openapi/endpoint.ts'
import { patch } from './patch.ts'
import { type Operation, perform } from './perform.ts'
import { createPluginRoutes } from './plugin-routes.ts'
import { read } from './read.ts'
import { RESOURCES, type Resource, withParent } from './resources.ts'
import { showSchema, validateAgainstSchema } from './schema-routes.ts'
import { resourceNameOf } from './scope.ts'
import { post, put } from './write.ts'

const OPERATIONS: Readonly<Record<string, Operation>> = {
  GET: read,
  PUT: put,
  POST: post,
  PATCH: patch,
  DELETE: remove,
}

/** Finds what answers a method and the segments below `/apisix/admin`; throws the 404 of contract §1.2. */
export type Dispatch = (method: string, segments: readonly string[]) => Endpoint

export function createDispatch(deps: AdminDeps): Dispatch {
  const configs = createConfigsRoutes(deps)
  const plugins = createPluginRoutes(deps)
  /** What is answered by GET alone; `true` marks answers with `X-API-VERSION`. */
  const special: Readonly<Record<string, Endpoint>> = {
    'GET plugins/list': { answer: plugins.list, isVersioned: false, touches: 'nothing' },
    'GET plugins': { answer: plugins.describe, isVersioned: true, touches: 'nothing' },
    'GET cluster': { answer: (call) => showCluster(deps, call), isVersioned: false },
    'GET openapi.json': { answer: createOpenApi(deps), isVersioned: false, touches: 'nothing' },
    'GET schema': { answer: (call) => showSchema(call, plugins), isVersioned: true, touches: 'nothing' },
    'POST schema/validate': { answer: validateAgainstSchema, isVersioned: false, touches: 'nothing' },
  }
  return (method, segments) => {
    const whole = configs.find(method, segments)
    if (whole !== undefined) return whole
    if (configs.areAll) throw new Refusal(bareStatus(404, undefined))
    const [first = '', second] = segments
    if (first === 'plugins' && second === 'reload') return { answer: plugins.reload, isVersioned: false }
    const found = special[`${method} ${first}/${second}`] ?? special[`${method} ${first}`]
    if (found !== undefined) return found
    if (first === 'plugins' || first === 'schema') throw refuse(404, 'not found')
    // A credential is a resource of its own: were its path read as its consumer's, DELETE would take the consumer.
    const resource = RESOURCES.get(resourceNameOf(segments))
    if (resource === undefined || first === 'credentials') {
      throw refuse(404, `Unsupported resource type: ${first}`)
    }
    const answer = (call: Call) => operate(deps, resource, withParent(resource, call))
    return { answer, isVersioned: true, touches: 'resource' }
  }
}

function operate(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const off = resource.isOff?.(deps)
  if (off !== undefined) throw refuse(400, off)
  if (resource.forbids.includes(call.method)) {
    throw refuse(405, `not supported \`${call.method}\` method for ${resource.word}`)
  }
  if (call.method !== 'GET' && deps.store.isReadOnly) {
    throw refuse(
      405,
      `the configuration comes from the ${deps.store.name} store, which is read-only: change it there; the admin API can only read it`,
    )
  }
  const isTooLong = [call.parent, call.id].some((part = '') => part.length > MAX_ID_LENGTH)
  if (isTooLong && call.method !== 'PUT') throw keyNotFound()
  return perform(OPERATIONS[call.method]!, { deps, resource, call })
}
