/** Time as an argument, so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds that only grow; their zero means nothing. */
  nowMs(): number
  /** Calls `run` once after `delayMs`; the result cancels it. */
  schedule(delayMs: number, run: () => void): () => void
}

/** As {@link SYSTEM_CLOCK}, for calls that must not keep a process alive that has nothing else to do. */
export const BACKGROUND_CLOCK: Clock = {
  nowMs: () => performance.now(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref()
    return () => clearTimeout(timer)
  },
}

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
