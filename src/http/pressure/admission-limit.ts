/** How often the owner samples the event loop. */
export const TICK_MS = 50

/** So many ticks have to be late before the loop has rested: one hold of it, and what piled up meanwhile, is no overload. */
const LATE_TICKS = 3
/** So many requests in one turn, and it is looked how long it takes already: in a long one no tick comes. */
const LOOK_EVERY = 32
/** What one turn of the event loop is to spend on requests while there are too many: what is refused waits for about two turns. */
const TURN_MS = 3
const WINDOW_MS = 100
/** A loop that is busy for less of the time has room for everybody. */
const SATURATED = 0.8
/** So much more calm than not: a burst does not undo the second before it. */
const CALM_MS = 1000
/** Before the first refusal is measured. */
const ASSUMED_REFUSAL_MS = 0.02
/** Refusals over which their cost is a mean. */
const REFUSALS_MEANT = 100
/** What happens between two refusals and takes longer than so many of them was something else. */
const ONE_REFUSAL = 4
const LEAST_COST_MS = 0.01
/** So many times the cost at the start are not believed: what else the process does would be taken for that of few requests. */
const MOST_COST = 3

/** The event loop at one moment; all counts only grow. */
export interface LoopSample {
  /** Monotonic. */
  readonly nowMs: number
  /** How long the loop was at work, or could not be because others had the processor. */
  readonly busyMs: number
  /** Processor time of the process. */
  readonly cpuMs: number
  /** Requests that were let in. */
  readonly begun: number
}

export interface AdmissionLimitOptions {
  /** The loop is too late when it is later than this. */
  readonly overloadDelayMs: number
  /** Monotonic, as in a sample. */
  readonly nowMs: () => number
  readonly measure: () => LoopSample
  /** Calls once this turn of the event loop has handled all that was ready. */
  readonly afterTurn: (run: () => void) => void
}

interface Turn {
  admitted: number
  refused: number
}

/**
 * Lets in as many requests as this process can work off, measured by its own event loop alone: time that requests wait for nodes
 * is none of its business. It watches until the loop is late all the time (a standing queue, as CoDel tells it: RFC 8289), and then
 * limits how many requests may begin in one turn of the loop: the rate at which it works them off, times the delay that is wanted
 * (Little's law). docs/operate/overload.md has the whole.
 */
export class AdmissionLimit {
  readonly #options: AdmissionLimitOptions
  readonly #turn: Turn = { admitted: 0, refused: 0 }
  #untilLook = LOOK_EVERY
  /** Since the last tick. */
  #firstLook: LoopSample | undefined
  #isLimiting = false
  #last: LoopSample | undefined
  #lateTicks = 0
  /** Since the last late tick: clients that all wait for each other make long turns and short ones in alternation. */
  #inTimeMs = 0
  /** Where the lateness, or the window that is measured, began. */
  #since: LoopSample | undefined
  #costMs = 0
  #mostCostMs = 0
  #perTurn = Number.POSITIVE_INFINITY
  #credit = 0
  #refused = 0
  #writingMs = 0
  #turns = 0
  #calmMs = 0
  #refusalMs = ASSUMED_REFUSAL_MS
  #lastRefusalMs: number | undefined

  constructor(options: AdmissionLimitOptions) {
    this.#options = options
  }

  /** Whether there are too many requests. */
  get isLimiting(): boolean {
    return this.#isLimiting
  }

  /** Requests that may begin in one turn; Infinity while nothing is limited. */
  get perTurn(): number {
    return this.#perTurn
  }

  /** To be called every {@link TICK_MS}, as late as the event loop makes it. */
  tick(): void {
    const sample = this.#options.measure()
    const last = this.#last
    this.#last = sample
    this.#untilLook = LOOK_EVERY
    this.#firstLook = undefined
    if (!last) return
    if (this.#isLimiting) this.#adjust(sample)
    else this.#watch(last, sample)
  }

  /** Whether one more request may begin. */
  admits(): boolean {
    if (this.#isLimiting) return this.#takesTurn()
    if (--this.#untilLook > 0) return true
    this.#untilLook = LOOK_EVERY
    this.#look()
    return true
  }

  /** Refusals were written together, which took so long. */
  wroteRefusals(tookMs: number): void {
    this.#writingMs += tookMs
  }

  #takesTurn(): boolean {
    const turn = this.#turn
    if (turn.admitted === 0 && turn.refused === 0) {
      this.#credit = Math.min(this.#credit + this.#perTurn, this.#perTurn + 1)
      this.#options.afterTurn(this.#endTurn)
    }
    if (this.#credit >= 1) {
      this.#credit -= 1
      turn.admitted++
      this.#lastRefusalMs = undefined
      return true
    }
    turn.refused++
    this.#measureRefusal()
    return false
  }

  #watch(last: LoopSample, sample: LoopSample): void {
    const elapsedMs = sample.nowMs - last.nowMs
    if (elapsedMs - TICK_MS <= this.#options.overloadDelayMs) {
      this.#inTimeMs += elapsedMs
      const hasRested = sample.busyMs - last.busyMs < elapsedMs * SATURATED
      if (hasRested || this.#inTimeMs > this.#options.overloadDelayMs) this.#forgetLateness()
      return
    }
    this.#inTimeMs = 0
    this.#lateTicks++
    this.#since ??= last
    if (this.#lateTicks >= LATE_TICKS) this.#start(this.#since, sample)
  }

  /** In the middle of a turn that has begun many requests. */
  #look(): void {
    const { nowMs, measure, overloadDelayMs } = this.#options
    const first = this.#firstLook
    if (first && nowMs() - first.nowMs <= overloadDelayMs * LATE_TICKS) return
    const sample = measure()
    if (!first) {
      // Not since the tick: the loop may have been held before its first request.
      this.#firstLook = sample
      return
    }
    this.#last = sample
    this.#start(first, sample)
  }

  #start(since: LoopSample, sample: LoopSample): void {
    this.#isLimiting = true
    this.#costMs = costOf(since, sample, 0) ?? TURN_MS
    this.#mostCostMs = this.#costMs * MOST_COST
    this.#setLimit(TURN_MS)
    this.#credit = 0
    this.#calmMs = 0
    this.#beginWindow(sample)
  }

  #adjust(sample: LoopSample): void {
    const since = this.#since!
    const elapsedMs = sample.nowMs - since.nowMs
    if (elapsedMs < WINDOW_MS) return
    const refusingMs = this.#refused * this.#refusalMs + this.#writingMs
    const cost = costOf(since, sample, refusingMs)
    if (cost !== undefined) this.#costMs = Math.min((this.#costMs + cost) / 2, this.#mostCostMs)
    // Never more time for refusing than for serving: with very many clients the limit would keep falling for nothing.
    this.#setLimit(Math.max(TURN_MS, refusingMs / Math.max(1, this.#turns)))
    const isCalm = this.#refused === 0 || sample.busyMs - since.busyMs < elapsedMs * SATURATED
    this.#calmMs = Math.max(0, this.#calmMs + (isCalm ? elapsedMs : -elapsedMs))
    this.#beginWindow(sample)
    if (this.#calmMs >= CALM_MS) this.#stop()
  }

  #setLimit(turnMs: number): void {
    this.#perTurn = Math.max(1, turnMs / this.#costMs)
  }

  #beginWindow(sample: LoopSample): void {
    this.#since = sample
    this.#refused = 0
    this.#writingMs = 0
    this.#turns = 0
  }

  #stop(): void {
    this.#isLimiting = false
    this.#perTurn = Number.POSITIVE_INFINITY
    this.#forgetLateness()
  }

  #forgetLateness(): void {
    this.#since = undefined
    this.#lateTicks = 0
    this.#inTimeMs = 0
  }

  readonly #endTurn = (): void => {
    this.#turns++
    this.#refused += this.#turn.refused
    this.#turn.admitted = 0
    this.#turn.refused = 0
    this.#lastRefusalMs = undefined
  }

  /** By the time between two refusals in a row. */
  #measureRefusal(): void {
    const nowMs = this.#options.nowMs()
    if (this.#lastRefusalMs !== undefined) {
      const latestMs = Math.min(nowMs - this.#lastRefusalMs, this.#refusalMs * ONE_REFUSAL)
      this.#refusalMs += (latestMs - this.#refusalMs) / REFUSALS_MEANT
    }
    this.#lastRefusalMs = nowMs
  }
}

/** Processor time for one request, from its beginning to its end; undefined when none began. */
function costOf(from: LoopSample, to: LoopSample, refusingMs: number): number | undefined {
  const begun = to.begun - from.begun
  if (begun <= 0) return undefined
  return Math.max(LEAST_COST_MS, (to.cpuMs - from.cpuMs - refusingMs) / begun)
}
