import type { Clock } from '../lib/clock.ts'
import type { Asked } from './look-up.ts'

interface Waiter {
  readonly open: Set<Asked>
  readonly finish: () => void
}

/** Callers that wait for first answers, each until all of its own are there or its time is up. */
export class AskWaiters {
  readonly #clock: Clock
  readonly #waiters = new Set<Waiter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wait(open: Set<Asked>, waitMs: number): Promise<void> {
    if (open.size === 0 || waitMs <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = () => {
        cancel()
        this.#waiters.delete(waiter)
        resolve()
      }
      const waiter: Waiter = { open, finish }
      const cancel = this.#clock.schedule(waitMs, finish)
      this.#waiters.add(waiter)
    })
  }

  isAwaited(asked: Asked): boolean {
    for (const waiter of this.#waiters) if (waiter.open.has(asked)) return true
    return false
  }

  /** An answer is there, or never will be. */
  settle(asked: Asked): void {
    for (const waiter of this.#waiters) {
      if (waiter.open.delete(asked) && waiter.open.size === 0) waiter.finish()
    }
  }

  close(): void {
    for (const waiter of this.#waiters) waiter.finish()
  }
}
