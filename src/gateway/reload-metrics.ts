import type { MetricRegistry } from '../observe/metrics.ts'

/** What a running gateway can be told to take over anew: its list of plugins, all its workers, or its settings. */
export type ReloadSubject = 'plugins' | 'workers' | 'settings'

/** Counts how a reload ends; resolves and rejects as it does. */
export async function countReload<Result>(
  metrics: MetricRegistry,
  subject: ReloadSubject,
  reload: Promise<Result>,
): Promise<Result> {
  const outcomes = reloads(metrics)
  try {
    const result = await reload
    outcomes.labels(subject, 'ok').inc()
    return result
  } catch (error) {
    outcomes.labels(subject, 'failed').inc()
    throw error
  }
}

/** Counts settings that were read again and cannot be used. */
export function countInvalidSettings(metrics: MetricRegistry): void {
  reloads(metrics).labels('settings', 'invalid').inc()
}

function reloads(metrics: MetricRegistry): ReturnType<MetricRegistry['counter']> {
  return metrics.counter({
    name: 'gatewright_reloads_total',
    help: 'Reloads of the settings and of the list of plugins, and replacements of all workers, by outcome',
    labels: ['subject', 'outcome'],
  })
}
