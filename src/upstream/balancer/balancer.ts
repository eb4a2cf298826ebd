/** One address of an upstream as a balancer sees it. Identity is the object: state survives an edit because the node object does. */
export interface BalancerNode {
  /** `host:port`, the name that hashes and logs use. */
  readonly address: string
  /** 0 means: never, unless every node has 0. */
  readonly weight: number
  /** Higher is used first; the next level only when every node of this one is excluded. 0 when absent. */
  readonly priority?: number
}

/** What one request tells a balancer; implemented by the attempt loop, so that picking allocates nothing. */
export interface PickContext<N extends BalancerNode> {
  /** The value to hash on; only `chash` asks. */
  hashKey(): string
  /** True for nodes already tried by this request and for unhealthy ones. */
  isExcluded(node: N): boolean
}

/** Chooses among a fixed set of nodes. Made anew when the node set or a weight changes; see {@link BalancerFactory}. */
export interface Balancer<N extends BalancerNode> {
  /** The next node, or `undefined` when every node is excluded. */
  pick(context: PickContext<N>): N | undefined
  /** The attempt at `node` has ended; `elapsedMs` is absent when no answer came. Balancers that learn from it implement it. */
  release?(node: N, elapsedMs?: number): void
}

export interface BalancerFactory {
  /** `previous` is the balancer for the node set before, of the same type: what it learnt may be carried over. `random` is uniform in [0, 1). */
  create<N extends BalancerNode>(
    nodes: readonly N[],
    random: () => number,
    previous?: Balancer<N>,
  ): Balancer<N>
}
