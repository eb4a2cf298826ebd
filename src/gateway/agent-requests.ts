import type { RequestObserver } from '../http/close.ts'
import type { Response } from '../plugin/context/context.ts'
import { AGENT_REQUEST, type AgentRequest } from '../proxy/named-agent.ts'
import { countAgentTraffic } from '../registry/agent-traffic.ts'
import { declarations } from '../registry/metric-alias.ts'
import type { Environment } from './environment.ts'

/** Counts the requests that went to agents of the registry; `undefined` where there is none. */
export function agentRequestObserver({
  settings,
  metrics,
}: Pick<Environment, 'settings' | 'metrics'>): RequestObserver | undefined {
  const { enable, metrics_alias } = settings.gatewright.registry
  if (!enable) return undefined
  const count = countAgentTraffic(declarations(metrics, metrics_alias))
  return (context) => {
    const request = context.get(AGENT_REQUEST)
    if (request === undefined) return
    const { method, response, stats } = context
    const errorCode = errorCodeOf(request, response)
    count({ type: request.type, method, status: response.status, seconds: stats.totalMs / 1000, errorCode })
  }
}

/** The agent's own errors are its business: all of them are one. */
function errorCodeOf({ errorCode }: AgentRequest, { status, source }: Response): string | undefined {
  if (errorCode !== undefined || status < 500) return errorCode
  if (source === 'upstream') return 'PROCESSING_ERROR'
  return status === 504 ? 'ROUTING_TIMEOUT' : 'INTERNAL_ERROR'
}
