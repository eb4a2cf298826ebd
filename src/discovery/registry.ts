import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import type { DiscoveredNode, DiscoveredService, Discoverer, NodeSink, Watch } from './discoverer.ts'

/** What `discovery_args` may ask of the agents of a type. */
export interface AgentFilter {
  /** All of them. */
  readonly capabilities: readonly string[]
  /** Of the agent's metadata or its node's labels. */
  readonly labels: Readonly<Record<string, string>>
}

/** What the registry knows of a type at the moment. */
export interface Registered {
  readonly nodes: readonly DiscoveredNode[]
  /** Whether anyone of the type is registered, usable or not. */
  readonly isKnown: boolean
  /** In how many milliseconds their weights are others by themselves; absent when they are not. */
  readonly changesInMs?: number
}

/** The gateway's own registry. */
export interface RegistrySource {
  /** Throws a reason for people when it cannot say. */
  read(type: string, filter: AgentFilter): Registered
  /** Hears when something of the type may be another. */
  subscribe(type: string, onChange: () => void): Watch
  /** All that is registered, for JSON. */
  dump(): object
}

/** Figures of nodes come with each heartbeat; weights follow them this often. */
const REFRESH_MS = 5000

/**
 * A change is told at once. Where that is much work, what follows is told together, so that it takes a tenth of the time at most: two
 * thousand registrations are not two thousand new upstreams.
 */
const PAUSE_FACTOR = 10
const SHORTEST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 200

/** `discovery_type: registry`: the agents of the type `service_name` that registered with the gateway (docs/reference/registry.md). */
export class RegistryDiscoverer implements Discoverer {
  readonly type = 'registry'
  readonly #source: RegistrySource
  readonly #clock: Clock
  readonly #followed = new Map<string, Followed>()

  constructor(source: RegistrySource, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  /** Services that something is kept of. */
  get size(): number {
    return this.#followed.size
  }

  watch({ serviceName, args }: DiscoveredService, sink: NodeSink): Watch {
    const filter = readFilter(args)
    const key = JSON.stringify([serviceName, filter])
    const read = () => this.#source.read(serviceName, filter)
    let followed = this.#followed.get(key)
    if (!followed) {
      followed = new Followed(read, this.#clock, () => this.#followed.delete(key))
      this.#followed.set(key, followed)
      followed.open(this.#source, serviceName)
    }
    return followed.add(sink)
  }

  dump(): object {
    return this.#source.dump()
  }
}

/** One type and filter, for all who watch it. */
class Followed {
  readonly #read: () => Registered
  readonly #clock: Clock
  readonly #onIdle: () => void
  readonly #sinks = new Set<NodeSink>()
  #nodes: readonly DiscoveredNode[] | undefined
  #isKnown = false
  #problem: string | undefined
  #cancel = () => {}
  #cancelPause = () => {}
  #pauseUntilMs = Number.NEGATIVE_INFINITY
  #subscription: Watch | undefined
  #isDue = false

  constructor(read: () => Registered, clock: Clock, onIdle: () => void) {
    this.#read = read
    this.#clock = clock
    this.#onIdle = onIdle
  }

  open(source: RegistrySource, type: string): void {
    this.#subscription = source.subscribe(type, () => this.#soon())
    this.#refresh()
  }

  add(sink: NodeSink): Watch {
    // In an object of its own: one sink may watch twice.
    const listener: NodeSink = {
      onNodes: (nodes, isKnown) => sink.onNodes(nodes, isKnown),
      onProblem: (reason) => sink.onProblem(reason),
    }
    this.#sinks.add(listener)
    if (this.#nodes) listener.onNodes(this.#nodes, this.#isKnown)
    else if (this.#problem !== undefined) listener.onProblem(this.#problem)
    return { close: () => this.#remove(listener) }
  }

  #remove(listener: NodeSink): void {
    if (!this.#sinks.delete(listener) || this.#sinks.size > 0) return
    this.#cancel()
    this.#cancelPause()
    this.#subscription?.close()
    this.#onIdle()
  }

  /** Many changes of one moment are told once. */
  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    const waitMs = this.#pauseUntilMs - this.#clock.nowMs()
    if (waitMs > 0) this.#cancelPause = this.#clock.schedule(waitMs, () => this.#onDue())
    else queueMicrotask(() => this.#onDue())
  }

  #onDue(): void {
    this.#isDue = false
    if (this.#sinks.size === 0) return
    const beganMs = this.#clock.nowMs()
    this.#refresh()
    const endedMs = this.#clock.nowMs()
    const pauseMs = Math.min(LONGEST_PAUSE_MS, (endedMs - beganMs) * PAUSE_FACTOR)
    if (pauseMs >= SHORTEST_PAUSE_MS) this.#pauseUntilMs = endedMs + pauseMs
  }

  #refresh(): void {
    this.#cancel()
    let nextMs = REFRESH_MS
    try {
      const { nodes, isKnown, changesInMs = REFRESH_MS } = this.#read()
      nextMs = Math.min(REFRESH_MS, changesInMs)
      this.#problem = undefined
      this.#accept(nodes, isKnown)
    } catch (error) {
      this.#problem = (error as Error).message
      this.#tell((sink) => sink.onProblem(this.#problem!))
    }
    this.#cancel = this.#clock.schedule(nextMs, () => this.#refresh())
  }

  #accept(nodes: readonly DiscoveredNode[], isKnown: boolean): void {
    const isSame = this.#isKnown === isKnown && isDeepStrictEqual(nodes, this.#nodes)
    if (isSame) return
    this.#nodes = nodes
    this.#isKnown = isKnown
    this.#tell((sink) => sink.onNodes(nodes, isKnown))
  }

  #tell(say: (sink: NodeSink) => void): void {
    for (const sink of [...this.#sinks]) if (this.#sinks.has(sink)) say(sink)
  }
}

/** Reads `discovery_args`. Throws when it cannot be followed. */
function readFilter({ capability = [], labels = {} }: Readonly<Record<string, unknown>>): AgentFilter {
  const capabilities = Array.isArray(capability) ? capability : [capability]
  if (!capabilities.every((one) => typeof one === 'string')) {
    throw new Error('discovery_args.capability must be a name or a list of names')
  }
  const isMap = typeof labels === 'object' && labels !== null && !Array.isArray(labels)
  if (!isMap || !Object.values(labels).every((one) => typeof one === 'string')) {
    throw new Error('discovery_args.labels must be names with the texts that they shall have')
  }
  const sorted = Object.entries(labels as Record<string, string>).sort(([a], [b]) => (a < b ? -1 : 1))
  return { capabilities: [...capabilities].sort(), labels: Object.fromEntries(sorted) }
}
