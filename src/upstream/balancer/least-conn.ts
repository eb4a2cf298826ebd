import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'
import { effectiveWeights } from './weights.ts'

/** Attempts under way at one address. Shared by a balancer and those that follow it, so that an attempt ends where it began. */
interface Load {
  active: number
}

/**
 * The node with the fewest attempts under way for its weight: least `(1 + active) / weight`, ties by chance (contract §5.3,
 * systems.md §7.5). Counts outlive edits of the upstream. Every picked node must be released exactly once.
 */
export const leastConn: BalancerFactory = {
  create: (nodes, random, previous) =>
    new LeastConn(nodes, random, previous instanceof LeastConn ? previous : undefined),
}

class LeastConn<N extends BalancerNode> implements Balancer<N> {
  readonly #nodes: readonly N[]
  readonly #weights: readonly number[]
  readonly #loads: readonly Load[]
  readonly #loadByAddress: ReadonlyMap<string, Load>
  readonly #random: () => number

  constructor(nodes: readonly N[], random: () => number, previous: LeastConn<N> | undefined) {
    this.#nodes = nodes
    this.#weights = effectiveWeights(nodes)
    this.#random = random
    const known = previous ? previous.#loadByAddress : new Map<string, Load>()
    const loads = new Map<string, Load>()
    for (const { address } of nodes) {
      if (!loads.has(address)) loads.set(address, known.get(address) ?? { active: 0 })
    }
    this.#loadByAddress = loads
    this.#loads = nodes.map(({ address }) => loads.get(address)!)
  }

  pick(context: PickContext<N>): N | undefined {
    let best = -1
    let bestScore = Number.POSITIVE_INFINITY
    let ties = 0
    for (let i = 0; i < this.#nodes.length; i++) {
      if (this.#weights[i] === 0 || context.isExcluded(this.#nodes[i]!)) continue
      const score = (1 + this.#loads[i]!.active) / this.#weights[i]!
      if (score > bestScore) continue
      ties = score < bestScore ? 1 : ties + 1
      // The k-th of equals replaces the choice once in k times: all are as likely, without a list of them.
      if (ties === 1 || this.#random() * ties < 1) best = i
      bestScore = score
    }
    if (best < 0) return undefined
    this.#loads[best]!.active += 1
    return this.#nodes[best]
  }

  release(node: N): void {
    const load = this.#loadByAddress.get(node.address)
    if (load && load.active > 0) load.active -= 1
  }
}
