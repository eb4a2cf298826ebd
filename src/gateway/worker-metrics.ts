import type { WorkerPool } from '../lifecycle/workers/pool.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import { OVERFLOW } from '../observe/label-census.ts'
import { MergedExposition } from '../observe/merged-exposition.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { AgentTypes } from './agent-types.ts'

/** The names of types have no characters that are escaped. */
const AGENT_TYPE = /[{,]agent_type="([^"]*)"/

type CountedPool = Pick<WorkerPool<unknown>, 'serving' | 'replaced' | 'places' | 'restarts' | 'renewals'>

/** A worker that does not answer in this time is shown as it last was. */
const ANSWER_LIMIT_MS = 1000

/** The metrics of a node: those of the primary process and of all workers, those that have ended included. */
export class WorkerMetrics {
  readonly #own: MetricRegistry
  readonly #pool: CountedPool
  readonly #last = new Map<WorkerProcess, string>()
  readonly #agentTypes: AgentTypes | undefined
  #ended = new MergedExposition()

  /** `agentTypes`: what is registered; absent without a registry. */
  constructor(own: MetricRegistry, pool: CountedPool, agentTypes?: AgentTypes) {
    this.#own = own
    this.#pool = pool
    this.#agentTypes = agentTypes
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
    const text = this.#last.get(worker)
    this.#last.delete(worker)
    if (text !== undefined) this.#ended.add(text, true)
  }

  /** The last word of a worker that drained. */
  keep(worker: WorkerProcess, text: string): void {
    this.#last.set(worker, text)
  }

  async expose(): Promise<string> {
    await Promise.all([...this.#pool.serving, ...this.#pool.replaced].map((worker) => this.#ask(worker)))
    const merged = new MergedExposition()
    for await (const text of this.#texts()) merged.add(text)
    return merged.expose()
  }

  async *exposeInSlices(): AsyncGenerator<string, void, undefined> {
    yield await this.expose()
  }

  async *#texts(): AsyncGenerator<string> {
    let own = ''
    for await (const piece of this.#own.exposeInSlices()) own += piece
    yield own
    this.#forgetTypes()
    yield this.#ended.expose()
    yield* this.#last.values()
  }

  /** Workers that live do so themselves. */
  #forgetTypes(): void {
    const types = this.#agentTypes
    if (!types) return
    this.#ended.keepOnly((series) => {
      const type = AGENT_TYPE.exec(series)?.[1]
      return type === undefined || type === '' || type === OVERFLOW || types.isKnown(type)
    })
  }

  async #ask(worker: WorkerProcess): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_LIMIT_MS)
    })
    try {
      // Those that have been replaced count on, and have no place.
      const place = this.#pool.places.find((one) => one.worker === worker)?.id
      const text = await Promise.race([worker.link.ask<string>('metrics', place), late])
      if (text !== undefined && worker.state !== 'gone') this.#last.set(worker, text)
    } catch {
      // It has just ended: what it said last counts.
    } finally {
      clearTimeout(timer)
    }
  }
}
