import type { WorkerPool } from '../lifecycle/workers/pool.ts'
import type { Place } from '../lifecycle/workers/slot.ts'
import type { WorkerProcess, WorkerState } from '../lifecycle/workers/worker-process.ts'

/** One worker in the control API. */
export interface ShownWorker {
  /** From 1; 0 is the standby. Absent while it drains because another took its place. */
  readonly place?: number
  /** `waiting`: there is no process at the moment, because those before it crashed. */
  readonly state: WorkerState | 'waiting'
  readonly pid?: number
  /** Of the code and settings: one more with each swap. */
  readonly generation?: number
  /** Revision of the configuration that its requests meet. */
  readonly revision?: number
  readonly uptime_ms?: number
  /** Processes that ended in this place without being told to. */
  readonly restarts: number
  readonly crash_loop: boolean
}

export interface WorkerView {
  readonly nowMs: number
  revisionOf(worker: WorkerProcess): number | undefined
}

/** All places, the standby, and those that drain because another took their place. */
export function showWorkers(
  pool: Pick<WorkerPool<unknown>, 'places' | 'spare' | 'replaced'>,
  view: WorkerView,
): ShownWorker[] {
  const places = [...pool.places, pool.spare].map((place) => show(place, view))
  const drained = [...pool.replaced].map((worker) => ({
    ...facts(worker, view),
    restarts: 0,
    crash_loop: false,
  }))
  return [...places, ...drained]
}

function show({ id, worker, restarts, isLooping }: Place, view: WorkerView): ShownWorker {
  const known = worker ? facts(worker, view) : ({ state: 'waiting' } as const)
  return { place: id, ...known, restarts, crash_loop: isLooping }
}

function facts(
  worker: WorkerProcess,
  { nowMs, revisionOf }: WorkerView,
): Omit<ShownWorker, 'place' | 'restarts' | 'crash_loop'> {
  const revision = revisionOf(worker)
  return {
    state: worker.state,
    pid: worker.pid,
    generation: worker.generation,
    ...(revision !== undefined && { revision }),
    uptime_ms: Math.round(nowMs - worker.startedAtMs),
  }
}
