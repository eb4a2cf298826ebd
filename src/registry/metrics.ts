import type { Clock } from '../lib/clock.ts'
import type { DeskParts } from './desk.ts'
import { agentStatus, statusOf } from './entries.ts'
import type { Declarations } from './metric-alias.ts'
import type { RegistryView } from './view.ts'
import { weightsOf } from './weights.ts'

/** The registry's metrics (systems.md §7.7). Gauges are counted from the records at each exposition, so that none is stale. */
export function registerRegistryMetrics(
  metrics: Declarations,
  view: RegistryView,
  clock: Clock,
): DeskParts['count'] {
  registerGauges(metrics, view, clock)
  const heartbeats = metrics.counter({
    name: 'gatewright_registry_heartbeats_total',
    help: 'Heartbeats that came to this gateway, by what came of them: ok, unknown_node or invalid',
    labels: ['outcome'],
  })
  const conflicts = metrics.counter({
    name: 'gatewright_registry_conflicts_total',
    help: 'Claims of an id that belongs to somebody else, of a node or an agent',
    labels: ['kind'],
  })
  return {
    heartbeat: (outcome) => heartbeats.labels(outcome).inc(),
    conflict: (kind) => conflicts.labels(kind).inc(),
  }
}

function registerGauges(metrics: Declarations, view: RegistryView, clock: Clock): void {
  const gauge = (name: string, help: string, ...labels: string[]) => metrics.gauge({ name, help, labels })
  const nodes = gauge('gatewright_registry_nodes', 'Registered nodes', 'status')
  const agents = gauge('gatewright_registry_agents', 'Registered agents', 'agent_type', 'status')
  const connections = gauge(
    'gatewright_registry_active_connections',
    'Connections that a node says it has open',
    'node_id',
  )
  const weights = gauge(
    'gatewright_registry_dynamic_weight',
    'Weight of an agent for wrr_dynamic; of several of one type and node, of one of them',
    ...['agent_type', 'node_id'],
  )
  const revision = gauge(
    'gatewright_registry_watch_revision',
    'Revision of the store that the registry is at',
  )
  const lag = gauge(
    'gatewright_registry_watch_lag_seconds',
    'Seconds since the store last told of a change while it cannot be followed; 0 while it is',
  )
  const expired = metrics.counter({
    name: 'gatewright_registry_lease_expired_total',
    help: 'Nodes whose lease ended without anybody asking for it, and the agents that went with them: an agent has no lease of its own',
    labels: ['kind'],
  })
  const expiredBefore = { node: 0, agent: 0 }
  metrics.beforeCollect(() => {
    for (const family of [nodes, agents, connections, weights]) family.remove(() => true)
    for (const node of view.nodes()) {
      nodes.labels(statusOf(node)).inc()
      if (node.activeConnections !== undefined) connections.labels(node.id).set(node.activeConnections)
    }
    for (const { record } of view.agents()) {
      const node = view.node(record.node_id)
      agents.labels(record.type, agentStatus(node)).inc()
      if (!node) continue
      const { dynamic } = weightsOf({ agent: record, node }, clock.nowMs())
      weights.labels(record.type, record.node_id).set(dynamic)
    }
    revision.labels().set(view.changes.revision)
    lag.labels().set(view.isConnected ? 0 : (view.silentMs ?? 0) / 1000)
    for (const kind of ['node', 'agent'] as const) {
      expired.labels(kind).inc(view.expired[kind] - expiredBefore[kind])
      expiredBefore[kind] = view.expired[kind]
    }
  })
}
