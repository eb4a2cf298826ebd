import type { WorkerPool } from '../lifecycle/workers/pool.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import { AppliedWaiters } from '../snapshot/applied.ts'

/**
 * In the primary process: which revision of the configuration the requests of all workers meet. All that may answer one count: those too that
 * have opened their listeners and not said so yet, and those that drain.
 */
export class AppliedByWorkers {
  readonly #pool: () => Pick<WorkerPool<unknown>, 'answering'>
  readonly #waiters = new AppliedWaiters()
  readonly #revisions = new WeakMap<WorkerProcess, number>()

  constructor(pool: () => Pick<WorkerPool<unknown>, 'answering'>) {
    this.#pool = pool
  }

  /** What a worker told last. */
  revisionOf(worker: WorkerProcess): number | undefined {
    return this.#revisions.get(worker)
  }

  /** The revision that all have come to; `undefined` when nobody answers requests. */
  get byAll(): number | undefined {
    const revisions = [...this.#pool().answering].map((worker) => this.#revisions.get(worker) ?? 0)
    return revisions.length > 0 ? Math.min(...revisions) : undefined
  }

  /** The requests of a worker meet this revision. */
  note(worker: WorkerProcess, revision: number): void {
    this.#revisions.set(worker, revision)
    this.compare()
  }

  /** To be called when a worker is gone. */
  compare(): void {
    this.#waiters.publish(this.byAll ?? Number.POSITIVE_INFINITY)
  }

  /** Resolves when all have come to this revision, or nobody answers requests; rejects as {@link AppliedWaiters.waitFor} does. */
  waitFor(revision: number, signal: AbortSignal): Promise<void> {
    // One that was told to listen meanwhile may have come less far than those before it.
    this.compare()
    return this.#waiters.waitFor(revision, signal)
  }

  /** Those that wait are told that the gateway stops. */
  close(): void {
    this.#waiters.close()
  }
}
