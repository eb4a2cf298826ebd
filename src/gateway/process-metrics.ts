import { hostname } from 'node:os'
import { VERSION } from '../lib/version.ts'
import type { Readiness } from '../lifecycle/readiness.ts'
import { KINDS } from '../model/kind.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { Publisher } from '../snapshot/publisher.ts'

export interface MetricSources {
  readonly publisher: Publisher
  readonly readiness: Readiness
  /** Whether the store answers. */
  isStoreReachable(): boolean
  /** APISIX's `metric_prefix`. */
  readonly prefix: string
}

/** Gauges about the gateway itself: APISIX's (contract §8.3) and those of how far configuration has come (house rule 7). */
export function registerProcessMetrics(metrics: MetricRegistry, sources: MetricSources): void {
  const { publisher, prefix } = sources
  const gauge = (name: string, help: string, labels: readonly string[] = []) =>
    metrics.gauge({ name, help, labels })
  const info = gauge(`${prefix}node_info`, 'Info of the gateway node', ['hostname', 'version'])
  const reachable = gauge(`${prefix}etcd_reachable`, 'Whether the configuration store is reachable, 1 or 0')
  const indexes = gauge(`${prefix}etcd_modify_indexes`, 'Newest revision per kind of resource', ['key'])
  const observed = gauge('gatewright_config_observed_revision', 'Newest revision that the store told of')
  const published = gauge('gatewright_config_published_revision', 'Revision that requests are served with')
  const pending = gauge('gatewright_config_pending_revision', 'Revision being compiled; 0 when none is')
  const lag = gauge(
    'gatewright_config_lag_seconds',
    'How long there has been something newer than what is served',
  )
  const quarantined = gauge('gatewright_config_quarantined', 'Stored resources that cannot be used')
  const resources = gauge('gatewright_config_resources', 'Stored resources', ['kind'])
  registerPhase(metrics, sources.readiness)
  metrics.beforeCollect(() => {
    const { status } = publisher
    info.labels(hostname(), VERSION).set(1)
    reachable.labels().set(sources.isStoreReachable() ? 1 : 0)
    observed.labels().set(status.observed)
    published.labels().set(status.published)
    pending.labels().set(status.pending ?? 0)
    const { behindSinceMs } = status
    lag.labels().set(behindSinceMs === undefined ? 0 : Math.max(0, Date.now() - behindSinceMs) / 1000)
    quarantined.labels().set(status.quarantined.length)
    for (const kind of KINDS) {
      const { count, newest } = censusOf(publisher.graph.list(kind))
      resources.labels(kind).set(count)
      indexes.labels(kind).set(newest)
    }
    indexes.labels('prev_index').set(status.published)
    indexes.labels('max_modify_index').set(status.observed)
    indexes.labels('x_etcd_index').set(status.observed)
  })
}

function censusOf(stored: Iterable<{ readonly modRevision: number }>): { count: number; newest: number } {
  let count = 0
  let newest = 0
  for (const { modRevision } of stored) {
    count++
    newest = Math.max(newest, modRevision)
  }
  return { count, newest }
}

const PHASES = ['starting', 'running', 'draining'] as const

/** Where the process is between its start and its end, and why it should not get traffic. */
function registerPhase(metrics: MetricRegistry, readiness: Readiness): void {
  const phases = metrics.gauge({
    name: 'gatewright_phase',
    help: 'Phase of the process: 1 for the one it is in',
    labels: ['phase'],
  })
  const reasons = metrics.gauge({
    name: 'gatewright_not_ready',
    help: 'What keeps the gateway from being ready: 1 for each reason',
    labels: ['reason'],
  })
  metrics.beforeCollect(() => {
    const current = readiness.isDraining ? 'draining' : readiness.wasReady ? 'running' : 'starting'
    for (const phase of PHASES) phases.labels(phase).set(phase === current ? 1 : 0)
    const names = readiness.reasons()
    reasons.remove(([reason]) => !names.includes(reason!))
    for (const name of names) reasons.labels(name).set(1)
  })
}
