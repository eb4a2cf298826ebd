import type { IncomingMessage, ServerResponse } from 'node:http'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'

/** From where on a process takes no requests at all; 0 for no limit. */
export interface PressureThresholds {
  /** Mean over a sample. */
  readonly eventLoopDelayMs: number
  /** Share of the time of a sample, 0–1. */
  readonly eventLoopUtilization: number
  readonly heapUsedBytes: number
  readonly rssBytes: number
  readonly sampleIntervalMs: number
}

/** Why a request is turned away, for log and metric. */
export type PressureReason = 'event-loop-delay' | 'event-loop-utilization' | 'heap' | 'rss'

/** By the package's name for what is too much. */
const REASONS: Readonly<Record<string, PressureReason>> = {
  [underPressure.TYPE_EVENT_LOOP_DELAY]: 'event-loop-delay',
  [underPressure.TYPE_EVENT_LOOP_UTILIZATION]: 'event-loop-utilization',
  [underPressure.TYPE_HEAP_USED_BYTES]: 'heap',
  [underPressure.TYPE_RSS_BYTES]: 'rss',
}

/**
 * Mounts @fastify/under-pressure on an app, for the routes that are added afterwards. Its health check is left out: what the store or
 * a node is like must not stop requests that need neither.
 */
export async function mountUnderPressure(
  app: FastifyInstance,
  thresholds: PressureThresholds,
  turnAway: (request: IncomingMessage, response: ServerResponse, reason: PressureReason) => void,
): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: thresholds.eventLoopDelayMs,
    maxEventLoopUtilization: thresholds.eventLoopUtilization,
    // The package's default is the mean since the start, which an hour of quiet keeps low for ever.
    eventLoopUtilizationMode: 'interval',
    maxHeapUsedBytes: thresholds.heapUsedBytes,
    maxRssBytes: thresholds.rssBytes,
    sampleInterval: thresholds.sampleIntervalMs,
    pressureHandler: (request, reply, type) => {
      reply.hijack()
      // Undoes rewriteUrl, for the log.
      request.raw.url = request.originalUrl
      turnAway(request.raw, reply.raw, REASONS[type]!)
    },
  })
}

/** Whether there is something to measure: without that the package is not mounted. */
export function hasThreshold(thresholds: PressureThresholds): boolean {
  const { eventLoopDelayMs, eventLoopUtilization, heapUsedBytes, rssBytes } = thresholds
  return eventLoopDelayMs > 0 || eventLoopUtilization > 0 || heapUsedBytes > 0 || rssBytes > 0
}
