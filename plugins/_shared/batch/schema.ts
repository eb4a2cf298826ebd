import type { InstanceHost } from '../../../src/plugin/api.ts'
import type { BatchOptions } from './batch.ts'

/** The attributes BATCH of contract §7, to be spread into a plugin's properties; `name` has the plugin's own default. */
export const batchProperties = {
  max_retry_count: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Further attempts to send a batch after one that failed; then its entries are dropped.',
  },
  retry_delay: {
    type: 'integer',
    minimum: 0,
    default: 1,
    description: 'Seconds from a failed attempt to the next.',
  },
  buffer_duration: {
    type: 'integer',
    minimum: 1,
    default: 60,
    description: 'Longest time in seconds that an entry waits for others to be sent with.',
  },
  inactive_timeout: {
    type: 'integer',
    minimum: 1,
    default: 5,
    description: 'What waits is sent when no entry has come for so many seconds.',
  },
  batch_max_size: {
    type: 'integer',
    minimum: 1,
    default: 1000,
    description: 'Most entries of one batch; so many waiting are sent at once.',
  },
} as const

/** The attribute `name` of a plugin that APISIX calls `label`. */
export function batchName<const Label extends string>(label: Label) {
  return {
    type: 'string',
    default: label,
    description: 'Name of the batch in the metric `apisix_batch_process_entries`.',
  } as const
}

/** The part of the metadata that belongs to BATCH. */
export const batchMetadata = {
  max_pending_entries: {
    type: 'integer',
    minimum: 1,
    default: 8192,
    description:
      'Most entries that may wait or be under way, for each configuration; further ones are dropped and counted.',
  },
} as const

/** A configuration with the attributes of {@link batchProperties}, defaults filled in. */
export interface BatchConfig {
  readonly name: string
  readonly max_retry_count: number
  readonly retry_delay: number
  readonly buffer_duration: number
  readonly inactive_timeout: number
  readonly batch_max_size: number
}

/** The options of a batch as BATCH attributes and metadata say them. */
export function batchOptions(config: BatchConfig, host: Pick<InstanceHost, 'metadata'>): BatchOptions {
  return {
    maxEntries: config.batch_max_size,
    inactiveMs: config.inactive_timeout * 1000,
    durationMs: config.buffer_duration * 1000,
    maxRetries: config.max_retry_count,
    retryDelayMs: config.retry_delay * 1000,
    maxPending: () => maxPendingOf(host.metadata()),
  }
}

/** `max_pending_entries` of the metadata, or its default. */
export function maxPendingOf(metadata: Readonly<Record<string, unknown>>): number {
  const { max_pending_entries: value = batchMetadata.max_pending_entries.default } = metadata
  return value as number
}
