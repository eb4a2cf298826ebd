import type { Clock } from '../lib/clock.ts'
import { STOP_SIGNALS, type StopSignal } from './exit-code.ts'

/** The part of `process` that signals and failures come from. */
export interface ProcessEvents {
  on(event: string, listener: (value: unknown) => void): unknown
  off(event: string, listener: (value: unknown) => void): unknown
}

export interface SignalSink {
  /** The first signal to stop. */
  onStop(signal: StopSignal): void
  /** A later SIGTERM or SIGINT: whoever sends it does not want to wait. Called once at most. */
  onImpatience(exitCode: number): void
}

/** A terminal and a supervisor may deliver the same Ctrl-C twice; what comes sooner than this is the same wish (systems.md §6.4). */
const SAME_WISH_MS = 200

/** Listens to SIGTERM, SIGINT and SIGQUIT until the result is called. */
export function watchSignals(events: ProcessEvents, sink: SignalSink, clock: Clock): () => void {
  let firstAtMs: number | undefined
  let isImpatient = false
  const handlers = Object.entries(STOP_SIGNALS).map(([signal, exitCode]) => {
    const handler = (): void => {
      const nowMs = clock.nowMs()
      if (firstAtMs === undefined) {
        firstAtMs = nowMs
        sink.onStop(signal as StopSignal)
      } else if (exitCode !== undefined && nowMs - firstAtMs >= SAME_WISH_MS && !isImpatient) {
        isImpatient = true
        sink.onImpatience(exitCode)
      }
    }
    events.on(signal, handler)
    return () => events.off(signal, handler)
  })
  return () => {
    for (const remove of handlers) remove()
  }
}
