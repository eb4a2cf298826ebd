import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'

/**
 * Puts the levels of `priority` over any balancer (contract §5.3): each level has a balancer of its own, the highest is asked
 * first and the next only when it has no node left. Nodes of weight 0 take no part while any node, of whatever level, has weight.
 * With one level the inner balancer is used as it is.
 */
export function byPriority(inner: BalancerFactory): BalancerFactory {
  return {
    create<N extends BalancerNode>(nodes: readonly N[], random: () => number, previous?: Balancer<N>) {
      const levels = groupByPriority(withoutDrained(nodes))
      const createLevel = ([priority, members]: readonly [number, readonly N[]]): readonly [
        number,
        Balancer<N>,
      ] => {
        return [priority, inner.create(members, random, levelOf(previous, priority))]
      }
      if (levels.length <= 1) return createLevel(levels[0] ?? [0, []])[1]
      return new Levels(levels.map(createLevel))
    },
  }
}

class Levels<N extends BalancerNode> implements Balancer<N> {
  readonly byPriority: ReadonlyMap<number, Balancer<N>>
  /** The same balancers, highest level first. */
  readonly #descending: readonly Balancer<N>[]

  constructor(levels: readonly (readonly [number, Balancer<N>])[]) {
    this.byPriority = new Map(levels)
    this.#descending = levels.map(([, balancer]) => balancer)
  }

  pick(context: PickContext<N>): N | undefined {
    for (const level of this.#descending) {
      const node = level.pick(context)
      if (node !== undefined) return node
    }
    return undefined
  }

  release(node: N, elapsedMs?: number): void {
    const level = this.byPriority.get(priorityOf(node))
    if (elapsedMs === undefined) level?.release?.(node)
    else level?.release?.(node, elapsedMs)
  }
}

function priorityOf(node: BalancerNode): number {
  return node.priority ?? 0
}

function withoutDrained<N extends BalancerNode>(nodes: readonly N[]): readonly N[] {
  const weighted = nodes.filter(({ weight }) => weight > 0)
  return weighted.length > 0 ? weighted : nodes
}

function groupByPriority<N extends BalancerNode>(nodes: readonly N[]): [number, N[]][] {
  const groups = new Map<number, N[]>()
  for (const node of nodes) {
    const members = groups.get(priorityOf(node))
    if (members) members.push(node)
    else groups.set(priorityOf(node), [node])
  }
  return [...groups].sort(([a], [b]) => b - a)
}

/** A balancer without levels may follow on any of them: it knows its nodes by address. */
function levelOf<N extends BalancerNode>(
  previous: Balancer<N> | undefined,
  priority: number,
): Balancer<N> | undefined {
  return previous instanceof Levels ? previous.byPriority.get(priority) : previous
}
