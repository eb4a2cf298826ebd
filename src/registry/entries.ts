import type { AgentRecord, DrainRecord, Load, NodeRecord, NodeStatus } from './records.ts'

/** A node as this gateway knows it: what stands in the store, and what it heard itself. Written by the view and the desk only. */
export interface NodeEntry {
  readonly id: string
  record: NodeRecord
  createRevision: number
  modRevision: number
  drain: DrainRecord | undefined
  /** The newest of what was heard here and what stands in the store. */
  load: Load | undefined
  /** Connections that the node has open, as it said last. */
  activeConnections: number | undefined
  /** Of the last heartbeat that came here, in ms of the wall clock. */
  lastBeatMs: number | undefined
  /** When it came back from being degraded, in ms of the monotonic clock. */
  recoveredAtMs: number | undefined
}

export interface AgentEntry {
  readonly id: string
  record: AgentRecord
  createRevision: number
  modRevision: number
}

/** An agent that may serve, together with its node. */
export interface Serving {
  readonly agent: AgentRecord
  readonly node: NodeEntry
}

/** `draining` wins over what the record says. */
export function statusOf(node: NodeEntry): NodeStatus {
  return node.drain ? 'draining' : node.record.status
}

/** Whether it may be picked. */
export function isSelectable(node: NodeEntry): boolean {
  const status = statusOf(node)
  return status === 'running' || status === 'degraded'
}

export type AgentStatus = 'online' | 'unhealthy' | 'draining' | 'initializing'

const AGENT_STATUS: Readonly<Record<NodeStatus, AgentStatus>> = {
  initializing: 'initializing',
  running: 'online',
  degraded: 'unhealthy',
  draining: 'draining',
}

/** An agent is as its node is; one whose node is not known is not there to be used. */
export function agentStatus(node: NodeEntry | undefined): AgentStatus {
  return node ? AGENT_STATUS[statusOf(node)] : 'initializing'
}
