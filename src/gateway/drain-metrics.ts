import type { MetricRegistry } from '../observe/metrics.ts'

/** What a stop of the proxy waits for, by kind: how many there are now. */
export type PendingWork = Readonly<Record<'requests' | 'tunnels' | 'connections', () => number>>

export interface DrainMetrics {
  /** From now on what is pending is shown. */
  begin(): void
  /** `forced` connections were cut because they were not over in time. */
  end(forced: number): void
}

/** What a stop waits for, and what it cut; both 0 as long as nothing stops. */
export function registerDrainMetrics(metrics: MetricRegistry, work: PendingWork): DrainMetrics {
  const pending = metrics.gauge({
    name: 'gatewright_drain_pending',
    help: 'What the stop of a process or of a worker waits for; 0 while none stops',
    labels: ['component'],
  })
  const forced = metrics
    .counter({
      name: 'gatewright_drain_forced_total',
      help: 'Connections that a stop cut at its deadline',
      labels: [],
    })
    .labels()
  let isDraining = false
  metrics.beforeCollect(() => {
    for (const [component, count] of Object.entries(work)) {
      pending.labels(component).set(isDraining ? count() : 0)
    }
  })
  return {
    begin: () => {
      isDraining = true
    },
    end: (count) => forced.inc(count),
  }
}
