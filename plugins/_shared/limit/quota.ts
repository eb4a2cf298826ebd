/** How much of what may be used in a window of time. */
export interface Allowance {
  readonly limit: number
  readonly windowMs: number
}

/** What one attempt to use some of an allowance came to. */
export interface Quota {
  readonly isAllowed: boolean
  /** What is left after this attempt. A sliding window may go below zero on an accepted attempt (contract §7.3). */
  readonly remaining: number
  /** Until the window ends; for a refusal of a sliding window, until one unit is free again. */
  readonly resetMs: number
}

/** Counts by key. Implementations bound their memory and forget the oldest first. */
export interface QuotaCounter {
  /** Uses one unit if the allowance permits it. A refused attempt is not counted. */
  take(key: string, allowance: Allowance, now: number): Quota
}

/** The same wherever the counters are kept. A promise rejects when they cannot be reached. */
export type TakeQuota = (key: string, allowance: Allowance) => Quota | Promise<Quota>

/** Seconds cut, not rounded, to two decimals: `60`, `59.99` (contract §7.8). */
export function secondsText(ms: number): string {
  const hundredths = Math.floor(ms / 10)
  const rest = hundredths % 100
  const seconds = String((hundredths - rest) / 100)
  // Small whole numbers have their texts at hand, fractions are converted digit by digit: bench/plugins.ts.
  if (rest === 0) return seconds
  return rest % 10 === 0 ? `${seconds}.${rest / 10}` : `${seconds}.${rest < 10 ? '0' : ''}${rest}`
}
