import type { Agents } from './agent-index.ts'
import { type AgentEntry, agentStatus, type NodeEntry, statusOf } from './entries.ts'
import type { RegistryView } from './view.ts'
import { type Wanted, wantedTest, weightsOf } from './weights.ts'

/** What a list of agents is narrowed down by; everything has to be true of them. */
export interface AgentQuery extends Wanted {
  readonly type?: string | undefined
  readonly node?: string | undefined
  readonly status?: string | undefined
  readonly limit: number
  /** Agents after this id. */
  readonly after?: string | undefined
}

export interface AgentPage {
  /** Of all that fit, whatever the limit. */
  readonly total: number
  readonly list: readonly object[]
  /** Where the next page begins; absent on the last. */
  readonly cursor?: string
}

/** Agents by what is known of them, in the order of their ids. */
export function findAgents(view: RegistryView, query: AgentQuery, nowMs: number): AgentPage {
  const { after, limit } = query
  const isFitting = fittingTest(view, query)
  const list: AgentEntry[] = []
  let total = 0
  let isMore = false
  for (const agent of candidates(view, query).sorted()) {
    if (!isFitting(agent)) continue
    total++
    if (after !== undefined && agent.id <= after) continue
    if (list.length < limit) list.push(agent)
    else isMore = true
  }
  return {
    total,
    list: list.map((agent) => showAgent(view, agent, nowMs)),
    ...(isMore && { cursor: list.at(-1)!.id }),
  }
}

/** The smallest set that an index gives. */
function candidates({ index }: RegistryView, query: AgentQuery): Agents {
  const sets = [
    index.all,
    ...(query.type === undefined ? [] : [index.ofType(query.type)]),
    ...(query.node === undefined ? [] : [index.ofNode(query.node)]),
    ...query.capabilities.map((capability) => index.ofCapability(capability)),
  ]
  return sets.reduce((smallest, set) => (set.size < smallest.size ? set : smallest))
}

function fittingTest(view: RegistryView, query: AgentQuery): (agent: AgentEntry) => boolean {
  const { type, node, status, capabilities } = query
  const isWanted = wantedTest(query)
  const isLabelled = Object.keys(query.labels).length > 0
  return ({ record }) => {
    if (type !== undefined && record.type !== type) return false
    if (node !== undefined && record.node_id !== node) return false
    const owner = view.node(record.node_id)
    if (status !== undefined && agentStatus(owner) !== status) return false
    if (owner) return isWanted(record, owner)
    return !isLabelled && capabilities.every((capability) => record.capabilities.includes(capability))
  }
}

/** An agent as it is answered: its record, and how it does. */
export function showAgent(
  view: RegistryView,
  { id, record, createRevision, modRevision }: AgentEntry,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const node = view.node(record.node_id)
  const status = agentStatus(node)
  return {
    id,
    ...record,
    status,
    healthy: status === 'online',
    endpoint: record.endpoint ?? node?.record.endpoint,
    dynamic_weight: node ? weightsOf({ agent: record, node }, nowMs).dynamic : 0,
    last_heartbeat: seconds(node?.lastBeatMs),
    createdIndex: createRevision,
    modifiedIndex: modRevision,
  }
}

/** A node as it is answered; its lease is for itself alone. */
export function showNode(view: RegistryView, node: NodeEntry): Readonly<Record<string, unknown>> {
  const { lease_id: _lease, load: _load, ...record } = node.record
  return {
    ...record,
    status: statusOf(node),
    metrics: node.load && { ...node.load, active_connections: node.activeConnections },
    last_heartbeat: seconds(node.lastBeatMs),
    drain: node.drain,
    agents: [...view.index.ofNode(node.id)].map(({ id }) => id).sort(),
    createdIndex: node.createRevision,
    modifiedIndex: node.modRevision,
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.floor(ms / 1000)
}
