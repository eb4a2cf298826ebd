/** Longest time in ms that long work holds the event loop before requests get their turn. */
const SLICE_MS = 8

/** Cuts long work into slices: ask at every step, and await what is answered. */
export class TimeSlices {
  readonly #now: () => number
  #startedAtMs: number

  /** `now` counts ms from any start. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#startedAtMs = now()
  }

  /** A promise to await once the slice is used up, else `undefined`, so that a step that need not wait costs no turn. */
  pause(): Promise<void> | undefined {
    if (this.#now() - this.#startedAtMs < SLICE_MS) return undefined
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#startedAtMs = this.#now()
        resolve()
      })
    })
  }
}
