import type { NodeFeed } from './node-feed.ts'
import type { UpstreamSpec } from './spec.ts'
import type { UpstreamNode } from './upstream.ts'

/** Who is behind the nodes of an upstream that the gateway's own registry gives. */
export interface RegisteredAgents {
  /** The upstream's `service_name`. */
  readonly type: string
  /** Whether anyone of the type is registered, usable or not. */
  readonly isTypeKnown: boolean
  /** By `type/key`: those that requests may go to. Several agents may share a node. */
  readonly nodes: ReadonlyMap<string, UpstreamNode>
}

const REGISTRY = 'registry'

/** `nodes` are those of the feed, in its order; `undefined` for an upstream that asks another registry, or none. */
export function registeredAgents(
  { discovery }: UpstreamSpec,
  feed: Pick<NodeFeed, 'nodes' | 'isKnown'>,
  nodes: readonly UpstreamNode[],
): RegisteredAgents | undefined {
  if (discovery?.type !== REGISTRY) return undefined
  const byAgent = new Map<string, UpstreamNode>()
  feed.nodes.forEach(({ agents = [] }, index) => {
    for (const agent of agents) byAgent.set(agent, nodes[index]!)
  })
  return { type: discovery.serviceName, isTypeKnown: feed.isKnown, nodes: byAgent }
}
