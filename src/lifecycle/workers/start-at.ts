import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Slot } from './slot.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Processes that may end in one place, without that anything is done about it, before the start is given up. */
const START_ATTEMPTS = 4
/** The same, whatever is done about it. */
const MOST_START_ATTEMPTS = 20

/** What a place is filled with when the gateway starts. */
export interface StartParts {
  readonly clock: Clock
  readonly logger: Logger
  /** How long it may take until the worker is prepared, whatever happens on the way but for processes that end by themselves. */
  readonly readyTimeoutMs: number
  fork(): WorkerProcess
  /** Resolves when it takes connections. */
  serve(worker: WorkerProcess, limitMs: number): Promise<void>
  isCalledOff(): boolean
  /** See `PoolOptions`. */
  causesRemoved?(): number
}

/**
 * Has a worker serve in this place. One that ends on its way may have met a configuration that is set aside by the time of the next, and is
 * followed by a few others. One that is mute while its program loads is followed by one other, which has the rest of the time. Rejects when
 * none serves; the last one may be left.
 */
export async function startAt(slot: Slot, parts: StartParts): Promise<void> {
  const { clock, logger, readyTimeoutMs, causesRemoved = () => 0 } = parts
  let removed = causesRemoved()
  let inVain = 0
  let limitMs = readyTimeoutMs
  for (let attempt = 1; ; attempt++) {
    const worker = parts.fork()
    slot.worker = worker
    const isSecond = limitMs < readyTimeoutMs
    worker.watchLoading({ mayEnd: !isSecond })
    try {
      await parts.serve(worker, limitMs)
      return
    } catch (error) {
      if (!worker.link.isClosed)
        throw isSecond && !worker.isLoaded ? muteError(worker, readyTimeoutMs) : error
      await worker.ended
      if (parts.isCalledOff() || attempt === MOST_START_ATTEMPTS) throw error
      if (worker.isMute) {
        const silentMs = Math.round(clock.nowMs() - worker.startedAtMs)
        limitMs = Math.max(0, readyTimeoutMs - silentMs)
        logger.warn(
          { worker: worker.pid, silentMs },
          'a worker said nothing while its program was loaded: it is killed, and another one is tried',
        )
        continue
      }
      inVain = causesRemoved() > removed ? 0 : inVain + 1
      removed = causesRemoved()
      if (inVain === START_ATTEMPTS) throw error
    }
  }
}

function muteError({ pid }: WorkerProcess, readyTimeoutMs: number): Error {
  return new Error(
    `worker ${pid} did not get ready within ${readyTimeoutMs} ms: its program is not loaded, and the one before it said nothing at all; ` +
      'look for own plugins (gatewright.plugin_paths) that block as they are imported, for NODE_OPTIONS that workers inherit, and for a machine without processor time',
  )
}
