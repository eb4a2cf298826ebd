import type { AgentEntry } from './entries.ts'

/** Agents by what they are looked up by; always as the agents are, because nothing of it is stored. */
export class AgentIndex {
  readonly all: AgentSet = new AgentSet()
  readonly #byType = new Map<string, AgentSet>()
  readonly #byNode = new Map<string, AgentSet>()
  readonly #byCapability = new Map<string, AgentSet>()

  add(agent: AgentEntry): void {
    this.all.add(agent)
    for (const [map, name] of this.#places(agent)) {
      let found = map.get(name)
      if (!found) {
        found = new AgentSet()
        map.set(name, found)
      }
      found.add(agent)
    }
  }

  /** To be told before its record changes. */
  remove(agent: AgentEntry): void {
    this.all.delete(agent)
    for (const [map, name] of this.#places(agent)) {
      const found = map.get(name)
      found?.delete(agent)
      if (found?.size === 0) map.delete(name)
    }
  }

  ofType(type: string): Agents {
    return this.#byType.get(type) ?? NONE
  }

  ofNode(nodeId: string): Agents {
    return this.#byNode.get(nodeId) ?? NONE
  }

  ofCapability(capability: string): Agents {
    return this.#byCapability.get(capability) ?? NONE
  }

  get types(): Iterable<string> {
    return this.#byType.keys()
  }

  *#places({ record }: AgentEntry): Iterable<[Map<string, AgentSet>, string]> {
    yield [this.#byType, record.type]
    yield [this.#byNode, record.node_id]
    for (const capability of new Set(record.capabilities)) yield [this.#byCapability, capability]
  }
}

/** Agents that have something in common, in no order; for reading. */
export interface Agents extends Iterable<AgentEntry> {
  readonly size: number
  /** The same in the order of their ids. */
  sorted(): readonly AgentEntry[]
}

class AgentSet implements Agents {
  readonly #agents = new Set<AgentEntry>()
  /** Kept until they are others: they are looked up more often than they come and go. */
  #sorted: readonly AgentEntry[] | undefined

  get size(): number {
    return this.#agents.size
  }

  [Symbol.iterator](): Iterator<AgentEntry> {
    return this.#agents.values()
  }

  sorted(): readonly AgentEntry[] {
    this.#sorted ??= [...this.#agents].sort((a, b) => (a.id < b.id ? -1 : 1))
    return this.#sorted
  }

  add(agent: AgentEntry): void {
    this.#agents.add(agent)
    this.#sorted = undefined
  }

  delete(agent: AgentEntry): void {
    this.#agents.delete(agent)
    this.#sorted = undefined
  }
}

const NONE: Agents = new AgentSet()
