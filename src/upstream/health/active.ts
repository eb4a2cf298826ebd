import type { SecureContext } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import { type ActiveSpec, BAD, GOOD, IGNORED } from './checks.ts'
import { type Gate, passThrough } from './gate.ts'
import type { NodeHealth } from './node-health.ts'
import { LIMIT_OF } from './passive.ts'
import { isUsable, type ReportKind } from './status.ts'

/** What came of a probe: a status, a connection for `tcp`, or why not. */
export type ProbeOutcome =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'connected' }
  | {
      readonly kind: 'http_failure' | 'tcp_failure' | 'timeout_failure'
      readonly message: string
    }

/** One probe to make. */
export interface ProbeRequest {
  readonly host: string
  readonly port: number
  /** The Host header, which is the name asked for in a TLS handshake too. */
  readonly hostHeader: string
  readonly spec: ActiveSpec
  /** What `https` is secured with, asked for at each probe; throws when it cannot be made. Node's own when absent. */
  readonly secureContext: (() => SecureContext) | undefined
}

/** Makes a probe and tells what came of it once, never before it returns. The result gives up: then nothing is told. */
export type Probe = (request: ProbeRequest, onDone: (outcome: ProbeOutcome) => void) => () => void

export interface ProbeEnvironment {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly probe: Probe
  /** All must be passed before a probe is made. */
  readonly gates: readonly Gate[]
}

/** The first probe comes within this time, so that a bad node is known soon. */
const FIRST_WITHIN_MS = 1000
/** Each interval is longer or shorter by up to this part, so that many gateways do not probe in step. */
const JITTER = 0.1

/** Probes one node for as long as it is started: one timer or one probe at any time. */
export class ActiveCheck {
  readonly #health: NodeHealth
  readonly #request: ProbeRequest
  readonly #environment: ProbeEnvironment
  #cancelTimer: (() => void) | undefined
  #cancelProbe: (() => void) | undefined
  #probedAtMs = 0
  #isProbed = false
  #onProbed: (() => void) | undefined

  constructor(health: NodeHealth, request: ProbeRequest, environment: ProbeEnvironment) {
    this.#health = health
    this.#request = request
    this.#environment = environment
  }

  start(): void {
    const { random } = this.#environment
    this.#schedule(random() * Math.min(this.#intervalMs(), FIRST_WITHIN_MS))
  }

  /** No further probe; one under way is given up. */
  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#cancelProbe?.()
    this.#cancelProbe = undefined
    this.#probed()
  }

  /** Calls `listener` when the first probe has had its outcome, or will have none; at once where it has. There is one listener at the most. */
  whenProbed(listener: () => void): void {
    if (this.#isProbed) listener()
    else this.#onProbed = listener
  }

  get intervalMs(): number {
    return this.#request.spec.healthyIntervalMs
  }

  #probed(): void {
    this.#isProbed = true
    this.#onProbed?.()
    this.#onProbed = undefined
  }

  /** The node is healthy or unhealthy now and may have another interval. */
  onStatusChange(): void {
    if (this.#cancelTimer === undefined) return
    this.#cancelTimer()
    this.#scheduleNext()
  }

  #scheduleNext(): void {
    const { clock, random } = this.#environment
    const interval = this.#intervalMs() * (1 - JITTER + 2 * JITTER * random())
    this.#schedule(Math.max(0, this.#probedAtMs + interval - clock.nowMs()))
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer = this.#environment.clock.schedule(delayMs, () => {
      this.#cancelTimer = undefined
      this.#probe()
    })
  }

  #intervalMs(): number {
    const { healthyIntervalMs, unhealthyIntervalMs } = this.#request.spec
    return isUsable(this.#health.status) ? healthyIntervalMs : unhealthyIntervalMs
  }

  #probe(): void {
    const { clock, gates, probe } = this.#environment
    let giveUp: (() => void) | undefined
    const leave = passThrough(gates, () => {
      this.#probedAtMs = clock.nowMs()
      giveUp = probe(this.#request, (outcome) => {
        leave()
        this.#cancelProbe = undefined
        this.#judge(outcome)
        if (!this.#isProbed) this.#probed()
        this.#scheduleNext()
      })
    })
    this.#cancelProbe = () => {
      giveUp?.()
      leave()
    }
  }

  #judge(outcome: ProbeOutcome): void {
    const report = reportOf(outcome, this.#request.spec)
    if (!report) return
    const limit = this.#request.spec.limits[LIMIT_OF[report.kind]]
    this.#health.report(report.kind, limit, { source: 'active', detail: report.detail })
  }
}

/** `undefined` for a status in neither list. */
function reportOf(
  outcome: ProbeOutcome,
  { statuses }: ActiveSpec,
): { kind: ReportKind; detail: string } | undefined {
  if (outcome.kind === 'connected') return { kind: 'success', detail: 'connected' }
  if (outcome.kind !== 'status') return { kind: outcome.kind, detail: outcome.message }
  const verdict = statuses[outcome.status] ?? IGNORED
  const detail = `status ${outcome.status}`
  if (verdict === GOOD) return { kind: 'success', detail }
  return verdict === BAD ? { kind: 'http_failure', detail } : undefined
}
