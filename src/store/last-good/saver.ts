import type { Clock } from '../../lib/clock.ts'

/** Saving takes at most one part in so many of the time, however large the configuration is. */
const SHARE = 20
/** What could not be saved is tried again after this time, even when nothing changes. */
const RETRY_MS = 10_000

export interface SaverOptions {
  /** Writes what there is now. */
  save(): Promise<void>
  readonly clock: Clock
  /** Least time from one save to the next, in ms. */
  readonly minIntervalMs: number
  onSaved(): void
  onFailure(error: unknown): void
}

/** Saves soon after a change, and many changes together: never two at a time, never more often than is said. */
export class Saver {
  readonly #options: SaverOptions
  #isDirty = false
  #isClosed = false
  #notBeforeMs = 0
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined

  constructor(options: SaverOptions) {
    this.#options = options
  }

  /** There is something to save. */
  note(): void {
    this.#isDirty = true
    this.#arrange()
  }

  /** Saves what is not saved yet, now, and nothing after that. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer?.()
    await this.#running
    if (this.#isDirty) await this.#save()
  }

  #arrange(): void {
    if (this.#isClosed || this.#running || this.#cancelTimer) return
    const { clock } = this.#options
    this.#cancelTimer = clock.schedule(Math.max(0, this.#notBeforeMs - clock.nowMs()), () => {
      this.#cancelTimer = undefined
      this.#running = this.#save().finally(() => {
        this.#running = undefined
        if (this.#isDirty) this.#arrange()
      })
    })
  }

  async #save(): Promise<void> {
    const { clock, minIntervalMs, save, onSaved, onFailure } = this.#options
    const startedAtMs = clock.nowMs()
    this.#isDirty = false
    let waitMs = minIntervalMs
    try {
      await save()
      onSaved()
    } catch (error) {
      this.#isDirty = true
      waitMs = Math.max(minIntervalMs, RETRY_MS)
      onFailure(error)
    }
    const endedAtMs = clock.nowMs()
    this.#notBeforeMs = endedAtMs + Math.max(waitMs, SHARE * (endedAtMs - startedAtMs))
  }
}
