import { type AgentClaim, checkAgentId } from '../../../src/registry/agent-desk.ts'
import { intervalMs } from '../../../src/registry/desk.ts'
import { findAgents, showAgent } from '../../../src/registry/look-up.ts'
import { agentId } from '../../../src/registry/records.ts'
import { RegistryError } from '../../../src/registry/registry-error.ts'
import { type Selection, selectAgent } from '../../../src/registry/select.ts'
import { checkEndpoint } from './node-routes.ts'
import {
  checkedBody,
  numberOf,
  type RegistryAnswer,
  type RegistryCall,
  type RegistryDeps,
} from './registry-call.ts'
import { agentSchema, selectSchema } from './schemas.ts'

const DEFAULT_WEIGHT = 100
const PAGE = { min: 1, max: 1000, fallback: 100 }
const STATUSES: readonly string[] = ['online', 'unhealthy', 'draining', 'initializing']
const FILTERS: readonly string[] = ['type', 'node', 'capability', 'status', 'limit', 'cursor', 'api_key']
const LABEL = 'label.'

/** `/agents` and `/select`: systems.md §7.3. */
export function createAgentRoutes({ registry, nowMs, choose }: RegistryDeps) {
  const { view } = registry
  const register = async (
    { segments: [, type = '', key], body, query, gatewayEndpoint }: RegistryCall,
    isKeyGiven: boolean,
  ): Promise<RegistryAnswer> => {
    checkAgentId(type, isKeyGiven ? (key ?? '') : 'generated')
    const { weight = DEFAULT_WEIGHT, ...rest } = checkedBody<AgentClaim>(body, agentSchema)
    if (rest.endpoint !== undefined) checkEndpoint(rest.endpoint, registry.sockets)
    const registered = await registry.desks.agents.register(
      { type, key: isKeyGiven ? key : undefined },
      { weight, ...rest },
      query.get('takeover') === 'true',
    )
    const { record } = registered.node
    return {
      status: registered.isNew ? 201 : 200,
      json: {
        id: agentId(registered.record),
        gateway_endpoint: gatewayEndpoint,
        heartbeat_interval_ms: intervalMs(record),
        lease_id: record.lease_id,
        lease_ttl_s: record.lease_ttl_s,
        createdIndex: registered.createRevision,
        modifiedIndex: registered.modRevision,
      },
    }
  }
  return {
    list: async ({ query }: RegistryCall): Promise<RegistryAnswer> => ({
      status: 200,
      json: findAgents(view, readQuery(query), nowMs()),
    }),

    get: async ({ segments: [, type = '', key = ''] }: RegistryCall): Promise<RegistryAnswer> => {
      checkAgentId(type, key)
      const agent = view.agent(`${type}/${key}`)
      if (!agent) throw new RegistryError('AGENT_NOT_FOUND', `agent "${type}/${key}" is not registered`)
      return { status: 200, json: showAgent(view, agent, nowMs()) }
    },

    put: (call: RegistryCall) => register(call, true),
    post: (call: RegistryCall) => register(call, false),

    remove: async ({ segments: [, type = '', key = ''], query }: RegistryCall): Promise<RegistryAnswer> => {
      await registry.desks.agents.remove(type, key, query.get('node_id') ?? undefined)
      return { status: 204 }
    },

    select: async ({ segments: [, type = ''], body }: RegistryCall): Promise<RegistryAnswer> => {
      checkAgentId(type, 'any')
      const { strategy, hash_key, exclude } = checkedBody<
        Pick<Selection, 'strategy' | 'exclude'> & { readonly hash_key: string }
      >(body, selectSchema)
      const selection = { strategy, hashKey: hash_key, exclude }
      return { status: 200, json: selectAgent(view, type, { selection, choose, nowMs: nowMs() }) }
    },
  }
}

function readQuery(query: URLSearchParams) {
  const labels: [string, string][] = []
  for (const [name, value] of query) {
    const isLabel = name.startsWith(LABEL) && name !== LABEL
    if (isLabel) labels.push([name.slice(LABEL.length), value])
    else if (!FILTERS.includes(name))
      throw new RegistryError('VALIDATION_FAILED', `filter "${name}" is not known`)
    if (name !== 'capability' && query.getAll(name).length > 1)
      throw new RegistryError('VALIDATION_FAILED', `filter "${name}" stands more than once`)
  }
  const status = query.get('status') ?? undefined
  if (status !== undefined && !STATUSES.includes(status)) {
    throw new RegistryError('VALIDATION_FAILED', `status "${status}" is none of ${STATUSES.join(', ')}`)
  }
  return {
    type: query.get('type') ?? undefined,
    node: query.get('node') ?? undefined,
    status,
    capabilities: query.getAll('capability'),
    labels: Object.fromEntries(labels),
    limit: numberOf(query, 'limit', PAGE),
    after: query.get('cursor') ?? undefined,
  }
}
