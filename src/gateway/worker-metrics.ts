import type { WorkerPool } from '../lifecycle/workers/pool.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import { EndedExposition } from '../observe/ended-exposition.ts'
import { type Exposed, MergedExposition } from '../observe/merged-exposition.ts'
import type { IsKnown, MetricRegistry } from '../observe/metrics.ts'

type CountedPool = Pick<WorkerPool<unknown>, 'serving' | 'replaced' | 'places' | 'restarts' | 'renewals'>

/** A worker that does not answer in this time is shown as it last was. */
const ANSWER_LIMIT_MS = 1000

export interface WorkerMetricsParts {
  /** Of the primary process. */
  readonly own: MetricRegistry
  readonly pool: CountedPool
  /** What is configured now. */
  known(): IsKnown
  /** Monotonic, in ms; what series expire by. */
  readonly now?: () => number
}

/** The metrics of a node: those of the primary process and of all workers, those that have ended included. */
export class WorkerMetrics {
  readonly #own: MetricRegistry
  readonly #pool: CountedPool
  readonly #known: () => IsKnown
  readonly #now: () => number
  readonly #last = new Map<WorkerProcess, Exposed>()
  readonly #ended = new EndedExposition()

  constructor({ own, pool, known, now = () => performance.now() }: WorkerMetricsParts) {
    this.#own = own
    this.#pool = pool
    this.#known = known
    this.#now = now
  }

  /** Adds the series about the workers themselves. */
  count(): void {
    const serving = this.#own.gauge({
      name: 'gatewright_workers_serving',
      help: 'Workers that take connections',
      labels: [],
    })
    const restarts = this.#own.counter({
      name: 'gatewright_worker_restarts_total',
      help: 'Worker processes that ended without being told to',
      labels: [],
    })
    const renewals = this.#own.counter({
      name: 'gatewright_worker_renewals_total',
      help: 'Worker processes that were replaced because they held too much memory',
      labels: [],
    })
    let told = 0
    let toldRenewals = 0
    this.#own.beforeCollect(() => {
      serving.labels().set(this.#pool.serving.length)
      restarts.labels().inc(this.#pool.restarts - told)
      told = this.#pool.restarts
      renewals.labels().inc(this.#pool.renewals - toldRenewals)
      toldRenewals = this.#pool.renewals
    })
  }

  /** What it counted stays counted, as far as it was told. */
  onGone(worker: WorkerProcess): void {
    const exposed = this.#last.get(worker)
    this.#last.delete(worker)
    if (exposed) this.#ended.add(exposed, this.#now())
  }

  /** The last word of a worker that drained. */
  keep(worker: WorkerProcess, exposed: Exposed): void {
    this.#last.set(worker, exposed)
  }

  async expose(): Promise<string> {
    await Promise.all([...this.#pool.serving, ...this.#pool.replaced].map((worker) => this.#ask(worker)))
    const merged = new MergedExposition()
    for await (const text of this.#living()) merged.add(text)
    // Workers that live do so themselves.
    this.#ended.prune(this.#known())
    this.#ended.expire(merged, this.#now())
    merged.add(this.#ended.expose())
    return merged.expose()
  }

  async *exposeInSlices(): AsyncGenerator<string, void, undefined> {
    yield await this.expose()
  }

  async *#living(): AsyncGenerator<string> {
    let own = ''
    for await (const piece of this.#own.exposeInSlices()) own += piece
    yield own
    for (const { text } of this.#last.values()) yield text
  }

  async #ask(worker: WorkerProcess): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_LIMIT_MS)
    })
    try {
      // Those that have been replaced count on, and have no place.
      const place = this.#pool.places.find((one) => one.worker === worker)?.id
      const exposed = await Promise.race([worker.link.ask<Exposed>('metrics', place), late])
      if (exposed && worker.state !== 'gone') this.#last.set(worker, exposed)
    } catch {
      // It has just ended: what it said last counts.
    } finally {
      clearTimeout(timer)
    }
  }
}
