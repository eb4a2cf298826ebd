import { isDeepStrictEqual } from 'node:util'
import type { Upstream as UpstreamDocument } from '../model/types.ts'
import { type RegisteredAgents, registeredAgents } from './agents.ts'
import type { Balancer, BalancerNode } from './balancer/balancer.ts'
import { findBalancer } from './balancer/registry.ts'
import { compileHashKey, type HashKey } from './hash-key.ts'
import type { HealthMonitor } from './health/monitor.ts'
import type { NodeHealth } from './health/node-health.ts'
import { type PreparedHealth, UpstreamHealth } from './health/upstream-health.ts'
import { fixedFeed, type NodeFeed } from './node-feed.ts'
import type { NodeFeeds } from './node-feeds.ts'
import { identityOf, type PoolRegistry, type PoolShare } from './pool-registry.ts'
import { RetryBudget } from './retry-budget.ts'
import { formatAddress, type NodeSpec, readUpstream, type UpstreamSpec } from './spec.ts'
import type { ConnectionPool } from './transport.ts'

/** One address of an upstream. The object lives as long as address, weight and pool stay the same. */
export interface UpstreamNode extends BalancerNode {
  /** Where connections go: an IP. */
  readonly host: string
  /** The name that the address was found by; it goes into `Host` with `pass_host: node`, and into TLS. */
  readonly domain: string | undefined
  readonly port: number
  readonly priority: number
  readonly pool: ConnectionPool
  /** Absent without `checks`. */
  readonly health: NodeHealth | undefined
}

/** What one published version of an upstream is; immutable, read once per request. */
export interface UpstreamState {
  readonly spec: UpstreamSpec
  readonly nodes: readonly UpstreamNode[]
  /** Why there are no nodes, when names or a registry should have given some. */
  readonly whyEmpty: string | undefined
  readonly balancer: Balancer<UpstreamNode>
  readonly hashKey: HashKey
  /** Absent without `checks`. */
  readonly health: UpstreamHealth | undefined
  /** Who is behind the nodes; absent where they do not come from the gateway's own registry. */
  readonly agents: RegisteredAgents | undefined
  /** One over all edits. */
  readonly budget: RetryBudget
}

interface OwnedState extends UpstreamState {
  /** What `nodes` was made from. */
  readonly resolved: readonly NodeSpec[]
  readonly shares: readonly PoolShare[]
  readonly checked: CheckedNodes | undefined
}

/** The health of a state's nodes, and what it was made from: an edit that leaves that alone keeps it. */
interface CheckedNodes {
  readonly health: UpstreamHealth
  readonly prepared: PreparedHealth
  readonly print: string
}

/** The parts of the process that upstreams are made with. */
export interface UpstreamEnvironment {
  readonly pools: PoolRegistry
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Absent where health checks are switched off. */
  readonly monitor?: HealthMonitor
  /** Finds nodes by name and through discovery; without it nodes are taken as they stand. */
  readonly feeds?: NodeFeeds
  readonly observer?: UpstreamObserver
}

/** Told of what happens at upstreams, by their names. */
export interface UpstreamObserver {
  /** A retry was due and the budget did not allow it. */
  onRetryRefused(upstream: string): void
  /** It is not configured any more. */
  onRemoved(upstream: string): void
}

/**
 * One configured upstream, the same object over all its edits: plans refer to it, so that an edit of an upstream costs the same
 * whoever uses it.
 */
export class Upstream {
  /** The resource that carries it: `upstreams/1`, or `routes/1` for an inline one. */
  readonly name: string
  #state: OwnedState
  #version: Version
  #isStarted = false

  private constructor(name: string, version: Version) {
    this.name = name
    this.#version = version
    this.#state = version.state
  }

  /** Throws when the document asks for what is not served. */
  static create(name: string, document: UpstreamDocument, environment: UpstreamEnvironment): Upstream {
    const budget = new RetryBudget(() => environment.observer?.onRetryRefused(name))
    const created: { upstream?: Upstream } = {}
    const version = openVersion({ name, budget, document }, environment, (changed) => {
      if (created.upstream) created.upstream.#replaceNodes(changed, environment)
    })
    created.upstream = new Upstream(name, version)
    return created.upstream
  }

  get state(): UpstreamState {
    return this.#state
  }

  /** It is published now: its health checks begin. */
  start(): void {
    this.#isStarted = true
    startChecks(this.#state)
  }

  /** It is not configured any more: its look-ups and health checks end at once, while requests under way go on. */
  stop({ observer }: UpstreamEnvironment): void {
    this.#isStarted = false
    this.#version.feed.close()
    this.#state.health?.stop()
    observer?.onRemoved(this.name)
  }

  /**
   * Compiles an edit without showing it. Nodes, balancer state and connections that the edit does not touch are kept. Call the
   * result to publish it; call {@link PreparedEdit.discard} to let it go instead.
   */
  prepare(document: UpstreamDocument, environment: UpstreamEnvironment): PreparedEdit {
    const { budget } = this.#state
    const next = openVersion(
      { name: this.name, budget, document, previous: this.#state },
      environment,
      (changed) => this.#replaceNodes(changed, environment),
    )
    return {
      publish: () => {
        const previous = this.#version
        this.#version = next
        this.#state = next.state
        if (previous.state.health !== next.state.health) previous.state.health?.stop()
        this.start()
        closeVersion(previous, environment)
      },
      discard: () => closeVersion(next, environment),
    }
  }

  /** Lets go of its connections. Requests under way finish on theirs. */
  dispose(environment: UpstreamEnvironment): void {
    this.#isStarted = false
    this.#state.health?.stop()
    closeVersion(this.#version, environment)
  }

  /** A version, shown or not yet, has other nodes now: those that stayed keep their connections, the balancer carries on. */
  #replaceNodes(version: Version, environment: UpstreamEnvironment): void {
    const previous = version.state
    if (!hasChanged(version)) return
    version.state = buildState(
      { ...version, name: this.name, budget: previous.budget, previous },
      environment,
    )
    if (version === this.#version) {
      this.#state = version.state
      if (this.#isStarted) startChecks(version.state)
    }
    release(previous, environment)
  }
}

export interface PreparedEdit {
  publish(): void
  discard(): void
}

/** One version of the document, and what its nodes are at the moment. */
interface Version {
  readonly document: UpstreamDocument
  readonly spec: UpstreamSpec
  readonly feed: NodeFeed
  state: OwnedState
}

interface VersionSource {
  readonly name: string
  readonly budget: RetryBudget
  readonly document: UpstreamDocument
  readonly previous?: OwnedState
}

function openVersion(
  source: VersionSource,
  environment: UpstreamEnvironment,
  onChange: (version: Version) => void,
): Version {
  const spec = readUpstream(source.document)
  const opened: { version?: Version } = {}
  const follow = () => opened.version && onChange(opened.version)
  const feed = environment.feeds?.open(source.name, spec, follow) ?? fixedFeed(spec.nodes)
  try {
    const state = buildState({ ...source, spec, feed }, environment)
    opened.version = { document: source.document, spec, feed, state }
    return opened.version
  } catch (error) {
    feed.close()
    throw error
  }
}

function closeVersion({ feed, state }: Version, environment: UpstreamEnvironment): void {
  feed.close()
  release(state, environment)
}

function hasChanged({ feed, state }: Version): boolean {
  if (feed.whyEmpty !== state.whyEmpty) return true
  if (state.agents !== undefined && state.agents.isTypeKnown !== feed.isKnown) return true
  return !isDeepStrictEqual(feed.nodes, state.resolved)
}

type StateSource = VersionSource & Pick<Version, 'spec' | 'feed'>

function buildState(
  { name, budget, document, previous, spec, feed }: StateSource,
  { pools, random, monitor }: UpstreamEnvironment,
): OwnedState {
  const { nodes: resolved, whyEmpty } = feed
  const factory = findBalancer(spec.type)
  if (!factory) throw new Error(`upstream type "${spec.type}" is not a known balancer`)
  const hashKey = compileHashKey(spec)
  const checked = monitor && checkedNodes({ name, document, spec, resolved, previous }, monitor)
  const health = checked?.health
  const shares = resolved.map((node) => pools.acquire(identityOf(node, spec)))
  const nodes = keepKnown(
    resolved.map((node, index) => ({
      host: node.host,
      domain: node.domain,
      port: node.port,
      weight: node.weight,
      priority: node.priority,
      address: formatAddress(node.host, node.port),
      pool: shares[index]!.pool,
      health: checked?.prepared.nodes[index],
    })),
    previous?.nodes ?? [],
  )
  try {
    const balancer = isSameChoice(spec, nodes, previous)
      ? previous!.balancer
      : factory.create(nodes, random, previous?.spec.type === spec.type ? previous.balancer : undefined)
    const agents = registeredAgents(spec, feed, nodes)
    return { spec, nodes, whyEmpty, balancer, hashKey, health, agents, budget, resolved, shares, checked }
  } catch (error) {
    for (const share of shares) pools.release(share)
    throw error
  }
}

interface CheckedSource {
  readonly name: string
  readonly document: UpstreamDocument
  readonly spec: UpstreamSpec
  readonly resolved: readonly NodeSpec[]
  readonly previous: OwnedState | undefined
}

function checkedNodes(
  { name, document, spec, resolved, previous }: CheckedSource,
  monitor: HealthMonitor,
): CheckedNodes | undefined {
  if (!spec.checks) return undefined
  const print = JSON.stringify([document.checks, spec.passHost, spec.upstreamHost, spec.tls])
  const known = previous?.checked
  const health = known?.print === print ? known.health : new UpstreamHealth(name, spec.checks, monitor)
  return { health, print, prepared: health.prepare(resolved, spec) }
}

function startChecks({ checked }: OwnedState): void {
  checked?.health.publish(checked.prepared)
}

/** The nodes, each as the object that it was before where nothing about it changed. */
function keepKnown(nodes: readonly UpstreamNode[], previous: readonly UpstreamNode[]): UpstreamNode[] {
  const isInPlace = (index: number) => isSameNode(nodes[index], previous[index])
  const moved = previous.filter((_node, index) => !isInPlace(index))
  const known = new Map(moved.map((node) => [identity(node), node]))
  return nodes.map((node, index) => {
    if (isInPlace(index)) return previous[index]!
    const kept = known.get(identity(node))
    if (!kept || !isSameNode(node, kept)) return node
    known.delete(identity(node))
    return kept
  })
}

function isSameNode(one: UpstreamNode | undefined, other: UpstreamNode | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.pool === other.pool &&
    one.health === other.health &&
    one.address === other.address &&
    one.weight === other.weight &&
    one.priority === other.priority &&
    one.domain === other.domain
  )
}

function identity(node: UpstreamNode): string {
  return `${node.address} ${node.weight} ${node.priority} ${node.domain ?? ''}`
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
