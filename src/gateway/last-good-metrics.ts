import type { MetricRegistry } from '../observe/metrics.ts'
import type { LastGoodStatus } from './last-good.ts'

/** What is counted of the saved configuration. */
export interface LastGoodMetrics {
  saved(): void
  failed(): void
  unusable(reason: string): void
}

/** Registers what tells whether the configuration on disk is written and used. */
export function registerLastGoodMetrics(
  metrics: MetricRegistry,
  status: () => LastGoodStatus,
): LastGoodMetrics {
  const counter = (name: string, help: string, labels: readonly string[] = []) =>
    metrics.counter({ name, help, labels })
  const saves = counter(
    'gatewright_last_good_saves_total',
    'Times that the configuration was saved in data_dir',
  )
  const failures = counter(
    'gatewright_last_good_save_failures_total',
    'Times that the configuration could not be saved in data_dir',
  )
  const unusable = counter(
    'gatewright_last_good_unusable_total',
    'Saved configurations that were there at the start and could not be used',
    ['reason'],
  )
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: [] }).labels()
  const fromDisk = gauge(
    'gatewright_config_from_disk',
    '1 while what serves was found in data_dir and the store has not answered since the start',
  )
  const age = gauge(
    'gatewright_config_from_disk_age_seconds',
    'Since when what serves from data_dir was saved; 0 when nothing does',
  )
  const held = gauge(
    'gatewright_config_held',
    '1 while the store went back in time and is not followed, because most routes would vanish',
  )
  metrics.beforeCollect(() => {
    const now = status()
    fromDisk.set(now.fromDisk ? 1 : 0)
    age.set(now.fromDisk ? Math.max(0, Date.now() - now.fromDisk.savedAtMs) / 1000 : 0)
    held.set(now.held ? 1 : 0)
  })
  return {
    saved: () => saves.labels().inc(),
    failed: () => failures.labels().inc(),
    unusable: (reason) => unusable.labels(reason).inc(),
  }
}
