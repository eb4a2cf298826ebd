import type { Upstream as UpstreamDocument } from '../model/types.ts'
import type { Balancer, BalancerNode } from './balancer/balancer.ts'
import { findBalancer } from './balancer/registry.ts'
import { compileHashKey, type HashKey } from './hash-key.ts'
import { identityOf, type PoolRegistry, type PoolShare } from './pool-registry.ts'
import { formatAddress, readUpstream, type UpstreamSpec } from './spec.ts'
import type { ConnectionPool } from './transport.ts'

/** One address of an upstream. The object lives as long as address, weight and pool stay the same. */
export interface UpstreamNode extends BalancerNode {
  readonly host: string
  readonly port: number
  readonly priority: number
  readonly pool: ConnectionPool
}

/** What one published version of an upstream is; immutable, read once per request. */
export interface UpstreamState {
  readonly spec: UpstreamSpec
  readonly nodes: readonly UpstreamNode[]
  readonly balancer: Balancer<UpstreamNode>
  readonly hashKey: HashKey
}

interface OwnedState extends UpstreamState {
  readonly shares: ReadonlyMap<UpstreamNode, PoolShare>
}

/** The parts of the process that upstreams are made with. */
export interface UpstreamEnvironment {
  readonly pools: PoolRegistry
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * One configured upstream, the same object over all its edits: plans refer to it, so that an edit of an upstream costs the same
 * whoever uses it.
 */
export class Upstream {
  /** The resource that carries it: `upstreams/1`, or `routes/1` for an inline one. */
  readonly name: string
  #state: OwnedState

  private constructor(name: string, state: OwnedState) {
    this.name = name
    this.#state = state
  }

  /** Throws when the document asks for what is not served. */
  static create(name: string, document: UpstreamDocument, environment: UpstreamEnvironment): Upstream {
    return new Upstream(name, buildState(document, environment))
  }

  get state(): UpstreamState {
    return this.#state
  }

  /**
   * Compiles an edit without showing it. Nodes, balancer state and connections that the edit does not touch are kept. Call the
   * result to publish it; call {@link PreparedEdit.discard} to let it go instead.
   */
  prepare(document: UpstreamDocument, environment: UpstreamEnvironment): PreparedEdit {
    const previous = this.#state
    const next = buildState(document, environment, previous)
    return {
      publish: () => {
        this.#state = next
        release(previous)
      },
      discard: () => release(next),
    }
  }

  /** Lets go of its connections. Requests under way finish on theirs. */
  dispose(): void {
    release(this.#state)
  }
}

export interface PreparedEdit {
  publish(): void
  discard(): void
}

function buildState(
  document: UpstreamDocument,
  { pools, random }: UpstreamEnvironment,
  previous?: OwnedState,
): OwnedState {
  const spec = readUpstream(document)
  const factory = findBalancer(spec.type)
  if (!factory) throw new Error(`upstream type "${spec.type}" is not a known balancer`)
  const hashKey = compileHashKey(spec)
  const known = new Map(previous?.nodes.map((node) => [identity(node), node]))
  const shares = new Map<UpstreamNode, PoolShare>()
  for (const node of spec.nodes) {
    const share = pools.acquire(identityOf(node, spec))
    const fresh: UpstreamNode = { ...node, address: formatAddress(node.host, node.port), pool: share.pool }
    const kept = known.get(identity(fresh))
    const isKept = kept !== undefined && kept.pool === fresh.pool && !shares.has(kept)
    shares.set(isKept ? kept : fresh, share)
  }
  const nodes = [...shares.keys()]
  const balancer = isSameChoice(spec, nodes, previous)
    ? previous!.balancer
    : factory.create(nodes, random, previous?.spec.type === spec.type ? previous.balancer : undefined)
  return { spec, nodes, balancer, hashKey, shares }
}

function identity(node: UpstreamNode): string {
  return `${node.address} ${node.weight} ${node.priority}`
}

function isSameChoice(
  spec: UpstreamSpec,
  nodes: readonly UpstreamNode[],
  previous: OwnedState | undefined,
): boolean {
  return (
    previous !== undefined &&
    previous.spec.type === spec.type &&
    previous.nodes.length === nodes.length &&
    nodes.every((node, index) => node === previous.nodes[index])
  )
}

function release(state: OwnedState): void {
  for (const share of state.shares.values()) share.release()
}
