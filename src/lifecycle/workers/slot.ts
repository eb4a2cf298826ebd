import type { Clock } from '../../lib/clock.ts'
import { CrashHistory } from './crash-history.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A worker's place, over all processes that were in it. */
export interface Place {
  readonly id: number
  readonly worker: WorkerProcess | undefined
  /** Processes that ended in it without being told to. */
  readonly restarts: number
  /** Processes that were replaced because of their memory. */
  readonly renewals: number
  readonly isLooping: boolean
}

/** A place as the pool keeps it. */
export class Slot implements Place {
  readonly id: number
  readonly history = new CrashHistory()
  readonly #clock: Clock
  worker: WorkerProcess | undefined
  restarts = 0
  renewals = 0
  cancelRestart: (() => void) | undefined

  constructor(id: number, clock: Clock) {
    this.id = id
    this.#clock = clock
  }

  get isLooping(): boolean {
    return this.history.isLoop(this.#clock.nowMs())
  }
}
