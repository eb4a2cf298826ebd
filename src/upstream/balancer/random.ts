import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'
import { effectiveWeights } from './weights.ts'

/** Any node, as likely as its weight says; remembers nothing (systems.md §7.5). */
export const randomly: BalancerFactory = { create: (nodes, random) => new RandomBalancer(nodes, random) }

class RandomBalancer<N extends BalancerNode> implements Balancer<N> {
  readonly #nodes: readonly N[]
  readonly #weights: readonly number[]
  readonly #random: () => number

  constructor(nodes: readonly N[], random: () => number) {
    this.#nodes = nodes
    this.#weights = effectiveWeights(nodes)
    this.#random = random
  }

  pick(context: PickContext<N>): N | undefined {
    let total = 0
    for (let i = 0; i < this.#nodes.length; i++) total += this.#weightOf(i, context)
    if (total === 0) return undefined
    let rest = this.#random() * total
    let last: N | undefined
    for (let i = 0; i < this.#nodes.length; i++) {
      const weight = this.#weightOf(i, context)
      if (weight === 0) continue
      last = this.#nodes[i]
      rest -= weight
      if (rest < 0) break
    }
    return last
  }

  #weightOf(index: number, context: PickContext<N>): number {
    const weight = this.#weights[index]!
    return weight === 0 || context.isExcluded(this.#nodes[index]!) ? 0 : weight
  }
}
