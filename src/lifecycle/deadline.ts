import type { Clock } from '../lib/clock.ts'

/** One absolute moment by which something must be over; every part of a stop shares the same one (systems.md §6.2). */
export interface Deadline {
  /** Milliseconds left; never below 0. */
  remainingMs(): number
  /** Aborted when the moment has come. */
  readonly signal: AbortSignal
  /** Releases the timer; the signal is not aborted any more. */
  dispose(): void
}

/** A deadline `afterMs` from now. The caller disposes it. */
export function createDeadline(afterMs: number, clock: Clock): Deadline {
  const atMs = clock.nowMs() + afterMs
  const controller = new AbortController()
  const dispose = clock.schedule(afterMs, () => controller.abort())
  return { remainingMs: () => Math.max(0, atMs - clock.nowMs()), signal: controller.signal, dispose }
}

/** What came first: the end of `work`, its failure, or the time limit. Never rejects; work that is late is left to itself. */
export type Bounded<T> =
  | { readonly outcome: 'done'; readonly value: T }
  | { readonly outcome: 'failed'; readonly error: unknown }
  | { readonly outcome: 'late' }

/** Waits for `work` for at most `limitMs`. */
export function withinLimit<T>(work: () => Promise<T>, limitMs: number, clock: Clock): Promise<Bounded<T>> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(limitMs, () => resolve({ outcome: 'late' }))
    const settle = (result: Bounded<T>): void => {
      cancel()
      resolve(result)
    }
    // Started inside a promise so that a synchronous throw is a failure like any other.
    Promise.resolve()
      .then(work)
      .then(
        (value) => settle({ outcome: 'done', value }),
        (error: unknown) => settle({ outcome: 'failed', error }),
      )
  })
}

/** As `work` ends, or rejects with the reason of `signal` when that is aborted before; what comes of the work then is nobody's any more. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
