import type { Clock, RequestContext } from '../../../src/plugin/api.ts'

/**
 * Turns a monotonic time of a request (in ms) into microseconds since the epoch. One request's times are all measured from one
 * reading of the wall clock: a clock that is set meanwhile bends no span.
 */
export function microsAt(clock: Clock, { stats }: RequestContext): (monotonicMs: number) => number {
  const { startedAt } = stats
  const startedMs = clock.now() - (clock.monotonic() - startedAt)
  return (monotonicMs) => Math.round((startedMs + monotonicMs - startedAt) * 1000)
}
