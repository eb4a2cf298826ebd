import type { Clock } from '../../../src/lib/clock.ts'
import type { Counter, Gauge, InstanceHost } from '../../../src/plugin/api.ts'

/** Why entries were given up: no room, every attempt failed, no attempt can succeed, or the batch was closed first. */
export type DropReason = 'full' | 'failed' | 'unsendable' | 'stopped'

const REASONS: readonly DropReason[] = ['full', 'failed', 'unsendable', 'stopped']
/** A dead sink fails every few seconds, and a full batch at every request: the log says it once in this time. */
const LOG_INTERVAL_MS = 60_000

/** Counts what becomes of a batch's entries, and tells the log of losses, once a minute at most. */
export class BatchReport {
  readonly #logger: InstanceHost['logger']
  readonly #name: string
  readonly #clock: Clock
  readonly #pending: Gauge
  readonly #sent: Counter
  readonly #failedSends: Counter
  readonly #dropped: Readonly<Record<DropReason, Counter>>
  #untold: Partial<Record<DropReason, number>> = {}
  #untoldFailures = 0
  #lastReason: unknown
  #quietUntilMs = Number.NEGATIVE_INFINITY

  constructor(name: string, host: Pick<InstanceHost, 'logger' | 'metrics'>, clock: Clock) {
    this.#name = name
    this.#logger = host.logger
    this.#clock = clock
    const series = seriesOf(name, host.metrics)
    this.#pending = series.pending
    this.#sent = series.sent
    this.#failedSends = series.failedSends
    this.#dropped = series.dropped
  }

  pending(by: number): void {
    this.#pending.inc(by)
  }

  sent(count: number): void {
    if (count > 0) this.#sent.inc(count)
  }

  failed(reason: unknown): void {
    this.#failedSends.inc()
    this.#untoldFailures += 1
    this.#lastReason = reason
    this.#tell()
  }

  dropped(count: number, reason: DropReason, cause?: unknown): void {
    if (count === 0) return
    this.#lastReason = cause ?? this.#lastReason
    this.#dropped[reason].inc(count)
    this.#untold[reason] = (this.#untold[reason] ?? 0) + count
    this.#tell()
  }

  /** Nothing is told until {@link close}: one line then sums up. */
  hold(): void {
    this.#quietUntilMs = Number.POSITIVE_INFINITY
  }

  /** Tells what was not told yet. */
  close(): void {
    this.#quietUntilMs = Number.NEGATIVE_INFINITY
    this.#tell()
  }

  #tell(): void {
    if (this.#untoldFailures === 0 && Object.keys(this.#untold).length === 0) return
    const now = this.#clock.nowMs()
    if (now < this.#quietUntilMs) return
    this.#quietUntilMs = now + LOG_INTERVAL_MS
    this.#logger.warn(
      { batch: this.#name, failedSends: this.#untoldFailures, dropped: this.#untold, err: this.#lastReason },
      'entries could not be sent; look at the sink, or raise max_pending_entries in the metadata',
    )
    this.#untold = {}
    this.#untoldFailures = 0
    this.#lastReason = undefined
  }
}

function seriesOf(name: string, metrics: InstanceHost['metrics']) {
  const labels = ['name']
  const dropped = metrics.counter({
    name: 'gatewright_batch_dropped_entries_total',
    help: 'Entries of logs and traces that were given up: no room (full), every attempt failed (failed), none can succeed (unsendable), closed first (stopped)',
    labels: ['name', 'reason'],
  })
  const byReason = REASONS.map((reason) => [reason, dropped.labels(name, reason)] as const)
  return {
    pending: metrics
      .gauge({
        name: 'gatewright_batch_pending_entries',
        help: 'Entries of logs and traces that wait to be sent or are being sent',
        labels,
      })
      .labels(name),
    sent: metrics
      .counter({
        name: 'gatewright_batch_sent_entries_total',
        help: 'Entries of logs and traces that were delivered',
        labels,
      })
      .labels(name),
    failedSends: metrics
      .counter({
        name: 'gatewright_batch_failed_sends_total',
        help: 'Attempts to deliver a batch of logs or traces that failed',
        labels,
      })
      .labels(name),
    dropped: Object.fromEntries(byReason) as Record<DropReason, Counter>,
  }
}
