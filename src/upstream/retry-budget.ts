/** The part of an upstream's requests that may be retries, and how many may be whatever that comes to (decisions 15). */
const RETRY_PART = 0.2
const RETRY_FLOOR = 3

/**
 * Keeps an upstream that fails from being sent more because it fails: of the requests under way at it, at most a fifth may be
 * beyond their first attempt, three at the least. One per upstream, over all its edits.
 */
export class RetryBudget {
  readonly #onRefused: () => void
  #active = 0
  #retrying = 0

  constructor(onRefused: () => void) {
    this.#onRefused = onRefused
  }

  /** A request goes to the upstream; {@link end} follows exactly once. */
  begin(): void {
    this.#active++
  }

  /** Whether the request may go beyond its first attempt; asked once per request, a yes is held until it ends. */
  tryRetry(): boolean {
    if (this.#retrying < Math.max(RETRY_FLOOR, Math.floor(this.#active * RETRY_PART))) {
      this.#retrying++
      return true
    }
    this.#onRefused()
    return false
  }

  end(wasRetried: boolean): void {
    this.#active--
    if (wasRetried) this.#retrying--
  }
}
