import type { FailureKind, TransportError } from '../transport.ts'
import { BAD, GOOD, type HealthLimits, IGNORED } from './checks.ts'
import type { NodeHealth } from './node-health.ts'
import type { ReportKind } from './status.ts'

/** What a failed attempt says about its node; `undefined`: the gateway's own limit was in the way. */
const REPORTS: Readonly<Record<FailureKind, Exclude<ReportKind, 'success'> | undefined>> = {
  connect: 'tcp_failure',
  'connect-timeout': 'timeout_failure',
  'queue-full': undefined,
  'send-timeout': 'timeout_failure',
  'read-timeout': 'timeout_failure',
  reset: 'tcp_failure',
  protocol: 'http_failure',
}

/** The limit that a report of each kind counts towards. */
export const LIMIT_OF: Readonly<Record<ReportKind, keyof HealthLimits>> = {
  success: 'successes',
  http_failure: 'httpFailures',
  tcp_failure: 'tcpFailures',
  timeout_failure: 'timeouts',
}

/** A node answered in full. Called once per request: what changes nothing returns before anything is made. */
export function reportAnswer(health: NodeHealth, status: number): void {
  const { isConfigured, statuses, limits } = health.passive
  if (!isConfigured) return
  const verdict = statuses[status] ?? IGNORED
  if (verdict === IGNORED || (verdict === GOOD && health.status === 'healthy')) return
  const kind = verdict === GOOD ? 'success' : 'http_failure'
  health.report(kind, limits[LIMIT_OF[kind]], { source: 'passive', detail: `status ${status}` })
}

export interface FailedAttempt {
  readonly error: TransportError
  /** What it amounts to for the client: 502 or 504. */
  readonly status: number
  /** Whether a further attempt was due, if any node, time and budget were left. */
  readonly isRetryDue: boolean
}

/**
 * An attempt failed. One that is made again elsewhere counts by its kind, with or without a `passive` section; the last one by its
 * status where that stands in a list, else by its kind, and only with a `passive` section.
 */
export function reportFailure(health: NodeHealth, { error, status, isRetryDue }: FailedAttempt): void {
  const { isConfigured, statuses, limits } = health.passive
  const kind = REPORTS[error.kind]
  if (kind === undefined || !(isConfigured || isRetryDue)) return
  const counted = !isRetryDue && statuses[status] === BAD ? 'http_failure' : kind
  health.report(counted, limits[LIMIT_OF[counted]], { source: 'passive', detail: error.message })
}
