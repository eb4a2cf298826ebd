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
  readonly shares: readonly PoolShare[]
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
        release(previous, environment)
      },
      discard: () => release(next, environment),
    }
  }

  /** Lets go of its connections. Requests under way finish on theirs. */
  dispose(environment: UpstreamEnvironment): void {
    release(this.#state, environment)
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
  const shares = spec.nodes.map((node) => pools.acquire(identityOf(node, spec)))
  const nodes = keepKnown(
    spec.nodes.map((node, index) => ({
      host: node.host,
      port: node.port,
      weight: node.weight,
      priority: node.priority,
      address: formatAddress(node.host, node.port),
      pool: shares[index]!.pool,
    })),
    previous?.nodes ?? [],
  )
  try {
    const balancer = isSameChoice(spec, nodes, previous)
      ? previous!.balancer
      : factory.create(nodes, random, previous?.spec.type === spec.type ? previous.balancer : undefined)
    return { spec, nodes, balancer, hashKey, shares }
  } catch (error) {
    for (const share of shares) pools.release(share)
    throw error
  }
}

/** The nodes, each as the object that it was before where nothing about it changed. */
function keepKnown(nodes: readonly UpstreamNode[], previous: readonly UpstreamNode[]): UpstreamNode[] {
  if (previous.length === 0) return [...nodes]
  const known = new Map(previous.map((node) => [identity(node), node]))
  return nodes.map((node) => {
    const kept = known.get(identity(node))
    known.delete(identity(node))
    return kept && kept.pool === node.pool ? kept : node
  })
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

function release(state: OwnedState, { pools }: UpstreamEnvironment): void {
  for (const share of state.shares) pools.release(share)
}
