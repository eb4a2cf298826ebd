import type { Clock } from '../lib/clock.ts'
import type { SecretBackend } from './backends/backend.ts'
import type { LookUp, Outcome } from './look-up.ts'
import { SecretFailure } from './secret-failure.ts'

export interface FetchQueueOptions {
  readonly clock: Clock
  /** Throws a SecretFailure when there is none. */
  readonly findBackend: (manager: string) => SecretBackend
  /** Not called for what was removed or restarted meanwhile. */
  readonly onOutcome: (lookUp: LookUp, outcome: Outcome) => void
}

/** Calls in flight at a time, over all managers. */
const MAX_IN_FLIGHT = 8
const TIMEOUT_MS = 5000

/** Calls secret managers: each look-up once at a time, few at a time, each with a deadline. */
export class FetchQueue {
  readonly #options: FetchQueueOptions
  readonly #running = new Map<LookUp, AbortController>()
  readonly #waiting = new Set<LookUp>()

  constructor(options: FetchQueueOptions) {
    this.#options = options
  }

  /** Does nothing for one that waits or runs already. */
  add(lookUp: LookUp): void {
    if (this.#running.has(lookUp)) return
    this.#waiting.add(lookUp)
    this.#fill()
  }

  /** As {@link add}, but what is running does not count: it was asked under other circumstances. */
  restart(lookUp: LookUp): void {
    this.remove(lookUp)
    this.add(lookUp)
  }

  remove(lookUp: LookUp): void {
    this.#waiting.delete(lookUp)
    const running = this.#running.get(lookUp)
    if (running === undefined) return
    this.#running.delete(lookUp)
    running.abort()
    this.#fill()
  }

  close(): void {
    this.#waiting.clear()
    for (const abort of this.#running.values()) abort.abort()
    this.#running.clear()
  }

  #fill(): void {
    for (const lookUp of this.#waiting) {
      if (this.#running.size >= MAX_IN_FLIGHT) return
      this.#waiting.delete(lookUp)
      void this.#run(lookUp)
    }
  }

  async #run(lookUp: LookUp): Promise<void> {
    const abort = new AbortController()
    this.#running.set(lookUp, abort)
    const late = new SecretFailure(`no answer within ${TIMEOUT_MS / 1000} s`)
    const cancelDeadline = this.#options.clock.schedule(TIMEOUT_MS, () => abort.abort(late))
    const outcome = await this.#call(lookUp, abort.signal)
    cancelDeadline()
    if (this.#running.get(lookUp) !== abort) return
    this.#running.delete(lookUp)
    this.#options.onOutcome(lookUp, outcome)
    this.#fill()
  }

  async #call({ manager, path }: LookUp, signal: AbortSignal): Promise<Outcome> {
    try {
      const backend = this.#options.findBackend(manager)
      const document = await Promise.race([backend.fetch(path, signal), untilAborted(signal)])
      return { ok: true, document }
    } catch (error) {
      const { reason, isAbsent } = describe(error)
      return { ok: false, reason, isAbsent }
    }
  }
}

/** Rejects with the reason of the signal, so that a call which does not heed it ends too. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Only the messages of our own failures are shown: others may quote what a server answered. */
function describe(error: unknown): { reason: string; isAbsent: boolean } {
  if (error instanceof SecretFailure) return { reason: error.message, isAbsent: error.isAbsent }
  const name = error instanceof Error ? error.name : 'unknown failure'
  const reason = name === 'TimeoutError' ? 'no answer in time' : `the call failed (${name})`
  return { reason, isAbsent: false }
}
