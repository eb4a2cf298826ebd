/** How a node is doing; `mostly_…` is on its way from one pure state to the other (contract §5.7). */
export type HealthStatus = 'healthy' | 'mostly_healthy' | 'mostly_unhealthy' | 'unhealthy'

/** What a probe or an attempt says about a node. */
export type ReportKind = 'success' | 'http_failure' | 'tcp_failure' | 'timeout_failure'

/** Reports in a row, by kind. */
export type HealthCounters = Readonly<Record<ReportKind, number>>

export interface HealthState {
  readonly status: HealthStatus
  readonly counter: HealthCounters
}

const NO_REPORTS: HealthCounters = { success: 0, http_failure: 0, tcp_failure: 0, timeout_failure: 0 }

/** A node begins healthy: it is used until something speaks against it. */
export const INITIAL_HEALTH: HealthState = { status: 'healthy', counter: NO_REPORTS }

/** Whether requests are sent to a node of this status. */
export function isUsable(status: HealthStatus): boolean {
  return status === 'healthy' || status === 'mostly_healthy'
}

/**
 * The state after one report; the same object when the report does not count: one that only confirms a pure state, or one whose
 * `limit`, the reports in a row that make the switch, is 0. Counters are not zeroed by a switch, only by the next report of the
 * other side (contract §5.7).
 */
export function advance(state: HealthState, report: ReportKind, limit: number): HealthState {
  const { status } = state
  if (limit === 0 || status === (report === 'success' ? 'healthy' : 'unhealthy')) return state
  const counter = count(state.counter, report)
  return { status: statusAfter(status, report, counter[report] >= limit), counter }
}

function count(before: HealthCounters, report: ReportKind): HealthCounters {
  if (report === 'success') return { ...NO_REPORTS, success: before.success + 1 }
  return { ...before, success: 0, [report]: before[report] + 1 }
}

function statusAfter(status: HealthStatus, report: ReportKind, isLimitReached: boolean): HealthStatus {
  if (report === 'success') {
    if (isLimitReached) return 'healthy'
    return status === 'unhealthy' ? 'mostly_unhealthy' : status
  }
  if (isLimitReached) return 'unhealthy'
  return status === 'healthy' ? 'mostly_healthy' : status
}
