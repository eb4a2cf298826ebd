import type { Drain } from '../lifecycle/drain.ts'
import type { MetricRegistry } from '../observe/metrics.ts'

/** What a stop waits for, 0 as long as nothing stops, and what it cut, by component. */
export function registerDrainMetrics(metrics: MetricRegistry, drain: Drain): void {
  const pending = metrics.gauge({
    name: 'gatewright_drain_pending',
    help: 'What the stop of a process or of a worker waits for; 0 while none stops',
    labels: ['component'],
  })
  const forced = metrics.counter({
    name: 'gatewright_drain_forced_total',
    help: 'What a stop cut at its deadline, or left behind',
    labels: ['component'],
  })
  const told = new Map<string, number>()
  metrics.beforeCollect(() => {
    const waitedFor = new Map(drain.kinds.map((kind) => [kind, 0]))
    for (const kind of drain.kinds) forced.labels(kind).inc(0)
    if (drain.mode) for (const { component, count } of drain.pending()) waitedFor.set(component, count)
    pending.remove(([component]) => !waitedFor.has(component!))
    for (const [component, count] of waitedFor) pending.labels(component).set(count)
    for (const { component, count } of drain.forced) {
      forced.labels(component).inc(count - (told.get(component) ?? 0))
      told.set(component, count)
    }
  })
}
