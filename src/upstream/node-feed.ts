import { isIP } from 'node:net'
import type { DiscoveredNode, DiscoveredService, NodeSink, Watch } from '../discovery/discoverer.ts'
import type { RefreshListener } from '../discovery/refreshed.ts'
import type { NameAnswer } from '../discovery/resolver.ts'
import { isSocketPath } from '../lib/socket-path.ts'
import { type NodeSpec, schemePort, type UpstreamSpec } from './spec.ts'

/** Where the nodes of an upstream come from when they do not all stand in it as addresses. */
export interface NodeOrigins {
  readonly names: { watch(name: string, listener: RefreshListener<NameAnswer>): Watch }
  readonly discovery: { watch(type: string, service: DiscoveredService, sink: NodeSink): Watch }
}

/** The nodes of one version of an upstream, as they are known at the moment, with addresses to connect to. */
export interface NodeFeed extends Watch {
  readonly nodes: readonly NodeSpec[]
  /** Why there are none, when that is not how it was configured. */
  readonly whyEmpty: string | undefined
  /** False where a registry says that nobody of the service's name is registered, usable or not. */
  readonly isKnown: boolean
  /** False until everything that was asked for has been answered once, well or badly. */
  readonly isSettled: boolean
}

/**
 * Begins to follow the nodes of an upstream. `onChange` is told of each change, never before this returns and not after `close`. An
 * upstream that {@link hasOnlyAddresses} needs none.
 */
export function feedNodes(spec: UpstreamSpec, origins: NodeOrigins, onChange: () => void): NodeFeed {
  const named = new NamedNodes(origins, onChange)
  if (!spec.discovery) {
    named.set(spec.nodes)
    named.open()
    return named
  }
  return new DiscoveredNodes(spec, { origins, named })
}

/** Whether its nodes stand in the upstream as they are. */
export function hasOnlyAddresses({ discovery, nodes }: UpstreamSpec): boolean {
  return !discovery && nodes.every(isAddress)
}

/** A feed that never changes. */
export function fixedFeed(nodes: readonly NodeSpec[]): NodeFeed {
  return new FixedFeed(nodes)
}

/** Most upstreams have one, and there may be many: it holds nothing but the nodes. */
class FixedFeed implements NodeFeed {
  readonly nodes: readonly NodeSpec[]

  constructor(nodes: readonly NodeSpec[]) {
    this.nodes = nodes
  }

  get whyEmpty(): undefined {
    return undefined
  }

  get isKnown(): boolean {
    return true
  }

  get isSettled(): boolean {
    return true
  }

  close(): void {}
}

function isAddress({ host }: NodeSpec): boolean {
  return isIP(host) !== 0 || isSocketPath(host)
}

interface WatchedName {
  answer: NameAnswer | undefined
  problem: string | undefined
  watch: Watch | undefined
}

/** Nodes with names in their place: each name gives one address per node, in turn (contract §5.2). One that has none is left out. */
class NamedNodes implements NodeFeed {
  nodes: readonly NodeSpec[] = []
  readonly isKnown = true
  readonly #origins: NodeOrigins
  readonly #onChange: () => void
  readonly #names = new Map<string, WatchedName>()
  #configured: readonly NodeSpec[] = []
  #isOpen = false
  #isQuiet = false

  constructor(origins: NodeOrigins, onChange: () => void) {
    this.#origins = origins
    this.#onChange = onChange
  }

  get whyEmpty(): string | undefined {
    const problems = [...this.#names.values()].map(({ problem }) => problem ?? 'no answer yet')
    return this.nodes.length > 0 || problems.length === 0 ? undefined : problems.slice(0, 3).join('; ')
  }

  get isSettled(): boolean {
    for (const { answer, problem } of this.#names.values()) if (!answer && problem === undefined) return false
    return true
  }

  /** Replaces the nodes as configured or discovered. */
  set(nodes: readonly NodeSpec[]): void {
    this.#configured = nodes
    const wanted = new Set(nodes.filter((node) => !isAddress(node)).map(({ host }) => host.toLowerCase()))
    this.#isQuiet = true
    for (const name of wanted) if (!this.#names.has(name)) this.#watch(name)
    for (const [name, { watch }] of this.#names) {
      if (wanted.has(name)) continue
      watch?.close()
      this.#names.delete(name)
    }
    this.#isQuiet = false
    this.changed()
  }

  /** From now on changes are told. */
  open(): void {
    this.#isOpen = true
  }

  close(): void {
    this.#isOpen = false
    for (const { watch } of this.#names.values()) watch?.close()
    this.#names.clear()
  }

  changed(): void {
    if (this.#isQuiet) return
    this.nodes = this.#resolved()
    if (this.#isOpen) this.#onChange()
  }

  #watch(name: string): void {
    const watched: WatchedName = { answer: undefined, problem: undefined, watch: undefined }
    this.#names.set(name, watched)
    watched.watch = this.#origins.names.watch(name, {
      onValue: (answer) => {
        watched.answer = answer
        watched.problem = undefined
        this.changed()
      },
      onProblem: (reason) => {
        watched.problem = reason
        this.changed()
      },
    })
  }

  #resolved(): NodeSpec[] {
    const uses = new Map<string, number>()
    return this.#configured.flatMap((node) => {
      if (isAddress(node)) return [node]
      const name = node.host.toLowerCase()
      const answer = this.#names.get(name)?.answer
      if (!answer) return []
      // Several nodes of one name take addresses that follow each other.
      const use = uses.get(name) ?? 0
      uses.set(name, use + 1)
      const host = answer.addresses[(answer.turn + use) % answer.addresses.length]!
      return [{ ...node, host, domain: node.host }]
    })
  }
}

/** A ring is made of configured weights: one that follows what nodes do would move keys without end. */
const RINGS: readonly string[] = ['chash', 'ketama']

function weightFor(type: string, { weight, live }: DiscoveredNode): number {
  if (live === undefined || RINGS.includes(type)) return weight
  return type === 'wrr_dynamic' ? live.dynamic : live.weight
}

/** Nodes that a registry gives; names among them are resolved like configured ones. */
class DiscoveredNodes implements NodeFeed {
  readonly #named: NamedNodes
  readonly #spec: UpstreamSpec
  readonly #watch: Watch
  #hasNodes = false
  #isKnown = true
  #problem: string | undefined

  constructor(spec: UpstreamSpec, { origins, named }: { origins: NodeOrigins; named: NamedNodes }) {
    this.#spec = spec
    this.#named = named
    const { type, ...service } = spec.discovery!
    this.#watch = origins.discovery.watch(type, service, {
      onNodes: (nodes, isKnown = true) => this.#onNodes(nodes, isKnown),
      onProblem: (reason) => {
        this.#problem = reason
        named.changed()
      },
    })
    named.open()
  }

  get nodes(): readonly NodeSpec[] {
    return this.#named.nodes
  }

  get whyEmpty(): string | undefined {
    if (this.nodes.length > 0) return undefined
    const { type, serviceName } = this.#spec.discovery!
    const where = `service "${serviceName}" of discovery type "${type}"`
    if (!this.#hasNodes) return `${where}: ${this.#problem ?? 'no answer yet'}`
    return this.#named.whyEmpty ?? `${where} has no nodes`
  }

  get isKnown(): boolean {
    return this.#isKnown
  }

  get isSettled(): boolean {
    return (this.#hasNodes || this.#problem !== undefined) && this.#named.isSettled
  }

  close(): void {
    this.#watch.close()
    this.#named.close()
  }

  #onNodes(nodes: readonly DiscoveredNode[], isKnown: boolean): void {
    this.#hasNodes = true
    this.#isKnown = isKnown
    this.#problem = undefined
    const { scheme, type } = this.#spec
    const port = schemePort(scheme)
    this.#named.set(
      nodes.map((node) => ({
        host: node.host,
        port: node.port ?? port,
        weight: weightFor(type, node),
        priority: node.priority,
        ...(node.agents && { agents: node.agents }),
      })),
    )
  }
}
