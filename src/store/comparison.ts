import type { Clock } from '../lib/clock.ts'
import type { Listing } from './config-store.ts'
import type { KnownItems } from './known-items.ts'

export interface ComparisonOptions {
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  readonly intervalMs: number
  readonly known: KnownItems
  list(): Promise<Listing>
  /** The watch has lost changes of so many items. Nothing is compared any more. */
  onLoss(count: number): void
}

/** What differs may be on its way; what still differs in the same way after this time is not. */
const AGAIN_MS = 2000
/** Comparing takes one part in so many of the time at most. */
const SHARE = 200
const LONGEST_MS = 300_000

/** Compares what a watch has told with what the store holds, beside the watch: none of its events waits for that. */
export class Comparison {
  readonly #options: ComparisonOptions
  /** What differed the last time: the version that was known, by key. */
  #suspects: ReadonlyMap<string, number> = new Map()
  #isStopped = false
  #cancel: () => void

  constructor(options: ComparisonOptions) {
    this.#options = options
    this.#cancel = this.#after(options.intervalMs)
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel()
  }

  #after(delayMs: number): () => void {
    const { clock, random } = this.#options
    // Gateways that were cut off together do not ask together for ever.
    return clock.schedule(delayMs * (0.8 + 0.2 * random()), () => void this.#compare())
  }

  async #compare(): Promise<void> {
    const { clock, known, intervalMs, list, onLoss } = this.#options
    const beganMs = clock.nowMs()
    let suspects: ReadonlyMap<string, number> = new Map()
    try {
      const listing = await list()
      suspects = known.differences(listing)
    } catch {
      // Whether the store is there is the watch's to say: what it does not answer now is asked the next time.
    }
    if (this.#isStopped) return
    const lost = [...suspects].filter(([key, revision]) => this.#suspects.get(key) === revision)
    if (lost.length > 0) {
      this.stop()
      onLoss(lost.length)
      return
    }
    this.#suspects = suspects
    const tookMs = clock.nowMs() - beganMs
    const restMs = Math.max(intervalMs, Math.min(LONGEST_MS, tookMs * SHARE))
    this.#cancel = this.#after(suspects.size > 0 ? AGAIN_MS : restMs)
  }
}
