import { RegistryError } from '../../../src/registry/registry-error.ts'
import type { Endpoint } from '../call.ts'
import { createAgentRoutes } from './agent-routes.ts'
import { createNodeRoutes } from './node-routes.ts'
import type { RegistryAnswer, RegistryCall, RegistryDeps } from './registry-call.ts'

export interface RegistryRoute {
  readonly answer: (call: RegistryCall) => Promise<RegistryAnswer>
  /** `nothing` keeps it out of the audit log: it changes no registration. */
  readonly touches: Endpoint['touches']
}

type Methods = Readonly<Record<string, RegistryRoute>>

/** Makes what finds the answer to a path, and throws when there is none. Parts of ids are checked by what answers. */
export function createRegistryDispatch(
  deps: RegistryDeps,
): (method: string, segments: readonly string[]) => RegistryRoute {
  const nodes = createNodeRoutes(deps)
  const agents = createAgentRoutes(deps)
  const writes = (answer: RegistryRoute['answer']): RegistryRoute => ({ answer, touches: 'resource' })
  const looks = (answer: RegistryRoute['answer']): RegistryRoute => ({ answer, touches: 'nothing' })
  const table: Readonly<Record<string, Methods>> = {
    'nodes 1': { GET: looks(nodes.list) },
    'nodes 2': { GET: looks(nodes.get), PUT: writes(nodes.put), DELETE: writes(nodes.remove) },
    'nodes 3': { PUT: looks(nodes.heartbeat) },
    'agents 1': { GET: looks(agents.list) },
    'agents 2': { POST: writes(agents.post) },
    'agents 3': { GET: looks(agents.get), PUT: writes(agents.put), DELETE: writes(agents.remove) },
    'select 2': { POST: looks(agents.select) },
  }
  return (method, segments) => {
    const methods = find(table, segments)
    const route = methods[method === 'HEAD' ? 'GET' : method]
    if (route) return route
    const allowed = Object.keys(methods).join(', ')
    throw new RegistryError('METHOD_NOT_ALLOWED', `${method} is not allowed here; use ${allowed}`)
  }
}

function find(table: Readonly<Record<string, Methods>>, segments: readonly string[]): Methods {
  const [kind = '', , third] = segments
  const name = `${kind} ${segments.length}`
  const isKnown = Object.hasOwn(table, name) && (name !== 'nodes 3' || third === 'heartbeat')
  if (isKnown) return table[name]!
  // A key with a slash in it makes the path longer.
  if (kind === 'agents' && segments.length > 3)
    throw new RegistryError('INVALID_AGENT_ID', 'a type or key holds no "/"')
  throw new RegistryError('NOT_FOUND', 'there is nothing at this path of the registry')
}
