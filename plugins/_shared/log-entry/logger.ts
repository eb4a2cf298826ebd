import type { Family, Gauge, InstanceHost, PluginInstance, RequestContext } from '../../../src/plugin/api.ts'
import { type Batch, type BatchParts, createBatch } from '../batch/batch.ts'
import { type BatchConfig, batchMetadata, batchOptions } from '../batch/schema.ts'
import { weigh } from './encode.ts'
import type { LogEntry } from './format.ts'
import { compileEntries } from './log-entry.ts'
import { type LogConfig, logMetadata } from './schema.ts'

export type LoggerConfig = LogConfig & BatchConfig

export interface LoggerParts<Entry = LogEntry> {
  /** The plugin's name. */
  readonly name: string
  readonly config: LoggerConfig
  readonly host: InstanceHost
  readonly send: BatchParts<Entry>['send']
  /** What waits to be sent for an entry; the entry itself when absent. Must not throw. */
  readonly adapt?: (entry: LogEntry, context: RequestContext) => Entry
  /** Most bytes that may wait, when the configuration says so. */
  readonly maxPendingBytes?: number
}

/** Metadata of a logger that sends in batches. */
export const loggerMetadata = {
  type: 'object',
  properties: { ...logMetadata, ...batchMetadata },
} as const

/**
 * The phases of a logger: entries as LOG says, in batches as BATCH says, delivered by `send`. A logger is a schema with
 * `logProperties`, `batchProperties` and its own attributes, `check: checkLog`, and this.
 */
export function compileLogger<Entry = LogEntry>(parts: LoggerParts<Entry>): PluginInstance {
  const { name, config, host, send, adapt, maxPendingBytes } = parts
  const source = compileEntries(config, host)
  const observed = new ObservedBatch(config.name, host)
  const batch: Batch<Entry> = createBatch({
    name,
    options: { ...batchOptions(config, host), ...(maxPendingBytes !== undefined && { maxPendingBytes }) },
    host,
    send,
    observePending: (pending) => observed.set(pending),
  })
  return {
    ...(source.access && { access: source.access }),
    ...(source.tapBody && { tapBody: source.tapBody }),
    ...(source.bodyFilter && { bodyFilter: source.bodyFilter }),
    log(context) {
      observed.begin(context)
      if (batch.refuses()) return
      const entry = source.entry(context)
      const waiting = adapt ? adapt(entry, context) : (entry as Entry)
      batch.push(waiting, weigh(waiting))
    },
  }
}

/**
 * The gauge of contract §8.3, labelled with what the first request of the configuration was; configurations with equal labels add up.
 * When the route that it names is gone, and the configuration is not (a global rule's), the next request names it.
 */
class ObservedBatch {
  readonly #name: string
  readonly #host: Pick<InstanceHost, 'metrics' | 'metricPrefix'>
  #family: Family<Gauge> | undefined
  #labels: readonly string[] = []
  #gauge: Gauge | undefined
  /** Of the family, when the gauge was known to be shown. */
  #epoch = 0
  #shown = 0

  constructor(name: string, host: Pick<InstanceHost, 'metrics' | 'metricPrefix'>) {
    this.#name = name
    this.#host = host
  }

  begin(context: RequestContext): void {
    const family = this.#declared()
    if (this.#gauge && family.epoch === this.#epoch) return
    if (!this.#gauge || family.labels(...this.#labels) !== this.#gauge) {
      this.#labels = [this.#name, context.route?.id ?? '', String(context.var('server_addr') ?? '')]
      this.#gauge = family.labels(...this.#labels)
      this.#shown = 0
    }
    this.#epoch = family.epoch
  }

  set(pending: number): void {
    this.#gauge?.inc(pending - this.#shown)
    this.#shown = pending
  }

  #declared(): Family<Gauge> {
    const { metrics, metricPrefix } = this.#host
    this.#family ??= metrics.gauge({
      name: `${metricPrefix}batch_process_entries`,
      help: 'batch process remaining entries',
      labels: ['name', 'route_id', 'server_addr'],
      owners: { route_id: 'routes' },
    })
    return this.#family
  }
}
