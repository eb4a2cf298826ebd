import type { AgentEntry } from './entries.ts'

/** Agents by what they are looked up by; always as the agents are, because nothing of it is stored. */
export class AgentIndex {
  readonly #byType = new Map<string, Set<AgentEntry>>()
  readonly #byNode = new Map<string, Set<AgentEntry>>()
  readonly #byCapability = new Map<string, Set<AgentEntry>>()

  add(agent: AgentEntry): void {
    for (const [map, name] of this.#places(agent)) {
      const found = map.get(name)
      if (found) found.add(agent)
      else map.set(name, new Set([agent]))
    }
  }

  /** To be told before its record changes. */
  remove(agent: AgentEntry): void {
    for (const [map, name] of this.#places(agent)) {
      const found = map.get(name)
      found?.delete(agent)
      if (found?.size === 0) map.delete(name)
    }
  }

  clear(): void {
    this.#byType.clear()
    this.#byNode.clear()
    this.#byCapability.clear()
  }

  ofType(type: string): ReadonlySet<AgentEntry> {
    return this.#byType.get(type) ?? NONE
  }

  ofNode(nodeId: string): ReadonlySet<AgentEntry> {
    return this.#byNode.get(nodeId) ?? NONE
  }

  ofCapability(capability: string): ReadonlySet<AgentEntry> {
    return this.#byCapability.get(capability) ?? NONE
  }

  get types(): Iterable<string> {
    return this.#byType.keys()
  }

  *#places({ record }: AgentEntry): Iterable<[Map<string, Set<AgentEntry>>, string]> {
    yield [this.#byType, record.type]
    yield [this.#byNode, record.node_id]
    for (const capability of new Set(record.capabilities)) yield [this.#byCapability, capability]
  }
}

const NONE: ReadonlySet<AgentEntry> = new Set()
