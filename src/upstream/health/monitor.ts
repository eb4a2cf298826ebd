import type { SecureContext } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import type { UpstreamTls } from '../../model/types.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Probe } from './active.ts'
import { Gate } from './gate.ts'
import type { HealthChange } from './node-health.ts'
import type { ReportKind } from './status.ts'
import type { UpstreamHealth } from './upstream-health.ts'

/** The word of who owns a node's health, in a process that does not. */
export interface HealthRelay {
  /** Something was seen of a node in traffic. */
  report(report: RelayedReport): void
  /** What the owner last said of a node; healthy when it said nothing. */
  find(upstream: string, node: string): HealthChange | undefined
}

export interface RelayedReport {
  readonly upstream: string
  /** As {@link UpstreamHealth.keyed} names it. */
  readonly node: string
  readonly kind: ReportKind
  readonly limit: number
  readonly detail: string
}

export interface HealthMonitorOptions {
  readonly clock: Clock
  /** Wall clock, ms. */
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly probe: Probe
  readonly logger: Logger
  /** What probes over TLS are secured with, by the `tls` of their upstream; throws when it cannot be made. */
  readonly secureContext?: (tls: UpstreamTls) => SecureContext
  /** Told each time all nodes of an upstream come to be used because none is healthy. */
  readonly onPanic: (upstream: string) => void
  /** Present where another process owns the health of nodes: nothing is probed here, and what traffic shows is reported. */
  readonly relay?: HealthRelay
  /** Told of each change of a node, and with `undefined` when one begins anew or is not checked any more. */
  readonly onNode?: (upstream: string, node: string, change: HealthChange | undefined) => void
  /**
   * Told of the agents of the gateway's own registry that are reached at a node, when that becomes unhealthy or the agents are others;
   * of none when it is well again, or not checked any more.
   */
  readonly onFailing?: (upstream: string, node: string, agents: readonly string[]) => void
}

/** Probes at once in the whole process. */
const MAX_PROBES = 100

/** The health checks of one process: what they share, and those that are published. */
export class HealthMonitor {
  readonly options: HealthMonitorOptions
  readonly gate = new Gate(MAX_PROBES)
  readonly #published = new Map<string, UpstreamHealth>()

  constructor(options: HealthMonitorOptions) {
    this.options = options
  }

  /** Every published upstream with `checks`. */
  all(): Iterable<UpstreamHealth> {
    return this.#published.values()
  }

  /** By the resource that carries it: `upstreams/1`. */
  find(name: string): UpstreamHealth | undefined {
    return this.#published.get(name)
  }

  /**
   * Resolves when every node that is published now was probed once: after the longest interval among them at the latest, and when `signal` is aborted.
   * The result is how many were not. Where another process probes, nothing is waited for.
   */
  async firstRound(signal: AbortSignal): Promise<number> {
    const { clock, relay } = this.options
    if (relay) return 0
    const checks = [...this.#published.values()].flatMap(({ probing }) => [...probing])
    const left = new Set(checks)
    if (left.size === 0) return 0
    const longestMs = checks.reduce((most, { intervalMs }) => Math.max(most, intervalMs), 0)
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(longestMs, resolve)
      const end = () => {
        cancel()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
      for (const check of checks) {
        check.whenProbed(() => {
          left.delete(check)
          if (left.size === 0) end()
        })
      }
      if (signal.aborted) end()
    })
    return left.size
  }

  /** Called by an upstream's health when it is published. */
  add(health: UpstreamHealth): void {
    this.#published.set(health.name, health)
  }

  /** Called when it is not any more; one that another took the place of is not there to be removed. */
  remove(health: UpstreamHealth): void {
    if (this.#published.get(health.name) === health) this.#published.delete(health.name)
  }
}
