import type { Declarations } from './metric-alias.ts'

/** A request to agents that has ended. */
export interface EndedRequest {
  /** Empty when nobody of the type was registered. */
  readonly type: string
  readonly method: string
  /** What the client was answered. */
  readonly status: number
  readonly seconds: number
  /** Absent when it went well. */
  readonly errorCode: string | undefined
}

/** The kind of thing that `agent_type` names: series go with the last agent of their type. */
export const AGENT_TYPES = 'agent_types'

const OWNERS = { agent_type: AGENT_TYPES }
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Others are any token that a client makes up. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Counts requests to registered agents by their type (systems.md §7.7); the result is told of each. */
export function countAgentTraffic(metrics: Declarations): (request: EndedRequest) => void {
  const requests = metrics.counter({
    name: 'gatewright_registry_requests_total',
    help: 'Requests to agents of the registry, by the status that the client got',
    labels: ['agent_type', 'status'],
    owners: OWNERS,
  })
  const failed = metrics.counter({
    name: 'gatewright_registry_requests_failed_total',
    help: 'Of these, requests that failed at the gateway or at the agent, by error_code',
    labels: ['agent_type', 'error_type'],
    owners: OWNERS,
  })
  const durations = metrics.histogram({
    name: 'gatewright_registry_request_duration_seconds',
    help: 'How long requests to agents of the registry took, to the end of the answer',
    labels: ['agent_type', 'method'],
    owners: OWNERS,
    buckets: BUCKETS,
  })
  return ({ type, method, status, seconds, errorCode }) => {
    requests.labels(type, String(status)).inc()
    if (errorCode !== undefined) failed.labels(type, errorCode).inc()
    durations.labels(type, METHODS.has(method) ? method : 'other').observe(seconds)
  }
}
