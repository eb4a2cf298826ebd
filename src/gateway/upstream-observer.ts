import type { MetricRegistry } from '../observe/metrics.ts'
import type { HealthMonitor } from '../upstream/health/monitor.ts'
import { isUsable } from '../upstream/health/status.ts'
import type { UpstreamObserver } from '../upstream/upstream.ts'

/** Counts what happens at upstreams; series of an upstream go with it. */
export interface UpstreamCounts extends UpstreamObserver {
  /** All nodes come to be used because none is healthy. */
  onPanic(upstream: string): void
}

export function countUpstreamEvents(metrics: MetricRegistry): UpstreamCounts {
  const labels = ['upstream']
  const panics = metrics.counter({
    name: 'gatewright_upstream_panic_total',
    help: 'Times that all nodes of an upstream came to be used because none was healthy',
    labels,
  })
  const refused = metrics.counter({
    name: 'gatewright_upstream_retries_refused_total',
    help: 'Retries that were due and went beyond the retry budget',
    labels,
  })
  return {
    onPanic: (upstream) => panics.labels(upstream).inc(),
    onRetryRefused: (upstream) => refused.labels(upstream).inc(),
    onRemoved: (upstream) => {
      for (const family of [panics, refused]) family.remove(([name]) => name === upstream)
    },
  }
}

/** The names of the series: APISIX's `metric_prefix`, and the store's prefix in front of a resource's name. */
export interface StatusPrefixes {
  readonly metric: string
  readonly store: string
}

/** APISIX's `upstream_status` (contract §8.3): 1 for a node that is used, 0 for one that is not; only nodes that are checked now. */
export function registerUpstreamStatus(
  metrics: MetricRegistry,
  monitor: HealthMonitor,
  prefixes: StatusPrefixes,
): void {
  const gauge = metrics.gauge({
    name: `${prefixes.metric}upstream_status`,
    help: 'Health of the nodes of upstreams with checks, 1 or 0',
    labels: ['name', 'ip', 'port'],
  })
  metrics.beforeCollect(() => {
    gauge.remove(() => true)
    for (const { name, members } of monitor.all()) {
      for (const { target, status } of members) {
        const series = gauge.labels(`${prefixes.store}/${name}`, target.ip, String(target.port))
        series.set(isUsable(status) ? 1 : 0)
      }
    }
  })
}
