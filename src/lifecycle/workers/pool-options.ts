import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ForkedProcess, WorkerProcess } from './worker-process.ts'

/** What a {@link WorkerPool} is made of, and whom it tells. */
export interface PoolOptions<Addresses> {
  /** At least 1. */
  readonly size: number
  readonly clock: Clock
  readonly logger: Logger
  fork(): ForkedProcess
  /** Before the worker is asked for anything: what the primary answers it. */
  attach(worker: WorkerProcess): void
  /** What a worker is made with, asked for at each start. */
  describe(worker: WorkerProcess): unknown
  /** How long a worker may take to get ready. */
  readonly readyTimeoutMs: number
  /** How long it may take to drain when another took its place. */
  readonly drainMs: number
  /** A worker that holds more memory is replaced by another one without losing a request; 0 or absent for any. */
  readonly maxRssBytes?: number
  /** How long one that is replaced goes on accepting. */
  readonly minDrainMs: number
  /**
   * Makes a standby of a new process, when what workers are made of may change before one is needed: it is prepared when it takes its place,
   * at a swap too. Absent: a standby is prepared at once, and thrown away at a swap.
   */
  warm?(worker: WorkerProcess): Promise<void>
  /** What a worker answers once it is prepared, before it listens. A rejection ends it. */
  onPrepared?(answer: unknown): Promise<void>
  /** A worker listens. */
  onServing(worker: WorkerProcess, addresses: Addresses): void
  /** Whether any worker serves, or the names of what keeps crashing, may have changed. */
  onChange(): void
  onGone(worker: WorkerProcess): void
  /** One ended by what it did, or did not answer: not by a SIGKILL from elsewhere, nor because it was never started. Called before another one is asked for anything. */
  onCrash?(worker: WorkerProcess): void
  /** How many reasons for crashes have been found and put out of the way so far: a start is not given up while there are more. */
  causesRemoved?(): number
}
