import { ExpiringMap } from '../_shared/limit/expiring-map.ts'

/** Paths remembered; only those that fail are. */
const MAX_CIRCUITS = 65_536
/** What has neither failed nor recovered for a day starts anew. */
const FORGOTTEN_AFTER_S = 86_400
const MS_PER_SECOND = 1000

/** When a circuit opens and closes; from the configuration of whoever asks. */
export interface Thresholds {
  readonly failures: number
  readonly successes: number
  readonly maxBreakS: number
}

interface Circuit {
  failures: number
  successes: number
  /** In whole seconds. */
  openedAt: number | undefined
  readonly expiresAt: number
}

export type CircuitState = 'unknown' | 'watched' | 'open'

/**
 * Failures in a row of what a key stands for. Every `failures` of them open it for min(2^k, maxBreakS) seconds, k being the number of
 * times that they have; `successes` in a row forget them all (contract §7.3). Time is compared in whole seconds of the wall clock.
 */
export class Circuits {
  readonly #circuits = new ExpiringMap<Circuit>(MAX_CIRCUITS)

  stateOf(key: string, { failures, maxBreakS }: Thresholds, nowMs: number): CircuitState {
    const circuit = this.#circuits.get(key)
    if (!circuit) return 'unknown'
    const { openedAt } = circuit
    if (openedAt === undefined) return 'watched'
    const times = Math.max(1, Math.floor(circuit.failures / failures))
    const elapsed = secondsOf(nowMs) - openedAt
    // Less than nothing: the clock was set back.
    return elapsed >= 0 && elapsed <= Math.min(2 ** times, maxBreakS) ? 'open' : 'watched'
  }

  failed(key: string, thresholds: Thresholds, nowMs: number): void {
    // Those that were under way when it opened say nothing new.
    if (this.stateOf(key, thresholds, nowMs) === 'open') return
    const now = secondsOf(nowMs)
    const before = this.#circuits.get(key)
    const failures = (before?.failures ?? 0) + 1
    const openedAt = failures % thresholds.failures === 0 ? now : before?.openedAt
    const circuit = { failures, successes: 0, openedAt, expiresAt: now + FORGOTTEN_AFTER_S }
    this.#circuits.insert(key, circuit, now)
  }

  succeeded(key: string, thresholds: Thresholds, nowMs: number): void {
    const circuit = this.#circuits.get(key)
    if (!circuit || this.stateOf(key, thresholds, nowMs) === 'open') return
    circuit.successes += 1
    if (circuit.successes >= thresholds.successes) this.#circuits.delete(key)
  }
}

function secondsOf(ms: number): number {
  return Math.floor(ms / MS_PER_SECOND)
}
