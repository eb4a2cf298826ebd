import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'
import { effectiveWeights } from './weights.ts'

const DECAY_MS = 10_000
const FORGET_AFTER_MS = 60_000

/** The moving average of one address. Shared by a balancer and those that follow it. */
interface Average {
  valueMs: number
  /** On the clock of the factory; −Infinity before the first answer. */
  touchedAtMs: number
}

/**
 * Of two nodes chosen by chance, the one that answered faster of late (contract §5.3, systems.md §7.5): an exponentially weighted
 * average of the time an attempt took, with a decay of 10 s, forgotten 60 s after the last answer. A node without answers counts
 * as the fastest, which is how it comes to have some. Weights say only whether a node takes part. `nowMs` is a monotonic clock.
 */
export function createEwma(nowMs: () => number): BalancerFactory {
  return {
    create: (nodes, random, previous) =>
      new Ewma(nodes, { random, nowMs }, previous instanceof Ewma ? previous : undefined),
  }
}

/** {@link createEwma} on the process's own clock. */
export const ewma: BalancerFactory = createEwma(() => performance.now())

interface Chances {
  readonly random: () => number
  readonly nowMs: () => number
}

class Ewma<N extends BalancerNode> implements Balancer<N> {
  readonly #nodes: readonly N[]
  readonly #averages: ReadonlyMap<string, Average>
  readonly #chances: Chances

  constructor(nodes: readonly N[], chances: Chances, previous: Ewma<N> | undefined) {
    const weights = effectiveWeights(nodes)
    this.#nodes = nodes.filter((_, index) => weights[index] !== 0)
    this.#chances = chances
    const known = previous ? previous.#averages : new Map<string, Average>()
    this.#averages = new Map(
      this.#nodes.map(({ address }) => [address, known.get(address) ?? unknownAverage()]),
    )
  }

  pick(context: PickContext<N>): N | undefined {
    let eligible = 0
    for (const node of this.#nodes) if (!context.isExcluded(node)) eligible += 1
    if (eligible === 0) return undefined
    const first = Math.floor(this.#chances.random() * eligible)
    const one = this.#eligibleAt(first, context)
    if (eligible === 1) return one
    const second = Math.floor(this.#chances.random() * (eligible - 1))
    // Stepping over the first makes the two distinct and every pair as likely.
    const other = this.#eligibleAt(second < first ? second : second + 1, context)
    return this.#isFaster(other, one) ? other : one
  }

  release(node: N, elapsedMs?: number): void {
    const average = this.#averages.get(node.address)
    if (!average || elapsedMs === undefined) return
    const now = this.#chances.nowMs()
    const kept = keptPart(average, now)
    average.valueMs = average.valueMs * kept + elapsedMs * (1 - kept)
    average.touchedAtMs = now
  }

  #eligibleAt(position: number, context: PickContext<N>): N {
    let left = position
    for (const node of this.#nodes) {
      if (context.isExcluded(node)) continue
      if (left === 0) return node
      left -= 1
    }
    throw new RangeError(
      `no eligible node at position ${position}: isExcluded changed its answer during a pick`,
    )
  }

  #isFaster(node: N, than: N): boolean {
    const now = this.#chances.nowMs()
    return this.#score(node, now) < this.#score(than, now)
  }

  /** Reading decays too, as if an answer had just taken no time: a slow node is tried again after a while. */
  #score(node: N, now: number): number {
    const average = this.#averages.get(node.address)!
    return average.valueMs * keptPart(average, now)
  }
}

function unknownAverage(): Average {
  return { valueMs: 0, touchedAtMs: Number.NEGATIVE_INFINITY }
}

function keptPart(average: Average, now: number): number {
  const age = Math.max(0, now - average.touchedAtMs)
  return age > FORGET_AFTER_MS ? 0 : Math.exp(-age / DECAY_MS)
}
