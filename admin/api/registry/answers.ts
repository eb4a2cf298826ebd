import { ERROR_STATUS } from '../../../src/registry/registry-error.ts'

const text = { type: 'string' } as const
const count = { type: 'integer', minimum: 0 } as const
const figure = { type: 'number', minimum: 0 } as const
const texts = { type: 'array', items: text } as const
const map = { type: 'object' } as const
const time = { type: 'integer', description: 'Unix time in seconds' } as const

/** An object that always has the first fields and may have the second. */
function object<F extends object, O extends object>(fields: F, optional: O) {
  return { type: 'object', properties: { ...fields, ...optional }, required: Object.keys(fields) } as const
}

const lease = { lease_id: text, lease_ttl_s: count, heartbeat_interval_ms: count, gateway_endpoint: text }
const indexes = { createdIndex: count, modifiedIndex: count }
const metrics = object(
  { cpu_usage: figure, memory_usage: figure, average_processing_time: figure, error_rate: figure },
  { active_connections: count },
)

const node = object(
  { node_id: text, endpoint: text, protocol: text, labels: map, status: text, agents: texts, ...indexes },
  {
    ...{ zone: text, version: text, capacity: count, degraded_by: text, metrics, drain: map },
    ...{ registered_at: time, last_heartbeat: time, lease_ttl_s: count },
  },
)
const agent = object(
  {
    ...{ id: text, type: text, key: text, node_id: text, weight: count, priority: { type: 'integer' } },
    ...{ capabilities: texts, metadata: map, status: text, healthy: { type: 'boolean' }, ...indexes },
    ...{ dynamic_weight: count },
  },
  { endpoint: text, version: text, health_check: map, registered_at: time, last_heartbeat: time },
)

/** The shapes of the registry's answers (systems.md §7.3), by their name in an OpenAPI document. */
export const REGISTRY_ANSWERS = {
  'registry.node': node,
  'registry.nodes': object({ total: count, list: { type: 'array', items: node } }, {}),
  'registry.node-registered': object({ node_id: text, ...lease, revision: count }, {}),
  'registry.heartbeat': object(
    { lease_ttl_s: count, status: text, unknown_agents: texts, missing_agents: texts },
    {},
  ),
  'registry.draining': object({ node_id: text, status: { const: 'draining' }, drain_s: count }, {}),
  'registry.agent': agent,
  'registry.agents': object({ total: count, list: { type: 'array', items: agent } }, { cursor: text }),
  'registry.agent-registered': object({ id: text, ...lease, ...indexes }, {}),
  'registry.selected': object({ id: text, endpoint: text, strategy: text }, {}),
  'registry.error': object(
    { error_code: { type: 'string', enum: Object.keys(ERROR_STATUS) }, error_msg: text },
    { details: map },
  ),
} as const

export type RegistryAnswerName = keyof typeof REGISTRY_ANSWERS
