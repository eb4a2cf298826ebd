import { type Exposed, MergedExposition } from './merged-exposition.ts'
import type { IsKnown, MetricExpiries, MetricOwners } from './metrics.ts'

/** A series that is shown by a living process, too: it goes when that one does. */
const WITH_THE_LIVING = Number.NEGATIVE_INFINITY

/** The sums of what processes that have ended counted. Series go from it as they go from the registry of a process that lives. */
export class EndedExposition {
  readonly #sums = new MergedExposition()
  /** By metric and series, when the series last grew (ms, of the callers' clock); only of metrics that expire. */
  readonly #grown = new Map<string, Map<string, number>>()
  #owners: MetricOwners = {}
  #expiries: MetricExpiries = {}

  /** The last word of a process that ended at `nowMs`. */
  add({ text, owners, expiries }: Exposed, nowMs: number): void {
    this.#owners = { ...this.#owners, ...owners }
    this.#expiries = { ...this.#expiries, ...expiries }
    for (const metric of Object.keys(expiries)) {
      if (!this.#grown.has(metric)) this.#grown.set(metric, new Map())
    }
    this.#sums.add(text, true, (metric, series) => this.#grown.get(metric)?.set(series, nowMs))
  }

  /** Removes the series whose labels name what is not there any more. */
  prune(isKnown: IsKnown): void {
    this.#sums.prune(this.#owners, isKnown)
  }

  /**
   * Removes the series that have not changed for as long as their metric says. One that the `living` show has changed there: it
   * stays with theirs and goes with theirs, lest the sum of both falls while it is being counted.
   */
  expire(living: MergedExposition, nowMs: number): void {
    for (const [metric, grown] of this.#grown) {
      const expireMs = this.#expiries[metric] ?? 0
      for (const [series, atMs] of grown) {
        if (living.has(metric, series)) grown.set(series, WITH_THE_LIVING)
        else if (nowMs - atMs >= expireMs) {
          grown.delete(series)
          this.#sums.remove(metric, series)
        }
      }
    }
  }

  expose(): string {
    return this.#sums.expose()
  }
}
