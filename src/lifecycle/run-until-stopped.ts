import type { Clock } from '../lib/clock.ts'
import { withinLimit } from './deadline.ts'
import { EXIT_CODE } from './exit-code.ts'
import { type ProcessEvents, watchSignals } from './signals.ts'

/** What runs: a gateway. `stop` may be called while `start` is under way, and after it failed. */
export interface Runnable {
  start(): Promise<void>
  /** Drains within its own deadline; resolves with how many pieces of work were cut. */
  stop(reason: string): Promise<{ readonly forced: number }>
}

export interface RunOptions {
  readonly events: ProcessEvents
  readonly clock: Clock
  /** After this long a stop is given up: the drain deadline and some seconds. */
  readonly hardStopMs: number
  /** After an uncaught exception nothing can be relied on: how long the stop may take then. */
  readonly fastStopMs: number
  /** Whether what was thrown outside of every guard is known to concern nothing but its origin, and has been dealt with. */
  isContained?(error: unknown): boolean
  /** Resolves when something else than a signal asks for a stop, with the word for it. A signal after it is the same wish. */
  readonly asked?: Promise<string>
  /** Told of everything that goes wrong, at most once for each. */
  onProblem(problem: RunProblem): void
}

export interface RunProblem {
  readonly kind: 'start' | 'stop' | 'uncaught'
  readonly error: unknown
}

type End = { readonly reason: string; readonly exitCode: number; readonly limitMs: number }

/**
 * Starts, waits for a signal or an uncaught failure, stops. Resolves with the exit code and never rejects; the caller then calls
 * `process.exit`, because timers of cut requests would keep the process alive (systems.md §6.1, trap 8).
 */
export async function runUntilStopped(runnable: Runnable, options: RunOptions): Promise<number> {
  let askToEnd!: (end: End) => void
  let giveUp!: (exitCode: number) => void
  const ended = new Promise<End>((resolve) => (askToEnd = resolve))
  const gaveUp = new Promise<number>((resolve) => (giveUp = resolve))
  let hadUncaught = false
  const onUncaught = (error: unknown): void => {
    if (options.isContained?.(error)) return
    hadUncaught = true
    options.onProblem({ kind: 'uncaught', error })
    askToEnd({ reason: 'uncaught', exitCode: EXIT_CODE.uncaught, limitMs: options.fastStopMs })
  }
  const unwatch = watchSignals(
    options.events,
    {
      onStop: (signal) =>
        askToEnd({ reason: signal, exitCode: EXIT_CODE.clean, limitMs: options.hardStopMs }),
      onImpatience: giveUp,
    },
    options.clock,
  )
  void options.asked?.then((reason) =>
    askToEnd({ reason, exitCode: EXIT_CODE.clean, limitMs: options.hardStopMs }),
  )
  options.events.on('uncaughtException', onUncaught)
  options.events.on('unhandledRejection', onUncaught)
  try {
    const exitCode = await Promise.race([gaveUp, startAndStop(runnable, ended, options)])
    return hadUncaught ? EXIT_CODE.uncaught : exitCode
  } finally {
    unwatch()
    options.events.off('uncaughtException', onUncaught)
    options.events.off('unhandledRejection', onUncaught)
  }
}

async function startAndStop(runnable: Runnable, ended: Promise<End>, options: RunOptions): Promise<number> {
  let isEnding = false
  const asked = ended.then((end) => {
    isEnding = true
    return end
  })
  const started = runnable.start().then(
    () => asked,
    (error: unknown): Promise<End> | End => {
      // A start that was called off by a signal fails because of it: no news.
      if (isEnding) return asked
      options.onProblem({ kind: 'start', error })
      return { reason: 'start failed', exitCode: EXIT_CODE.startFailure, limitMs: options.fastStopMs }
    },
  )
  const end = await Promise.race([started, asked])
  const stopped = await withinLimit(() => runnable.stop(end.reason), end.limitMs, options.clock)
  if (stopped.outcome === 'failed') options.onProblem({ kind: 'stop', error: stopped.error })
  if (stopped.outcome === 'late') {
    options.onProblem({ kind: 'stop', error: new Error(`the stop took more than ${end.limitMs} ms`) })
  }
  if (end.exitCode !== EXIT_CODE.clean) return end.exitCode
  return stopped.outcome === 'done' && stopped.value.forced === 0 ? EXIT_CODE.clean : EXIT_CODE.forced
}
