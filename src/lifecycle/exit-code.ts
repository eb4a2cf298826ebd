/** What the process ends with (systems.md §6.6 D13). */
export const EXIT_CODE = {
  clean: 0,
  startFailure: 1,
  /** Work was cut at the deadline, or a part did not stop. */
  forced: 2,
  uncaught: 70,
} as const

/**
 * Signals that ask for a stop, and the exit code of an impatient second one: 128 and the signal's number. SIGQUIT only asks: while a stop is under
 * way it is ignored (systems.md §6.4).
 */
export const STOP_SIGNALS = { SIGINT: 130, SIGQUIT: undefined, SIGTERM: 143 } as const

export type StopSignal = keyof typeof STOP_SIGNALS
