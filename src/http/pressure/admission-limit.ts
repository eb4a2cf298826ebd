/** How often the owner samples the event loop. */
export const TICK_MS = 50

/** So many ticks in a row have to be late: one hold of the loop, and what piled up meanwhile, is no overload. */
const LATE_TICKS = 3
/** What one turn of the event loop is to spend on requests while there are too many: what is refused waits for about two turns. */
const TURN_MS = 4
const WINDOW_MS = 100
/** A loop that is busy for less of the time has room for everybody. */
const SATURATED = 0.8
const CALM_MS = 1000
/** Before the first refusal is measured. */
const ASSUMED_REFUSAL_MS = 0.02
/** By how much the cost of a refusal may rise from one to the next. */
const REFUSAL_RISE = 1.01

/** The event loop at one moment; all counts only grow. */
export interface LoopSample {
  /** Monotonic. */
  readonly nowMs: number
  /** How long the loop was at work. */
  readonly busyMs: number
  /** Requests that were let in. */
  readonly begun: number
}

export interface AdmissionLimitOptions {
  /** The loop is too late when it is later than this. */
  readonly overloadDelayMs: number
  /** Monotonic. */
  readonly nowMs: () => number
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
  #isLimiting = false
  #last: LoopSample | undefined
  #lateTicks = 0
  /** Where the lateness, or the window that is measured, began. */
  #since: LoopSample | undefined
  #costMs = 0
  #perTurn = Number.POSITIVE_INFINITY
  #credit = 0
  #refused = 0
  #turns = 0
  #calmMs = 0
  #refusalMs = ASSUMED_REFUSAL_MS
  #lastRefusalMs: number | undefined

  constructor(options: AdmissionLimitOptions) {
    this.#options = options
  }

  /** Whether {@link admits} is to be asked. */
  get isLimiting(): boolean {
    return this.#isLimiting
  }

  /** Requests that may begin in one turn; Infinity while nothing is limited. */
  get perTurn(): number {
    return this.#perTurn
  }

  /** To be called every {@link TICK_MS}, as late as the event loop makes it. */
  sample(sample: LoopSample): void {
    const last = this.#last
    this.#last = sample
    if (!last) return
    if (this.#isLimiting) this.#adjust(sample)
    else this.#watch(last, sample)
  }

  /** Whether one more request may begin; for every request, as long as limited. */
  admits(): boolean {
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
    if (sample.nowMs - last.nowMs - TICK_MS <= this.#options.overloadDelayMs) {
      this.#lateTicks = 0
      this.#since = undefined
      return
    }
    this.#lateTicks++
    this.#since ??= last
    if (this.#lateTicks < LATE_TICKS) return
    this.#isLimiting = true
    this.#costMs = costOf(this.#since, sample, 0) ?? TURN_MS
    this.#setLimit(TURN_MS)
    this.#beginWindow(sample)
    this.#calmMs = 0
  }

  #adjust(sample: LoopSample): void {
    const since = this.#since!
    const elapsedMs = sample.nowMs - since.nowMs
    if (elapsedMs < WINDOW_MS) return
    const refusingMs = this.#refused * this.#refusalMs
    const cost = costOf(since, sample, refusingMs)
    if (cost !== undefined) this.#costMs = (this.#costMs + cost) / 2
    // Never more time for refusing than for serving: with very many clients the limit would keep falling for nothing.
    this.#setLimit(Math.max(TURN_MS, refusingMs / Math.max(1, this.#turns)))
    const isCalm = this.#refused === 0 || sample.busyMs - since.busyMs < elapsedMs * SATURATED
    this.#calmMs = isCalm ? this.#calmMs + elapsedMs : 0
    this.#beginWindow(sample)
    if (this.#calmMs >= CALM_MS) this.#stop()
  }

  #setLimit(turnMs: number): void {
    this.#perTurn = Math.max(1, turnMs / this.#costMs)
  }

  #beginWindow(sample: LoopSample): void {
    this.#since = sample
    this.#refused = 0
    this.#turns = 0
  }

  #stop(): void {
    this.#isLimiting = false
    this.#perTurn = Number.POSITIVE_INFINITY
    this.#since = undefined
    this.#lateTicks = 0
  }

  readonly #endTurn = (): void => {
    this.#turns++
    this.#refused += this.#turn.refused
    this.#turn.admitted = 0
    this.#turn.refused = 0
    this.#lastRefusalMs = undefined
  }

  /** By the least time between two refusals in a row, since anything else may happen in between. */
  #measureRefusal(): void {
    const nowMs = this.#options.nowMs()
    if (this.#lastRefusalMs !== undefined) {
      this.#refusalMs = Math.min(nowMs - this.#lastRefusalMs, this.#refusalMs * REFUSAL_RISE)
    }
    this.#lastRefusalMs = nowMs
  }
}

/** Milliseconds of the loop for one request, from its beginning to its end; undefined when none began. */
function costOf(from: LoopSample, to: LoopSample, refusingMs: number): number | undefined {
  const begun = to.begun - from.begun
  if (begun <= 0) return undefined
  const busyMs = to.busyMs - from.busyMs - refusingMs
  return Math.max(LEAST_COST_MS, busyMs / begun)
}

const LEAST_COST_MS = 0.01
