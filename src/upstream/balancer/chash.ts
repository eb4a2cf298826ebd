import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'
import { buildRing, chashId, ketamaId, locate, type Ring } from './ring.ts'
import { effectiveWeights, reduceWeights } from './weights.ts'

/**
 * Consistent hashing as APISIX does it: the ketama ring over weights divided by their greatest common divisor (contract §5.3).
 * A key whose node is excluded goes to the next node along the ring; all other keys stay where they are.
 */
export const chash: BalancerFactory = {
  create: (nodes) => new RingBalancer(nodes, ringOf(nodes, chashId, reduceWeights(effectiveWeights(nodes)))),
}

/** The same ring over the weights as they are, which is what nginx (`hash … consistent`) and Pingora build (systems.md §3.2.4). */
export const ketama: BalancerFactory = {
  create: (nodes) => new RingBalancer(nodes, ringOf(nodes, ketamaId, effectiveWeights(nodes))),
}

function ringOf(
  nodes: readonly BalancerNode[],
  idOf: (node: BalancerNode) => string,
  weights: readonly number[],
): Ring {
  return buildRing(nodes.map((node, index) => ({ id: idOf(node), weight: weights[index]! })))
}

class RingBalancer<N extends BalancerNode> implements Balancer<N> {
  readonly #nodes: readonly N[]
  readonly #onRing: readonly N[]
  readonly #ring: Ring

  constructor(nodes: readonly N[], ring: Ring) {
    this.#nodes = nodes
    const owners = new Set(ring.owners)
    this.#onRing = nodes.filter((_, index) => owners.has(index))
    this.#ring = ring
  }

  pick(context: PickContext<N>): N | undefined {
    if (this.#onRing.length === 0) return undefined
    const start = locate(this.#ring, context.hashKey())
    const first = this.#ownerAt(start)
    if (!context.isExcluded(first)) return first
    // Asked before the walk: with every node excluded it would pass all points of the ring, up to a million.
    return this.#isAnyLeft(context) ? this.#walkFrom(start, context) : undefined
  }

  #isAnyLeft(context: PickContext<N>): boolean {
    for (const node of this.#onRing) if (!context.isExcluded(node)) return true
    return false
  }

  #walkFrom(start: number, context: PickContext<N>): N | undefined {
    const size = this.#ring.owners.length
    let last = this.#ownerAt(start)
    for (let step = 1; step < size; step++) {
      const node = this.#ownerAt((start + step) % size)
      if (node === last) continue
      if (!context.isExcluded(node)) return node
      last = node
    }
    return undefined
  }

  #ownerAt(point: number): N {
    return this.#nodes[this.#ring.owners[point]!]!
  }
}
