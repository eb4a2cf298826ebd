import { getHeapStatistics } from 'node:v8'
import { PressureGate, type PressureGateOptions } from '../http/pressure/pressure-gate.ts'
import type { Settings } from '../settings/settings.ts'
import type { Environment } from './environment.ts'

/** What turns requests away while this process has more to do than it can; counted, and as the settings have it. */
export function pressureGate(
  { settings, metrics, logger }: Environment,
  { onRefused, begun }: Pick<PressureGateOptions, 'onRefused' | 'begun'>,
): PressureGate {
  const { gatewright } = settings
  const gate = new PressureGate({
    overloadDelayMs: gatewright.pressure.overload_delay_ms,
    thresholds: thresholdsOf(gatewright.pressure),
    retryAfterSeconds: gatewright.pressure.retry_after,
    serverHeader: gatewright.server_header,
    logger,
    onRefused,
    begun,
  })
  const refusing = metrics.gauge({
    name: 'gatewright_overloaded_processes',
    help: 'Processes that refuse requests because they have more to do than they can',
    labels: [],
  })
  metrics.beforeCollect(() => refusing.labels().set(gate.isRefusing ? 1 : 0))
  return gate
}

function thresholdsOf(pressure: Settings['gatewright']['pressure']): PressureGateOptions['thresholds'] {
  return {
    eventLoopDelayMs: pressure.max_event_loop_delay_ms,
    eventLoopUtilization: pressure.max_event_loop_utilization,
    heapUsedBytes: (getHeapStatistics().heap_size_limit * pressure.max_heap_percent) / 100,
    rssBytes: pressure.max_rss_bytes,
    sampleIntervalMs: pressure.sample_interval_ms,
  }
}
