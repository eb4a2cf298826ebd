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
 * look-up leaves the last good value as it is and is tried again, later each time.
 */
export class RefreshedValues<T> {
  readonly #options: RefreshOptions
  readonly #values = new Map<string, Refreshed<T>>()

  constructor(options: RefreshOptions) {
    this.#options = options
  }

  /** Keys that are watched. */
  get size(): number {
    return this.#values.size
  }

  /** Tells the listener what is known already before it returns. `load` is used when nobody watches the key yet. */
  watch(key: string, load: Load<T>, listener: RefreshListener<T>): Watch {
    let value = this.#values.get(key)
    if (!value) {
      value = new Refreshed(key, load, this.#options)
      this.#values.set(key, value)
    }
    const watched = value
    watched.add(listener)
    return {
      close: () => {
        if (watched.remove(listener) && watched.isUnwatched) this.#values.delete(key)
      },
    }
  }
}

class Refreshed<T> {
  readonly #key: string
  readonly #load: Load<T>
  readonly #options: RefreshOptions
  readonly #listeners = new Set<RefreshListener<T>>()
  #value: T | undefined
  #problem: string | undefined
  #failures = 0
  #cancel: (() => void) | undefined
  #isStarted = false

  constructor(key: string, load: Load<T>, options: RefreshOptions) {
    this.#key = key
    this.#load = load
    this.#options = options
  }

  get isUnwatched(): boolean {
    return this.#listeners.size === 0
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

  /** False when it was removed before. */
  remove(listener: RefreshListener<T>): boolean {
    const wasThere = this.#listeners.delete(listener)
    if (this.isUnwatched) this.#cancel?.()
    return wasThere
  }

  #refresh(): void {
    try {
      const loaded = this.#load(this.#value)
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
    if (this.isUnwatched) return
    const isNews = this.#failures > 0
    this.#failures = 0
    this.#problem = undefined
    this.#value = value
    const heldMs = Math.min(Math.max(ttlMs, SHORTEST_TTL_MS), LONGEST_TTL_MS)
    // A little before its end, and not for all that came together at the same moment.
    this.#again(heldMs * (0.85 + 0.1 * this.#options.random()))
    this.#options.onOutcome?.(this.#key, { problem: undefined, isNews })
    for (const listener of [...this.#listeners]) listener.onValue(value)
  }

  #fail(reason: string): void {
    if (this.isUnwatched) return
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS)
    this.#failures++
    this.#problem = reason
    this.#again(waitMs * (0.75 + 0.25 * this.#options.random()))
    this.#options.onOutcome?.(this.#key, { problem: reason, isNews: this.#failures === 1 })
    for (const listener of [...this.#listeners]) listener.onProblem(reason)
  }

  #again(delayMs: number): void {
    this.#cancel = this.#options.clock.schedule(delayMs, () => this.#refresh())
  }
}
