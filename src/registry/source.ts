import type { DiscoveredNode } from '../discovery/discoverer.ts'
import type { AgentFilter, Registered, RegistrySource } from '../discovery/registry.ts'
import type { Clock } from '../lib/clock.ts'
import { isSocketPath } from '../lib/socket-path.ts'
import { agentStatus, type Serving } from './entries.ts'
import type { LocalSockets } from './local-sockets.ts'
import { type AgentRecord, agentId, readEndpoint } from './records.ts'
import type { RegistryView } from './view.ts'
import { isClimbing, selectable, type Weights, weightsOf } from './weights.ts'

/** While a node climbs back its weight is told this often. */
const CLIMB_STEP_MS = 1000

/** What upstreams ask of the registry, answered from memory. */
export class ViewSource implements RegistrySource {
  readonly #view: RegistryView
  readonly #clock: Clock
  readonly #sockets: LocalSockets
  /** What was told of an agent last is told again as the same object: who compares sees at a glance that nothing is new. */
  readonly #known = new WeakMap<AgentRecord, Addressed>()

  constructor(view: RegistryView, clock: Clock, sockets: LocalSockets) {
    this.#view = view
    this.#clock = clock
    this.#sockets = sockets
  }

  read(type: string, filter: AgentFilter): Registered {
    if (!this.#view.hasState) throw new Error('the registry has not been read from the store yet')
    const all = this.#view.serving(type)
    const now = this.#clock.nowMs()
    const found = this.#addressed(selectable(all, filter), now)
    const nodes = distinct(
      found.filter(({ node: { host } }) => !isSocketPath(host) || this.#sockets.isHere(host)),
    )
    const climbs = all.some(({ node }) => isClimbing(node, now))
    const isKnown = this.#view.isKnown(type)
    return climbs ? { nodes, isKnown, changesInMs: CLIMB_STEP_MS } : { nodes, isKnown }
  }

  #addressed(all: readonly Serving[], nowMs: number): Addressed[] {
    const addressed: Addressed[] = []
    for (const serving of all) {
      const known = this.#known.get(serving.agent)
      const one = known && isStill(known, serving, nowMs) ? known : addressOf(serving, nowMs)
      if (!one) continue
      if (one !== known) this.#known.set(serving.agent, one)
      addressed.push(one)
    }
    return addressed
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

/** An agent as a node, with what that was made from. */
interface Addressed {
  readonly endpoint: string
  /** To sort by. */
  readonly address: string
  readonly live: Weights
  readonly node: DiscoveredNode
}

function endpointOf({ agent, node }: Serving): string {
  return agent.endpoint ?? node.record.endpoint
}

function isStill({ endpoint, live }: Addressed, serving: Serving, nowMs: number): boolean {
  const { weight, dynamic } = weightsOf(serving, nowMs)
  return endpoint === endpointOf(serving) && live.weight === weight && live.dynamic === dynamic
}

function addressOf(serving: Serving, nowMs: number): Addressed | undefined {
  const endpoint = endpointOf(serving)
  const place = readEndpoint(endpoint)
  if (!place) return undefined
  const { agent } = serving
  const live = weightsOf(serving, nowMs)
  const { weight, priority } = agent
  const node = { ...place, weight, priority, live, agents: [agentId(agent)] }
  return { endpoint, address: `${place.host} ${place.port}`, live, node }
}

/** In one order, and each address once: of several agents at one address the first speaks for it. */
function distinct(all: readonly Addressed[]): DiscoveredNode[] {
  const byAddress = new Map<string, Addressed[]>()
  for (const one of all) {
    const same = byAddress.get(one.address)
    if (same) same.push(one)
    else byAddress.set(one.address, [one])
  }
  return [...byAddress.keys()].sort().map((address) => merged(byAddress.get(address)!))
}

function merged(agents: readonly Addressed[]): DiscoveredNode {
  const { node } = agents[0]!
  return agents.length === 1 ? node : { ...node, agents: agents.flatMap((one) => one.node.agents ?? []) }
}
