import type { IsKnown, MetricRegistry } from '../observe/metrics.ts'
import { AGENT_TYPES } from '../registry/agent-traffic.ts'
import type { Graph } from '../snapshot/graph.ts'
import type { PoolRegistry } from '../upstream/pool-registry.ts'
import type { AgentTypes } from './agent-types.ts'

interface Owners {
  readonly graph: Graph
  readonly pools: PoolRegistry
  /** Absent without a registry. */
  readonly agentTypes: AgentTypes | undefined
}

/** Which routes, services, consumers, nodes and types of agents there are now; for one look at the labels that name them. Others are all known. */
export function knownOwners({ graph, pools, agentTypes }: Owners): IsKnown {
  const isNode = once(() => pools.hosts())
  const routeNames = once(() => namesOf(graph, 'routes'))
  const serviceNames = once(() => namesOf(graph, 'services'))
  const checks: Readonly<Record<string, (value: string) => boolean>> = {
    routes: (value) => graph.get('routes', value) !== undefined || routeNames().has(value),
    services: (value) => graph.get('services', value) !== undefined || serviceNames().has(value),
    consumers: (value) => graph.get('consumers', value) !== undefined,
    nodes: (value) => isNode().has(value),
    [AGENT_TYPES]: (value) => agentTypes?.isKnown(value) ?? true,
  }
  return (owner, value) => checks[owner]?.(value) ?? true
}

/** Lets series go with what their labels name: whatever is not configured any more is gone from the next exposition on. */
export function removeSeriesOfTheGone(metrics: MetricRegistry, owners: Owners): void {
  metrics.beforeCollect(() => metrics.prune(knownOwners(owners)))
}

/** Labels show names in place of ids where a plugin was told to. */
function namesOf(graph: Graph, kind: 'routes' | 'services'): Set<string> {
  const names = new Set<string>()
  for (const { value } of graph.list(kind)) if (value.name !== undefined) names.add(value.name)
  return names
}

/** Makes what most expositions do not need only when it is asked for, and then once. */
function once(make: () => Set<string>): () => Set<string> {
  let made: Set<string> | undefined
  return () => {
    made ??= make()
    return made
  }
}
