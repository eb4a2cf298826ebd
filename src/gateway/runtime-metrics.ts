import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Component } from '../lifecycle/components.ts'
import type { MetricRegistry } from '../observe/metrics.ts'

/** The primary process of a node (or the only one), or one of its workers. */
export type ProcessRole = 'main' | 'worker'

/** How often the delay is sampled; what a timer is late by beyond this is delay. */
const RESOLUTION_MS = 20

/** What the series of one process are labelled with. */
interface Owner {
  readonly role: ProcessRole
  /** Empty for the main process; absent for a worker without a place, which has no series of its own. */
  place: string | undefined
}

/** The series of one process. */
export interface RuntimeMetrics {
  /** In a worker: the place that it is in, absent when another took it or it never had one. Its series follow it. */
  setPlace(place: number | undefined): void
  close(): void
}

/**
 * What one process is busy with and what its memory is used for. Each process that serves has series of its own, by its place and not by its
 * pid, so that there are no more series after a year than on the first day. What concerns delay and use of the event loop is about the time
 * since the metrics were last read. Close it with the process's other parts.
 */
export function registerRuntimeMetrics(metrics: MetricRegistry, role: ProcessRole): RuntimeMetrics {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  const owner: Owner = { role, place: role === 'main' ? '' : undefined }
  reportEventLoop(metrics, owner, histogram)
  reportMemory(metrics, owner)
  reportCpu(metrics, role)
  return {
    setPlace: (place) => {
      owner.place = place === undefined ? undefined : String(place)
    },
    close: () => void histogram.disable(),
  }
}

/** The same for the process with the listeners, as a part that is started and stopped with the others. */
export function runtimeComponent(metrics: MetricRegistry, rank: number): Component {
  let runtime: RuntimeMetrics | undefined
  return {
    name: 'runtime metrics',
    rank,
    start: async () => {
      runtime = registerRuntimeMetrics(metrics, 'main')
    },
    stop: async () => {
      runtime?.close()
      return 0
    },
  }
}

function reportEventLoop(metrics: MetricRegistry, owner: Owner, histogram: IntervalHistogram): void {
  const delay = metrics.gauge({
    name: 'gatewright_event_loop_delay_seconds',
    help: 'How late the event loop was since this was last read; quantile 1 is the worst',
    labels: ['process', 'worker', 'quantile'],
  })
  const use = metrics.gauge({
    name: 'gatewright_event_loop_utilization',
    help: 'Share of the time since this was last read that the event loop was busy',
    labels: ['process', 'worker'],
  })
  let before = performance.eventLoopUtilization()
  metrics.beforeCollect(() => {
    const { role, place } = owner
    for (const gauge of [delay, use]) gauge.remove(([, worker]) => worker !== place)
    if (place === undefined) return
    for (const quantile of [0.5, 0.99, 1]) {
      const lateMs = histogram.percentile(quantile * 100) / 1e6 - RESOLUTION_MS
      // Before the first sample there is nothing but zeros.
      delay.labels(role, place, String(quantile)).set(Math.max(0, lateMs) / 1000)
    }
    histogram.reset()
    const now = performance.eventLoopUtilization()
    use.labels(role, place).set(performance.eventLoopUtilization(now, before).utilization)
    before = now
  })
}

/** Whom the bytes of a process belong to; together they are its resident memory. */
function reportMemory(metrics: MetricRegistry, owner: Owner): void {
  const memory = metrics.gauge({
    name: 'gatewright_memory_bytes',
    help: 'Resident memory by owner: objects, free room for objects, buffers, what else V8 accounts for, and the rest',
    labels: ['process', 'worker', 'owner'],
  })
  metrics.beforeCollect(() => {
    const { role, place } = owner
    memory.remove(([, worker]) => worker !== place)
    if (place === undefined) return
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
    const bytes = {
      objects: heapUsed,
      free: heapTotal - heapUsed,
      buffers: arrayBuffers,
      external: external - arrayBuffers,
      // Pages that were swapped out or never touched are accounted for and not resident.
      rest: Math.max(0, rss - heapTotal - external),
    }
    for (const [name, value] of Object.entries(bytes)) memory.labels(role, place, name).set(value)
  })
}

/** Without the pid: what workers used that have ended stays counted. */
function reportCpu(metrics: MetricRegistry, role: ProcessRole): void {
  const seconds = metrics.counter({
    name: 'gatewright_cpu_seconds_total',
    help: 'Time on processors',
    labels: ['process'],
  })
  let counted = 0
  metrics.beforeCollect(() => {
    const { user, system } = process.cpuUsage()
    const total = (user + system) / 1e6
    seconds.labels(role).inc(Math.max(0, total - counted))
    counted = Math.max(counted, total)
  })
}
