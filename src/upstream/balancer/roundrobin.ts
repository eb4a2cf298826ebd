import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'
import { effectiveWeights, reduceWeights } from './weights.ts'

/** Bounds the work of the random start: nodes × picks that are made ahead. */
const START_BUDGET = 100_000

/**
 * Smooth weighted round robin (decisions 5, systems.md §7.5): per pick every eligible node gains its weight, the richest is
 * picked and pays the sum. In any full cycle each node is picked exactly as often as its weight says, spread as evenly as
 * possible. A new balancer starts at a random place, so that many gateways loading one configuration do not all begin with the
 * same node; one that follows another carries on where that one stood.
 */
export const roundrobin: BalancerFactory = {
  create(nodes, random, previous) {
    return previous instanceof RoundRobin
      ? RoundRobin.following(nodes, previous)
      : RoundRobin.startingAt(nodes, random)
  },
}

class RoundRobin<N extends BalancerNode> implements Balancer<N> {
  readonly #nodes: readonly N[]
  readonly #weights: readonly number[]
  readonly #credits: number[]

  private constructor(nodes: readonly N[], credits: number[]) {
    this.#nodes = nodes
    this.#weights = reduceWeights(effectiveWeights(nodes))
    this.#credits = credits
  }

  static startingAt<N extends BalancerNode>(nodes: readonly N[], random: () => number): RoundRobin<N> {
    const first = Math.floor(random() * nodes.length)
    const rotated = [...nodes.slice(first), ...nodes.slice(0, first)]
    const balancer = new RoundRobin(rotated, new Array<number>(nodes.length).fill(0))
    balancer.#skip(random)
    return balancer
  }

  static following<N extends BalancerNode>(nodes: readonly N[], previous: RoundRobin<N>): RoundRobin<N> {
    // By address: a node whose weight was edited is a new object in the same place.
    const known = previous.#sharesOwed()
    const balancer = new RoundRobin(nodes, new Array<number>(nodes.length).fill(0))
    const total = sum(balancer.#weights)
    nodes.forEach((node, index) => {
      balancer.#credits[index] = Math.round((known.get(node.address) ?? 0) * total)
    })
    return balancer
  }

  pick(context: PickContext<N>): N | undefined {
    let total = 0
    let best = -1
    for (let i = 0; i < this.#nodes.length; i++) {
      const weight = this.#weights[i]!
      // An excluded node neither gains nor pays: the others divide its turns by their own weights.
      if (weight === 0 || context.isExcluded(this.#nodes[i]!)) continue
      total += weight
      this.#credits[i]! += weight
      if (best < 0 || this.#credits[i]! > this.#credits[best]!) best = i
    }
    if (best < 0) return undefined
    this.#credits[best]! -= total
    return this.#nodes[best]
  }

  /** Credits by address as parts of the cycle, −1 to 1, so that they mean the same after weights have changed. */
  #sharesOwed(): ReadonlyMap<string, number> {
    const total = sum(this.#weights)
    return new Map(this.#nodes.map(({ address }, index) => [address, this.#credits[index]! / total]))
  }

  #skip(random: () => number): void {
    const affordable = Math.floor(START_BUDGET / Math.max(1, this.#nodes.length))
    const picks = Math.floor(random() * Math.min(sum(this.#weights), affordable))
    for (let i = 0; i < picks; i++) this.pick(NOTHING_EXCLUDED)
  }
}

const NOTHING_EXCLUDED: PickContext<BalancerNode> = { hashKey: () => '', isExcluded: () => false }

function sum(weights: readonly number[]): number {
  let total = 0
  for (const weight of weights) total += weight
  return total
}
