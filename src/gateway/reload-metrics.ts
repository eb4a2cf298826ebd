import type { MetricRegistry } from '../observe/metrics.ts'

/** What a running gateway can be told to take over anew: its list of plugins, or all its workers. */
export type ReloadSubject = 'plugins' | 'workers'

/** Counts how a reload ends; resolves and rejects as it does. */
export async function countReload<Result>(
  metrics: MetricRegistry,
  subject: ReloadSubject,
  reload: Promise<Result>,
): Promise<Result> {
  const outcomes = metrics.counter({
    name: 'gatewright_reloads_total',
    help: 'Reloads of the list of plugins and replacements of all workers, by outcome',
    labels: ['subject', 'outcome'],
  })
  try {
    const result = await reload
    outcomes.labels(subject, 'ok').inc()
    return result
  } catch (error) {
    outcomes.labels(subject, 'failed').inc()
    throw error
  }
}
