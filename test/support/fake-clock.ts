import type { Clock } from '../../src/lib/clock.ts'

export interface FakeClock extends Clock {
  /** Lets time pass: due calls run in order, and what they settle gets its turn in between. */
  advance(ms: number): Promise<void>
  /** Calls that are still to come. */
  readonly pending: number
}

/** Node's timers go off after 1 ms when they are asked for longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A clock that stands still until it is told to go on. */
export function fakeClock(): FakeClock {
  let now = 0
  const calls = new Set<{ readonly atMs: number; readonly run: () => void }>()
  return {
    nowMs: () => now,
    schedule(delayMs, run) {
      const call = { atMs: now + (delayMs > LONGEST_TIMER_MS ? 1 : delayMs), run }
      calls.add(call)
      return () => calls.delete(call)
    },
    async advance(ms) {
      const end = now + ms
      for (;;) {
        await settle()
        const next = [...calls].sort((one, other) => one.atMs - other.atMs)[0]
        if (next === undefined || next.atMs > end) break
        calls.delete(next)
        now = Math.max(now, next.atMs)
        next.run()
      }
      now = end
    },
    get pending() {
      return calls.size
    },
  }
}

/** One turn of the event loop: every promise that can settle has done so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
