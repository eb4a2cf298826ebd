import type { Context } from '../plugin/context/context.ts'
import { requestSlot } from '../plugin/context/slot.ts'
import type { RegisteredAgents } from '../upstream/agents.ts'
import { isLeftOut } from '../upstream/health/pick-healthy.ts'
import type { UpstreamNode, UpstreamState } from '../upstream/upstream.ts'
import type { GatewayError } from './gateway-error.ts'
import type { Outcome } from './verdict.ts'

/** On answers to requests that named an agent and went to another one. */
export const FALLBACK = ['X-Agent-Fallback', '1'] as const

/** What becomes of a request to agents of the gateway's own registry; for who counts it. */
export interface AgentRequest {
  /** Empty while nobody of the type is registered: only what is registered becomes a label. */
  readonly type: string
  /** `error_code` of a failure of the gateway's own; absent when there was none. */
  errorCode: string | undefined
}

/** Set on requests to agents of the gateway's own registry. */
export const AGENT_REQUEST = requestSlot<AgentRequest>('agent-request')

/** Codes of outcomes, as the registry calls them (docs/reference/registry.md). */
const ERROR_CODES: Readonly<Record<string, string>> = {
  no_nodes: 'NO_HEALTHY_NODE',
  upstream_queue_full: 'NO_HEALTHY_NODE',
  upstream_connect_failed: 'WORKER_NODE_UNAVAILABLE',
  upstream_all_tried: 'WORKER_NODE_UNAVAILABLE',
  upstream_connect_timeout: 'ROUTING_TIMEOUT',
  upstream_send_timeout: 'ROUTING_TIMEOUT',
  upstream_read_timeout: 'ROUTING_TIMEOUT',
}
/** gRPC's `NOT_FOUND`: its `UNIMPLEMENTED`, for other 404s, is of methods that there are not. */
const GRPC_NOT_FOUND = 5
const OTHER_ERROR = 'ROUTING_ERROR'

const MESSAGES: Readonly<Record<string, (type: string) => string>> = {
  AGENT_NOT_FOUND: (type) => `no agent of type "${type}" is registered`,
  NO_HEALTHY_NODE: (type) => `no agent of type "${type}" can be used at the moment`,
  WORKER_NODE_UNAVAILABLE: (type) => `the node of an agent of type "${type}" cannot be reached`,
  ROUTING_TIMEOUT: (type) => `an agent of type "${type}" did not answer in time`,
  ROUTING_ERROR: (type) => `an agent of type "${type}" gave no proper answer`,
}

/** The choice of an agent for one request: the one that `X-Agent-Id: type/key` names as long as it can be had (systems.md §7.6). */
export class AgentChoice {
  /** The last node chosen is not the one that the client named. */
  isFallback = false
  readonly #agents: RegisteredAgents
  readonly #request: AgentRequest
  /** What the client named; a name of another type is not meant for this upstream. */
  readonly #id: string | undefined

  constructor(agents: RegisteredAgents, context: Context) {
    const { type, isTypeKnown } = agents
    const id = context.headers.get('x-agent-id')
    this.#agents = agents
    this.#id = id?.startsWith(`${type}/`) ? id : undefined
    this.#request = { type: isTypeKnown ? type : '', errorCode: undefined }
    context.set(AGENT_REQUEST, this.#request)
  }

  /** The named agent's node, counted by the balancer; `undefined` when none is named or it is not to be had. */
  pick(
    { balancer }: Pick<UpstreamState, 'balancer'>,
    tried: readonly UpstreamNode[] | undefined,
  ): UpstreamNode | undefined {
    const named = this.#named
    if (named === undefined || tried?.includes(named) || isLeftOut(named.health, 0)) return undefined
    return balancer.pick({ hashKey: () => '', isExcluded: (node) => node !== named })
  }

  /** The next attempt goes there. */
  chose(node: UpstreamNode | undefined): void {
    this.isFallback = this.#id !== undefined && node !== this.#named
  }

  /** How a failure reads in the words of the registry. */
  failure({ code, status }: Outcome): { readonly status: number; readonly reply: GatewayError['reply'] } {
    const { type, isTypeKnown } = this.#agents
    const isUnknown = code === 'no_nodes' && this.#id !== undefined && !isTypeKnown
    const error_code = isUnknown ? 'AGENT_NOT_FOUND' : (ERROR_CODES[code] ?? OTHER_ERROR)
    this.#request.errorCode = error_code
    return {
      status: isUnknown ? 404 : status,
      reply: {
        body: { error_code, error_msg: MESSAGES[error_code]!(type) },
        ...(isUnknown && { grpcStatus: GRPC_NOT_FOUND }),
        ...(this.isFallback && { headers: Object.fromEntries([FALLBACK]) }),
      },
    }
  }

  get #named(): UpstreamNode | undefined {
    return this.#id === undefined ? undefined : this.#agents.nodes.get(this.#id)
  }
}
