import type { PassiveSpec } from './checks.ts'
import { advance, type HealthCounters, type HealthStatus, INITIAL_HEALTH, type ReportKind } from './status.ts'

/** Who is checked, as the control API and the gauge name it. */
export interface HealthTarget {
  /** `host:port` of the node. */
  readonly address: string
  /** Name or IP, IPv6 without brackets. */
  readonly ip: string
  /** Where probes go. */
  readonly port: number
  /** `checks.active.host`, else the ip. */
  readonly hostname: string
  /** Of nodes with a name, and with `pass_host: rewrite`. */
  readonly hostheader: string | undefined
}

/** Why and when a node's status was last another one. */
export interface HealthChange {
  readonly from: HealthStatus
  readonly to: HealthStatus
  readonly reason: string
  /** Wall clock, ms. */
  readonly atMs: number
}

/** Who reports, and what was seen: a status or a message. */
export interface HealthCause {
  readonly source: 'active' | 'passive'
  readonly detail: string
}

export interface HealthOwner {
  /** Wall clock, ms. */
  now(): number
  /** Told of every change of a status. */
  onChange(health: NodeHealth, change: HealthChange): void
  /** Present where another process owns the health of the node: takes a report to it. */
  readonly forward?: ((health: NodeHealth, report: PassiveReport) => void) | undefined
}

/** What traffic said about a node. */
export interface PassiveReport {
  readonly kind: ReportKind
  readonly limit: number
  readonly detail: string
}

/** The health of one node of one upstream; lives as long as the node's address and the upstream's `checks` stay the same. */
export class NodeHealth {
  readonly target: HealthTarget
  readonly passive: PassiveSpec
  /** The part of its usual share that the node gets, 0 to 1; 0 when it is unhealthy. Written by the owner. */
  share = 1
  readonly #owner: HealthOwner
  #state = INITIAL_HEALTH
  #lastChange: HealthChange | undefined

  constructor(target: HealthTarget, passive: PassiveSpec, owner: HealthOwner) {
    this.target = target
    this.passive = passive
    this.#owner = owner
  }

  get status(): HealthStatus {
    return this.#state.status
  }

  get counter(): HealthCounters {
    return this.#state.counter
  }

  /** `undefined` as long as it is what it began as. */
  get lastChange(): HealthChange | undefined {
    return this.#lastChange
  }

  /** Counts a report; `limit` of them in a row make the switch. */
  report(kind: ReportKind, limit: number, { source, detail }: HealthCause): void {
    const before = this.#state
    const after = advance(before, kind, limit)
    if (this.#owner.forward) {
      if (after !== before) this.#owner.forward(this, { kind, limit, detail })
      return
    }
    this.#state = after
    const { status, counter } = this.#state
    if (status === before.status) return
    const reason = `${source} check: ${detail} (${kind} ${counter[kind]} of ${limit})`
    this.#lastChange = { from: before.status, to: status, reason, atMs: this.#owner.now() }
    this.#owner.onChange(this, this.#lastChange)
  }

  /** Takes over what the owner in another process says; `undefined`: it began anew. */
  adopt(change: HealthChange | undefined): void {
    const from = this.#state.status
    const to = change?.to ?? INITIAL_HEALTH.status
    if (from === to) return
    this.#state = { ...INITIAL_HEALTH, status: to }
    this.#lastChange = change
    this.#owner.onChange(this, { reason: 'it is checked anew', atMs: this.#owner.now(), ...change, from, to })
  }
}
