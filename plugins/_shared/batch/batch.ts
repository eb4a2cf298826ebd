import { BACKGROUND_CLOCK, type Clock } from '../../../src/lib/clock.ts'
import type { InstanceHost } from '../../../src/plugin/api.ts'
import { BatchReport } from './report.ts'
import { BatchSendError, type Unsendable } from './send-error.ts'

/** When a batch sends, how often it tries again, and how much it may hold. */
export interface BatchOptions {
  /** Most entries of one send; so many waiting are sent at once. */
  readonly maxEntries: number
  /** What waits is sent when no entry came for so long. */
  readonly inactiveMs: number
  /** An entry waits no longer than this for others to come. */
  readonly durationMs: number
  /** Further attempts after one that failed. */
  readonly maxRetries: number
  /** From a failed attempt to the next; left out while the batch is being closed. */
  readonly retryDelayMs: number
  /** Most entries held, those being sent included; asked at each push, because metadata changes. Further ones are dropped. */
  maxPending(): number
  /** Most bytes held, as far as `push` was told of them. Default 32 MiB. A single entry is held whatever it weighs. */
  readonly maxPendingBytes?: number
  /** Longest time `close` takes to send what is left. Default 1.8 s, which ends before `plugin_close_ms` does. */
  readonly flushMs?: number
}

export interface BatchParts<Entry> {
  /** Label of the metrics: the plugin's name, or another of a bounded set. */
  readonly name: string
  readonly options: BatchOptions
  /**
   * Delivers the entries (1 to `maxEntries`) or rejects; reject with {@link BatchSendError} when some were delivered. Resolves with
   * {@link Unsendable} when some cannot be delivered, however often it is tried. Never called while an earlier call is under way.
   * `signal` is aborted when the time to close is over; what it returns then is not waited for.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most senders have nothing to tell
  send(entries: readonly Entry[], signal: AbortSignal): Promise<Unsendable | void>
  /** The batch hands its own `close` to `host.own`. */
  readonly host: Pick<InstanceHost, 'logger' | 'metrics' | 'own'>
  readonly clock?: Clock
  /** Told of the number of entries held whenever it has changed. Must not throw. */
  observePending?(pending: number): void
}

/** Entries on their way to a sink: bounded, in order, one send at a time. */
export interface Batch<Entry> {
  /**
   * Takes an entry; the caller must not change it afterwards. `bytes` is what it holds of large things such as bodies. Returns
   * false when it was dropped (and counted) because the batch is full or closed. Never throws, never waits.
   */
  push(entry: Entry, bytes?: number): boolean
  /**
   * Whether an entry would be dropped now, whatever it holds; then one is counted as dropped. For a caller who need not make an entry
   * in vain.
   */
  refuses(): boolean
  /** Entries held, those being sent included. */
  readonly pending: number
  /** Sends what is left, tries failed sends again at once, and drops and counts what is not delivered within `flushMs`. Idempotent. */
  close(): Promise<void>
}

/** Makes a batch that lives until its host's instance is released, which sends what is left. */
export function createBatch<Entry>(parts: BatchParts<Entry>): Batch<Entry> {
  const batch = new BoundedBatch(parts)
  parts.host.own(() => batch.close())
  return batch
}

/** What one attempt came to: how many of the entries need no further one, and what was wrong. */
interface Outcome {
  readonly done: number
  readonly hasFailed?: boolean
  readonly unsendable?: number | undefined
  readonly reason?: unknown
}

const NOTHING_DONE = { delivered: 0, unsendable: 0 }
const MAX_PENDING_BYTES = 32 * 1024 * 1024
const FLUSH_MS = 1800
/** Node's timers go off after 1 ms when they are asked for longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

class BoundedBatch<Entry> implements Batch<Entry> {
  readonly #parts: BatchParts<Entry>
  readonly #options: BatchOptions
  readonly #clock: Clock
  readonly #report: BatchReport
  readonly #over = new AbortController()
  /** Resolves, once, when the time to close is over. */
  readonly #timeIsOver: Promise<'over'>
  #waiting: Entry[] = []
  /** Bytes of each waiting entry. */
  #sizes: number[] = []
  #bytes = 0
  #beingSent = 0
  /** How many of those waiting are to be sent though they do not fill a send. */
  #due = 0
  #firstAtMs = 0
  #lastAtMs = 0
  #cancelTimer: (() => void) | undefined
  /** Ends the pause before a retry. */
  #wake: (() => void) | undefined
  #isSending = false
  #sending: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(parts: BatchParts<Entry>) {
    this.#parts = parts
    this.#options = parts.options
    this.#clock = parts.clock ?? BACKGROUND_CLOCK
    this.#report = new BatchReport(parts.name, parts.host, this.#clock)
    this.#timeIsOver = new Promise((resolve) => {
      this.#over.signal.addEventListener('abort', () => resolve('over'), { once: true })
    })
  }

  get pending(): number {
    return this.#waiting.length + this.#beingSent
  }

  push(entry: Entry, bytes = 0): boolean {
    if (this.refuses()) return false
    if (this.#isTooMuch(bytes)) {
      this.#sendWhatWaits()
      return this.#refuse('full')
    }
    const now = this.#clock.nowMs()
    if (this.#waiting.length === 0) this.#firstAtMs = now
    this.#lastAtMs = now
    this.#waiting.push(entry)
    this.#sizes.push(bytes)
    this.#bytes += bytes
    this.#changed(1)
    if (this.#waiting.length >= this.#options.maxEntries) this.#start()
    else if (this.#isFilling()) this.#sendWhatWaits()
    else this.#watch(Math.min(this.#options.inactiveMs, this.#options.durationMs))
    return true
  }

  refuses(): boolean {
    if (this.#closing) return !this.#refuse('stopped')
    return this.pending >= this.#options.maxPending() && !this.#refuse('full')
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #refuse(reason: 'full' | 'stopped'): false {
    this.#report.dropped(1, reason)
    return false
  }

  #isTooMuch(bytes: number): boolean {
    const { maxPendingBytes = MAX_PENDING_BYTES } = this.#options
    return this.pending > 0 && bytes > 0 && this.#bytes + bytes > maxPendingBytes
  }

  /** Whether there is so little room left that a send, which takes its time, has to begin lest entries are dropped meanwhile. */
  #isFilling(): boolean {
    const { maxPendingBytes = MAX_PENDING_BYTES } = this.#options
    return this.pending * 2 >= this.#options.maxPending() || this.#bytes * 2 >= maxPendingBytes
  }

  #changed(by: number): void {
    this.#report.pending(by)
    this.#parts.observePending?.(this.pending)
  }

  #watch(delayMs: number): void {
    this.#cancelTimer ??= this.#clock.schedule(Math.min(delayMs, LONGEST_TIMER_MS), () => {
      this.#cancelTimer = undefined
      this.#sendIfDue()
    })
  }

  #sendIfDue(): void {
    if (this.#waiting.length === 0) return
    const dueAtMs = Math.min(
      this.#firstAtMs + this.#options.durationMs,
      this.#lastAtMs + this.#options.inactiveMs,
    )
    const leftMs = dueAtMs - this.#clock.nowMs()
    if (leftMs > 0) {
      this.#watch(leftMs)
      return
    }
    this.#sendWhatWaits()
  }

  #sendWhatWaits(): void {
    this.#due = this.#waiting.length
    this.#start()
  }

  #start(): void {
    if (!this.#isSending) this.#sending = this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    while (this.#due > 0 || this.#waiting.length >= this.#options.maxEntries) await this.#sendOne()
    this.#isSending = false
    if (this.#waiting.length > 0) this.#watch(this.#options.inactiveMs)
  }

  async #sendOne(): Promise<void> {
    const count = Math.min(this.#options.maxEntries, this.#waiting.length)
    const entries = this.#waiting.splice(0, count)
    const bytes = this.#sizes.splice(0, count).reduce((sum, size) => sum + size, 0)
    this.#beingSent = count
    this.#due = Math.max(0, this.#due - count)
    await this.#deliver(entries)
    this.#beingSent = 0
    this.#bytes -= bytes
    this.#changed(-count)
  }

  /** Never rejects. */
  async #deliver(all: readonly Entry[]): Promise<void> {
    let entries = all
    for (let attempt = 0; !this.#over.signal.aborted; attempt++) {
      const outcome = await this.#attempt(entries)
      if (outcome === 'over') break
      const { done, unsendable = 0, hasFailed = false, reason } = outcome
      this.#report.sent(done - unsendable)
      this.#report.dropped(unsendable, 'unsendable', reason)
      if (hasFailed) this.#report.failed(reason)
      entries = entries.slice(done)
      if (entries.length === 0) return
      if (attempt >= this.#options.maxRetries) {
        this.#report.dropped(entries.length, 'failed')
        return
      }
      await this.#pause()
    }
    this.#report.dropped(entries.length, 'stopped')
  }

  async #attempt(entries: readonly Entry[]): Promise<'over' | Outcome> {
    try {
      const sent = this.#parts.send(entries, this.#over.signal)
      const result = await Promise.race([sent, this.#timeIsOver])
      if (result === 'over') return 'over'
      return { done: entries.length, ...result }
    } catch (reason) {
      const { delivered, unsendable } = reason instanceof BatchSendError ? reason : NOTHING_DONE
      return { done: delivered + unsendable, unsendable, hasFailed: true, reason }
    }
  }

  #pause(): Promise<void> {
    if (this.#closing) return Promise.resolve()
    return new Promise((resolve) => {
      const delayMs = Math.min(this.#options.retryDelayMs, LONGEST_TIMER_MS)
      const cancel = this.#clock.schedule(delayMs, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  async #close(): Promise<void> {
    this.#cancelTimer?.()
    this.#report.hold()
    this.#due = this.#waiting.length
    const { flushMs = FLUSH_MS } = this.#options
    const cancel = this.#clock.schedule(flushMs, () => this.#over.abort())
    // In the next turn, when `close` is known to be under way to whoever asks.
    await Promise.resolve()
    this.#wake?.()
    this.#start()
    await this.#sending
    cancel()
    this.#report.close()
  }
}
