import net from 'node:net'
import { isSocketPath } from '../../lib/socket-path.ts'
import type { NodeSpec, UpstreamSpec } from '../spec.ts'
import { formatAddress, nodeName } from '../spec.ts'
import { ActiveCheck, type ProbeRequest } from './active.ts'
import type { CheckSpec } from './checks.ts'
import { Gate } from './gate.ts'
import type { HealthMonitor } from './monitor.ts'
import { type HealthChange, type HealthOwner, type HealthTarget, NodeHealth } from './node-health.ts'
import { isUsable } from './status.ts'

/** A node that became healthy again climbs back to its whole share over this time, from this part of it (systems.md §7.5). */
export const SLOW_START_MS = 10_000
export const SMALLEST_SHARE = 0.1

interface Recovering {
  readonly health: NodeHealth
  readonly sinceMs: number
}

/**
 * The health of one upstream's nodes, over all edits that leave `checks` alone. Members are made when an edit is compiled and
 * checked from the moment it is published.
 */
export class UpstreamHealth implements HealthOwner {
  /** The resource that carries it: `upstreams/1`. */
  readonly name: string
  readonly checks: CheckSpec
  readonly #monitor: HealthMonitor
  readonly #gate: Gate
  #members: ReadonlyMap<NodeHealth, ActiveCheck> = new Map()
  /** Who is reached at members that the gateway's own registry gave. */
  #agents: PreparedHealth['agents'] = new Map()
  #recovering: Recovering[] = []
  #isPanicking = false

  constructor(name: string, checks: CheckSpec, monitor: HealthMonitor) {
    this.name = name
    this.checks = checks
    this.#monitor = monitor
    this.#gate = new Gate(checks.active.concurrency)
  }

  /** Those that are published now. */
  get members(): Iterable<NodeHealth> {
    return this.#members.keys()
  }

  /** What probes those that are published now. */
  get probing(): Iterable<ActiveCheck> {
    return this.#members.values()
  }

  /** Where the primary process probes: what traffic shows goes there. */
  get forward(): HealthOwner['forward'] {
    const { relay } = this.#monitor.options
    if (!relay) return undefined
    return ({ target }, report) => relay.report({ upstream: this.name, node: keyOf(target), ...report })
  }

  /** Those that are published now, by a name that is the same in all processes of this gateway. */
  *keyed(): Iterable<readonly [node: string, health: NodeHealth]> {
    for (const health of this.#members.keys()) yield [keyOf(health.target), health]
  }

  now(): number {
    return this.#monitor.options.now()
  }

  /** One for each node, in their order: the one that its address has, or a new one. A node that stands twice has one. */
  prepare(nodes: readonly NodeSpec[], spec: UpstreamSpec): PreparedHealth {
    const known = new Map(
      [...this.#members].map(([health, check]) => [keyOf(health.target), { health, check }]),
    )
    const ofNodes = nodes.map((node) => {
      const target = targetOf(node, spec, this.checks)
      const member = known.get(keyOf(target)) ?? this.#newMember(target, spec)
      known.set(keyOf(target), member)
      return member
    })
    return {
      nodes: ofNodes.map(({ health }) => health),
      members: new Map(ofNodes.map(({ health, check }) => [health, check])),
      agents: new Map(
        nodes.flatMap(({ agents }, index) => (agents ? [[ofNodes[index]!.health, agents] as const] : [])),
      ),
    }
  }

  /** From now on exactly these are checked. */
  publish({ members, agents }: PreparedHealth): void {
    const before = this.#members
    this.#members = members
    for (const health of this.#agents.keys()) if (!agents.has(health)) this.#tellAgents(health, [])
    this.#agents = agents
    for (const [health, ids] of agents) if (!isUsable(health.status)) this.#tellAgents(health, ids)
    for (const [health, check] of before) if (!members.has(health)) this.#end(health, check)
    for (const [health, check] of members) if (!before.has(health)) this.#begin(health, check)
    this.#recovering = this.#recovering.filter(({ health }) => members.has(health))
    this.#monitor.add(this)
  }

  /** Ends all checks. Idempotent; requests under way may still report. */
  stop(): void {
    for (const [health, check] of this.#members) this.#end(health, check)
    for (const health of this.#agents.keys()) this.#tellAgents(health, [])
    this.#members = new Map()
    this.#agents = new Map()
    this.#monitor.remove(this)
  }

  /**
   * The draw of one pick: a node whose share is not above it is left out. 0, which leaves out the unhealthy only, unless a node
   * is on its way back. Shares stay as they are until the next draw.
   */
  draw(): number {
    if (this.#recovering.length === 0) return 0
    const { clock, random } = this.#monitor.options
    const now = clock.nowMs()
    for (const { health, sinceMs } of this.#recovering) {
      health.share = Math.min(1, Math.max(SMALLEST_SHARE, (now - sinceMs) / SLOW_START_MS))
    }
    this.#recovering = this.#recovering.filter(({ health }) => health.share < 1)
    return random()
  }

  /** All nodes are about to be used because none is healthy; told once until one is. */
  panic(): void {
    if (this.#isPanicking) return
    this.#isPanicking = true
    const { logger, onPanic } = this.#monitor.options
    logger.warn({ upstream: this.name }, 'no node of the upstream is healthy: all of them are used')
    onPanic(this.name)
  }

  onChange(health: NodeHealth, change: HealthChange): void {
    const { clock, onNode } = this.#monitor.options
    const { from, to } = change
    onNode?.(this.name, keyOf(health.target), change)
    this.#logChange(health, change)
    if (isUsable(from) === isUsable(to)) return
    const agents = this.#agents.get(health)
    if (agents) this.#tellAgents(health, isUsable(to) ? [] : agents)
    this.#recovering = this.#recovering.filter((one) => one.health !== health)
    if (isUsable(to)) {
      health.share = SMALLEST_SHARE
      this.#recovering.push({ health, sinceMs: clock.nowMs() })
      this.#isPanicking = false
    } else health.share = 0
    this.#members.get(health)?.onStatusChange()
  }

  #tellAgents({ target }: NodeHealth, agents: readonly string[]): void {
    this.#monitor.options.onFailing?.(this.name, keyOf(target), agents)
  }

  #logChange({ target }: NodeHealth, { from, to, reason }: HealthChange): void {
    const { logger, relay } = this.#monitor.options
    // Whoever owns the health has said so.
    if (relay) return
    const facts = { upstream: this.name, node: target.address, from, to, reason }
    if (isUsable(from) === isUsable(to)) logger.info(facts, 'the health of a node changed')
    else logger.warn(facts, isUsable(to) ? 'a node is healthy again' : 'a node is unhealthy')
  }

  #begin(health: NodeHealth, check: ActiveCheck): void {
    const { relay, onNode } = this.#monitor.options
    const node = keyOf(health.target)
    if (relay) health.adopt(relay.find(this.name, node))
    else check.start()
    onNode?.(this.name, node, health.lastChange)
  }

  #end(health: NodeHealth, check: ActiveCheck): void {
    check.stop()
    this.#monitor.options.onNode?.(this.name, keyOf(health.target), undefined)
  }

  #newMember(target: HealthTarget, spec: UpstreamSpec): { health: NodeHealth; check: ActiveCheck } {
    const { clock, random, probe } = this.#monitor.options
    const health = new NodeHealth(target, this.checks.passive, this)
    const gates = [this.#gate, this.#monitor.gate]
    const check = new ActiveCheck(health, this.#probeOf(target, spec), { clock, random, probe, gates })
    return { health, check }
  }

  #probeOf({ ip, port, hostname, hostheader }: HealthTarget, spec: UpstreamSpec): ProbeRequest {
    const { active } = this.checks
    const { secureContext } = this.#monitor.options
    const tls = { ...spec.tls, verify: active.verifiesCertificate }
    return {
      host: ip,
      port,
      hostHeader: hostheader ?? (hostname.includes(':') ? `[${hostname}]` : hostname),
      spec: active,
      secureContext: secureContext && (() => secureContext(tls)),
    }
  }
}

export interface PreparedHealth {
  /** By the place of the node. */
  readonly nodes: readonly NodeHealth[]
  readonly members: ReadonlyMap<NodeHealth, ActiveCheck>
  /** `type/key` of who is reached there, for nodes of the gateway's own registry. */
  readonly agents: ReadonlyMap<NodeHealth, readonly string[]>
}

/** Contract §5.7 and §8.1: whose Host a probe carries. */
function targetOf(
  node: NodeSpec,
  { passHost, upstreamHost }: UpstreamSpec,
  { active }: CheckSpec,
): HealthTarget {
  const name = net.isIP(nodeName(node)) === 0 ? nodeName(node) : undefined
  return {
    address: formatAddress(node.host, node.port),
    ip: node.host,
    port: active.port ?? node.port,
    hostname: active.host ?? (isSocketPath(node.host) ? nodeName(node) : node.host),
    hostheader: passHost === 'rewrite' ? upstreamHost : name,
  }
}

/** Two names of one address are two nodes. */
function keyOf({ address, hostheader }: HealthTarget): string {
  return `${address} ${hostheader ?? ''}`
}
