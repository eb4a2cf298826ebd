import type { Logger } from '../observe/logger.ts'
import type { Counter, MetricRegistry } from '../observe/metrics.ts'
import type { LookUp, Outcome } from './look-up.ts'

/** Counts calls to secret managers; says in the log when one begins to fail and when it is well again, not each time, and what has no value without a call. */
export class FetchReport {
  readonly #logger: Logger
  readonly #good: Counter
  readonly #failed: Counter

  constructor(logger: Logger, metrics: MetricRegistry) {
    const family = metrics.counter({
      name: 'gatewright_secret_fetches_total',
      help: 'Calls to secret managers, by what came of them',
      labels: ['result'],
    })
    this.#logger = logger
    this.#good = family.labels('ok')
    this.#failed = family.labels('failed')
  }

  /** Of a reference that no manager is asked for: a variable that is not set, or a reference that cannot be read. */
  unanswered(reference: string, reason: string): void {
    this.#logger.warn({ reference, reason }, 'a secret has no value; what refers to it is not usable')
  }

  /** Called before `lookUp` learns of the outcome. */
  outcome({ manager, path, problem, document }: LookUp, outcome: Outcome): void {
    if (outcome.ok) {
      this.#good.inc()
      if (problem !== undefined) this.#logger.info({ manager, path }, 'a secret can be fetched again')
      return
    }
    this.#failed.inc()
    const { reason, isAbsent } = outcome
    if (reason === problem) return
    const rest =
      document === undefined || isAbsent ? 'what refers to it is not usable' : 'its last value stays in use'
    this.#logger.warn({ manager, path, reason }, `a secret cannot be fetched; ${rest}`)
  }
}
