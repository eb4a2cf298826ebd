import type { Clock } from '../lib/clock.ts'
import type { Watch } from './discoverer.ts'

/** What a look-up brought, and for how long its source says it holds. */
export interface Loaded<T> {
  readonly value: T
  readonly ttlMs: number
}

/** Finds a value; given the last good one. Answers at once what it need not ask for. Throws or rejects with a reason for people. */
export type Load<T> = (previous: T | undefined) => Loaded<T> | Promise<Loaded<T>>

/** Hears of a value that is kept fresh. Neither call may throw. */
export interface RefreshListener<T> {
  onValue(value: T): void
  /** A look-up failed; the last value, if there was one, stays good. */
  onProblem(reason: string): void
}

export interface RefreshOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Told of each look-up of a key. */
  readonly onOutcome?: (key: string, outcome: Outcome) => void
}

export interface Outcome {
  /** Absent when it went well. */
  readonly problem: string | undefined
  /** It began to fail, or is well again. */
  readonly isNews: boolean
}

/** Bounds of how long a value is believed, whatever its source says. */
const SHORTEST_TTL_MS = 1000
const LONGEST_TTL_MS = 3_600_000
/** The wait after the first failure; it doubles with each further one. */
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 30_000

/**
 * Values by key, each looked up once for all who watch it and again before it expires, for as long as anyone does. A failed
 * look-up leaves the last good value as it is and is tried again, later each time. Of one key no two look-ups are under way.
 */
export class RefreshedValues<T> {
  readonly #options: RefreshOptions
  readonly #values = new Map<string, Refreshed<T>>()

  constructor(options: RefreshOptions) {
    this.#options = options
  }

  /** Keys that are watched, and those whose last look-up is still under way. */
  get size(): number {
    return this.#values.size
  }

  /** Tells the listener what is known already before it returns. `load` is used when nobody watches the key yet. */
  watch(key: string, load: Load<T>, listener: RefreshListener<T>): Watch {
    let value = this.#values.get(key)
    if (!value) {
      value = new Refreshed({ key, load, options: this.#options, onIdle: () => this.#values.delete(key) })
      this.#values.set(key, value)
    }
    const watched = value
    watched.add(listener)
    return { close: () => watched.remove(listener) }
  }
}

interface RefreshedParts<T> {
  readonly key: string
  readonly load: Load<T>
  readonly options: RefreshOptions
  /** Nobody watches it, and nothing is under way for it. */
  readonly onIdle: () => void
}

class Refreshed<T> {
  readonly #parts: RefreshedParts<T>
  readonly #listeners = new Set<RefreshListener<T>>()
  #value: T | undefined
  #problem: string | undefined
  #failures = 0
  #cancel: (() => void) | undefined
  #isStarted = false
  #isLoading = false

  constructor(parts: RefreshedParts<T>) {
    this.#parts = parts
  }

  add(listener: RefreshListener<T>): void {
    if (!this.#isStarted) {
      this.#isStarted = true
      this.#listeners.add(listener)
      this.#refresh()
      return
    }
    this.#listeners.add(listener)
    if (this.#value !== undefined) listener.onValue(this.#value)
    else if (this.#problem !== undefined) listener.onProblem(this.#problem)
  }

  remove(listener: RefreshListener<T>): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
    this.#cancel?.()
    // Whoever comes while it is under way waits for it, too.
    if (!this.#isLoading) this.#parts.onIdle()
  }

  /** A look-up has ended; whether anyone is left to hear of it. */
  #isAwaited(): boolean {
    this.#isLoading = false
    if (this.#listeners.size > 0) return true
    this.#parts.onIdle()
    return false
  }

  #refresh(): void {
    this.#isLoading = true
    try {
      const loaded = this.#parts.load(this.#value)
      if (!(loaded instanceof Promise)) this.#accept(loaded)
      else
        void loaded.then(
          (answer) => this.#accept(answer),
          (error: Error) => this.#fail(error.message),
        )
    } catch (error) {
      this.#fail((error as Error).message)
    }
  }

  #accept({ value, ttlMs }: Loaded<T>): void {
    if (!this.#isAwaited()) return
    const { key, options } = this.#parts
    const isNews = this.#failures > 0
    this.#failures = 0
    this.#problem = undefined
    this.#value = value
    const heldMs = Math.min(Math.max(ttlMs, SHORTEST_TTL_MS), LONGEST_TTL_MS)
    // A little before its end, and not for all that came together at the same moment.
    this.#again(heldMs * (0.85 + 0.1 * options.random()))
    options.onOutcome?.(key, { problem: undefined, isNews })
    this.#tell((listener) => listener.onValue(value))
  }

  #fail(reason: string): void {
    if (!this.#isAwaited()) return
    const { key, options } = this.#parts
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS)
    this.#failures++
    this.#problem = reason
    this.#again(waitMs * (0.75 + 0.25 * options.random()))
    options.onOutcome?.(key, { problem: reason, isNews: this.#failures === 1 })
    this.#tell((listener) => listener.onProblem(reason))
  }

  /** One that hears of it may close the watch of another. */
  #tell(say: (listener: RefreshListener<T>) => void): void {
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) say(listener)
  }

  #again(delayMs: number): void {
    this.#cancel = this.#parts.options.clock.schedule(delayMs, () => this.#refresh())
  }
}
