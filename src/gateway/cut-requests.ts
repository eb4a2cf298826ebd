import type { Drain } from '../lifecycle/drain.ts'
import type { Logger } from '../observe/logger.ts'
import type { RequestTally } from './request-tally.ts'

/** A line each; those beyond are in the access log as all are. */
const MAX_LINES = 100

/** The time of a stop is over: whatever request ends from now on is one that was cut. */
export function tellOfCutRequests(tally: RequestTally, logger: Logger, drain: Drain): void {
  let lines = 0
  tally.tellEach(({ id, route, method, path, stats }) => {
    drain.force('requests')
    if (lines++ >= MAX_LINES) return
    const ageMs = Math.round(stats.totalMs)
    logger.warn({ request: id, route: route?.id, method, path, ageMs }, 'a request was cut by the stop')
  })
}
