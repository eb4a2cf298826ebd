/** A request brings a fifth of what a retry costs (decisions 15); counted in fifths, so that sums are exact. */
const BROUGHT_BY_REQUEST = 1
const COST_OF_RETRY = 5
/** Retries that may fail at the start, and again after a while however few requests come. */
const FLOOR = 3 * COST_OF_RETRY
/** How fast what was used up comes back to the floor by itself: one retry a second. */
const FLOOR_PER_MS = COST_OF_RETRY / 1000
/** What requests may save up although few are under way: enough for one request to try many dead nodes. */
const SMALL_SAVINGS = 10 * COST_OF_RETRY

/**
 * Keeps an upstream that fails from being sent more because it fails: retries in vain come to at most a fifth of its requests over
 * time, beyond a few. A retry is paid for when it is made; a request that a node answers in the end gets back what it
 * paid, so that one dead node among good ones can be hidden for as long as it takes. What is saved up for bad times is at most one
 * retry for each request under way, or ten. One per upstream, over all its edits.
 */
export class RetryBudget {
  readonly #onRefused: () => void
  readonly #now: () => number
  #active = 0
  #saved = FLOOR
  #lookedAtMs: number

  /** `now` in ms, of a clock that only grows; it is read only when a retry is due. */
  constructor(onRefused: () => void, now: () => number = () => performance.now()) {
    this.#onRefused = onRefused
    this.#now = now
    this.#lookedAtMs = now()
  }

  /** A request goes to the upstream; {@link end} follows exactly once. */
  begin(): void {
    this.#active++
    const missing = Math.max(SMALL_SAVINGS, this.#active * COST_OF_RETRY) - this.#saved
    // The savings of a busier hour go as slowly as they came: load that comes in waves keeps them.
    this.#saved += Math.max(-BROUGHT_BY_REQUEST, Math.min(BROUGHT_BY_REQUEST, missing))
  }

  /** Whether one more attempt may be made after one that failed; a yes is paid for. */
  tryRetry(): boolean {
    this.#refill()
    if (this.#saved >= COST_OF_RETRY) {
      this.#saved -= COST_OF_RETRY
      return true
    }
    this.#onRefused()
    return false
  }

  /** A node has answered a request after so many retries. */
  refund(retries: number): void {
    this.#saved += retries * COST_OF_RETRY
  }

  end(): void {
    this.#active--
  }

  #refill(): void {
    const nowMs = this.#now()
    const brought = (nowMs - this.#lookedAtMs) * FLOOR_PER_MS
    this.#lookedAtMs = nowMs
    if (this.#saved < FLOOR) this.#saved = Math.min(FLOOR, this.#saved + brought)
  }
}
