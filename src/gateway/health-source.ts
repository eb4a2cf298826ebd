import type { CheckedNode, HealthReport, HealthSource } from '../control/healthcheck.ts'
import { KINDS, type Kind } from '../model/kind.ts'
import type { Graph } from '../snapshot/graph.ts'
import type { HealthMonitor } from '../upstream/health/monitor.ts'
import type { NodeHealth } from '../upstream/health/node-health.ts'
import type { UpstreamHealth } from '../upstream/health/upstream-health.ts'

interface HealthParts {
  readonly graph: Graph
  /** Absent where health checks are switched off. */
  readonly monitor: HealthMonitor | undefined
  /** Of the store: `/apisix`. */
  readonly prefix: string
}

/** What `/v1/healthcheck` shows, read from the monitor at each request. */
export function healthSource({ graph, monitor, prefix }: HealthParts): HealthSource {
  const report = (health: UpstreamHealth): HealthReport => ({
    name: `${prefix}/${health.name}`,
    type: health.checks.active.type,
    nodes: [...health.members].map(nodeReport),
  })
  return {
    all: () => [...(monitor?.all() ?? [])].map(report),
    find: (type, id) => {
      const kind = KINDS.find((known) => known === type) as Kind | undefined
      if (kind === undefined || !graph.get(kind, id)) return 'not-found'
      const health = monitor?.find(`${type}/${id}`)
      return health ? report(health) : 'no-checker'
    },
  }
}

function nodeReport({ target, status, counter, lastChange }: NodeHealth): CheckedNode {
  const { ip, port, hostname, hostheader } = target
  return {
    ip,
    port,
    hostname,
    ...(hostheader !== undefined && { hostheader }),
    status,
    counter,
    ...(lastChange && {
      last_change: {
        from: lastChange.from,
        reason: lastChange.reason,
        at: new Date(lastChange.atMs).toISOString(),
      },
    }),
  }
}
