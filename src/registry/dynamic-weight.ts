import type { Load } from './records.ts'

/** What a share of the formula is when nothing is known of it. */
const UNKNOWN = 0.5
const LEAST = 0.1

/**
 * The weight of `wrr_dynamic` (systems.md §7.5): the base weight times how much the node has to spare, times how well it does;
 * 1 at least. Without figures both factors are one half.
 */
export function dynamicWeight(base: number, load: Load | undefined, isAvailable = true): number {
  return Math.max(1, Math.floor(base * performance(load) * health(load, isAvailable)))
}

function performance(load: Load | undefined): number {
  if (!load) return UNKNOWN
  const { cpu_usage, memory_usage, average_processing_time } = load
  return (
    Math.max(LEAST, 1 - cpu_usage / 100) *
    Math.max(LEAST, 1 - memory_usage / 100) *
    Math.max(LEAST, 1 / (1 + average_processing_time / 1000))
  )
}

function health(load: Load | undefined, isAvailable: boolean): number {
  const rate = load ? Math.max(LEAST, 1 - load.error_rate) : UNKNOWN
  return rate * (isAvailable ? 1 : LEAST)
}

/** How long a node that came back climbs to its full weight. */
export const SLOW_START_MS = 10_000

/** The part of its weight that a node gets `sinceMs` after it came back: from a tenth to all of it. */
export function slowStartShare(sinceMs: number): number {
  return Math.min(1, Math.max(LEAST, sinceMs / SLOW_START_MS))
}

/** What a degraded node keeps of its weight. */
export const DEGRADED_SHARE = 0.1
