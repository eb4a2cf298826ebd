import type { DiscoveredNode } from '../discovery/discoverer.ts'
import type { AgentFilter, Registered, RegistrySource } from '../discovery/registry.ts'
import type { Clock } from '../lib/clock.ts'
import { isSocketPath } from '../lib/socket-path.ts'
import { agentStatus, type Serving } from './entries.ts'
import type { LocalSockets } from './local-sockets.ts'
import { agentId, readEndpoint } from './records.ts'
import type { RegistryView } from './view.ts'
import { isClimbing, selectable, weightsOf } from './weights.ts'

/** While a node climbs back its weight is told this often. */
const CLIMB_STEP_MS = 1000

/** What upstreams ask of the registry, answered from memory. */
export class ViewSource implements RegistrySource {
  readonly #view: RegistryView
  readonly #clock: Clock
  readonly #sockets: LocalSockets

  constructor(view: RegistryView, clock: Clock, sockets: LocalSockets) {
    this.#view = view
    this.#clock = clock
    this.#sockets = sockets
  }

  read(type: string, filter: AgentFilter): Registered {
    if (!this.#view.hasState) throw new Error('the registry has not been read from the store yet')
    const all = this.#view.serving(type)
    const now = this.#clock.nowMs()
    const found = selectable(all, filter).flatMap((serving) => asNode(serving, now))
    const nodes = distinct(found.filter(({ host }) => !isSocketPath(host) || this.#sockets.isHere(host)))
    const climbs = all.some(({ node }) => isClimbing(node, now))
    const isKnown = this.#view.isKnown(type)
    return climbs ? { nodes, isKnown, changesInMs: CLIMB_STEP_MS } : { nodes, isKnown }
  }

  subscribe(type: string, onChange: () => void) {
    const close = this.#view.subscribe((types) => {
      if (types.has(type)) onChange()
    })
    return { close }
  }

  dump(): object {
    return {
      services: Object.fromEntries(
        [...this.#view.index.types].sort().map((type) => [
          type,
          this.#view.serving(type).map(({ agent, node }) => ({
            key: agent.key,
            node_id: agent.node_id,
            endpoint: agent.endpoint ?? node.record.endpoint,
            weight: agent.weight,
            status: agentStatus(node),
          })),
        ]),
      ),
    }
  }
}

interface AgentsNode extends DiscoveredNode {
  readonly agents: string[]
}

function asNode(serving: Serving, nowMs: number): AgentsNode[] {
  const { agent, node } = serving
  const place = readEndpoint(agent.endpoint ?? node.record.endpoint)
  if (!place) return []
  return [
    {
      ...place,
      weight: agent.weight,
      priority: agent.priority,
      live: weightsOf(serving, nowMs),
      agents: [agentId(agent)],
    },
  ]
}

/** In one order, and each address once: of several agents at one address the first speaks for it. */
function distinct(nodes: readonly AgentsNode[]): DiscoveredNode[] {
  const byAddress = new Map<string, AgentsNode>()
  for (const node of nodes) {
    const address = `${node.host} ${node.port}`
    const first = byAddress.get(address)
    if (first) first.agents.push(...node.agents)
    else byAddress.set(address, node)
  }
  return [...byAddress].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node)
}
