import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import { Comparison } from './comparison.ts'
import type { ConfigStore, Listing, StoreEvent, WatchEnd, WatchSink } from './config-store.ts'
import { KnownItems } from './known-items.ts'
import type { StoreLog } from './store-log.ts'

/** How events became known: as they happened, or from comparing a new list with what was known (after a gap, or after the store went back in time). */
export type EventOrigin = 'watch' | 'relist' | 'rolled-back'

/** Called one at a time, in order. A throw is logged; what was delivered counts as delivered. */
export interface FollowListener {
  /** The complete state, exactly once and before any event; not at all when following starts from a known state. */
  onState(listing: Listing): void
  /**
   * What changed since: whole revisions. All later differences come this way, deletes included. After a `rolled-back` revisions are
   * lower than before.
   */
  onEvents(events: readonly StoreEvent[], revision: number, origin: EventOrigin): void
  /** The connection came or went, or failed in a new way. */
  onStatus?(status: FollowStatus): void
}

export interface FollowOptions {
  readonly store: ConfigStore
  readonly prefix: string
  readonly listener: FollowListener
  readonly logger: StoreLog
  readonly clock?: Clock
  /** Milliseconds since the epoch, for the status. */
  readonly wallNowMs?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
  /** How often everything is listed and compared although the watch is well; 0 for never. Default 300,000. */
  readonly resyncIntervalMs?: number
  /** How often what is known is compared beside the watch, for changes that it has lost; rarer where that takes long. Absent: never. */
  readonly compareIntervalMs?: number
  /**
   * Full jitter: each wait lies between 0 and a bound that doubles from `minMs` to `maxMs`, default 200 and 10,000; while the store does not
   * answer it ends at a second.
   */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number }
  /** A state the listener has already, such as the last one saved to disk: the first list then comes as events. */
  readonly startFrom?: Listing
}

export interface FollowStatus {
  /** A watch is open and has shown a sign of life. */
  readonly isConnected: boolean
  /** The last list or watch got an answer. */
  readonly isReachable: boolean
  /** Since when `isConnected` is as it is, in ms since the epoch. */
  readonly sinceMs: number
  /** The last revision seen; 0 before the first list. */
  readonly revision: number
  /** The {@link Listing.source} of the newest list. */
  readonly source?: string
  /** The last sign of life of the store, in ms since the epoch; absent before the first one. */
  readonly lastHeardMs?: number
  /** The last failure, kept after recovery. */
  readonly lastError?: { readonly message: string; readonly atMs: number }
  /** The last time the store went back in time (restored or emptied), kept until the process ends. */
  readonly rolledBack?: { readonly fromRevision: number; readonly toRevision: number; readonly atMs: number }
}

export interface Following {
  status(): FollowStatus
  /** Ends the watch; the listener hears nothing more. A list under way is abandoned. */
  close(): Promise<void>
}

/** Keeps a listener up to date with everything under a prefix, whatever happens to the store meanwhile. */
export function followStore(options: FollowOptions): Following {
  const follower = new Follower(options)
  void follower.run()
  return follower
}

/** Asking whether it is back costs little, and what was missed is to serve within 2 s of the network being whole (reliability.md, C7). */
const AWAY_MAX_MS = 1000

type End = WatchEnd | { readonly reason: 'resync' }

class Follower implements Following {
  readonly #options: FollowOptions
  readonly #clock: Clock
  readonly #wallNowMs: () => number
  readonly #known = new KnownItems()
  #status: FollowStatus
  /** Of the newest listing. */
  #source: string | undefined
  #hasState = false
  /** What is known cannot be continued by a watch. */
  #mustList = true
  #isListDue = true
  /** The store said itself that it went back in time. */
  #wasRolledBack = false
  #failures = 0
  /** Raised with every watch, so that a late message of an old one is known as such. */
  #generation = 0
  #isClosed = false
  /** Ends what the loop is waiting for: a watch or a pause. */
  #wake: (end: End) => void = () => {}

  constructor(options: FollowOptions) {
    this.#options = options
    this.#clock = options.clock ?? SYSTEM_CLOCK
    this.#wallNowMs = options.wallNowMs ?? Date.now
    this.#status = { isConnected: false, isReachable: false, sinceMs: this.#wallNowMs(), revision: 0 }
    if (options.startFrom) this.#startFrom(options.startFrom)
  }

  status(): FollowStatus {
    return this.#status
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#leave({ reason: 'closed' })
  }

  async run(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#isListDue) await this.#tryToList()
      if (!this.#mustList && !this.#isClosed) this.#judge(await this.#watchUntilEnd())
      if (this.#failures > 0 && !this.#isClosed) await this.#pause()
    }
  }

  #startFrom(listing: Listing): void {
    this.#known.load(listing)
    this.#source = listing.source
    this.#hasState = true
    this.#status = { ...this.#status, revision: listing.revision }
  }

  async #tryToList(): Promise<void> {
    const { store, prefix } = this.#options
    try {
      const listing = await store.list(prefix)
      if (this.#isClosed) return
      this.#takeListing(listing)
      this.#mustList = false
    } catch (error) {
      this.#failures++
      this.#noteFailure(error instanceof Error ? error.message : String(error))
    }
    // Where a watch can go on, a failed safety list waits for its next turn.
    this.#isListDue = this.#mustList
  }

  #takeListing(listing: Listing): void {
    const origin = this.#originOf(listing)
    const events = this.#hasState ? this.#known.eventsTo(listing) : []
    const isFirst = !this.#hasState
    this.#known.load(listing)
    this.#source = listing.source
    this.#hasState = true
    this.#wasRolledBack = false
    this.#setStatus({
      isReachable: true,
      revision: listing.revision,
      lastHeardMs: this.#wallNowMs(),
      ...(listing.source !== undefined && { source: listing.source }),
    })
    if (isFirst) this.#tell((listener) => listener.onState(listing))
    else if (events.length > 0) this.#tell((listener) => listener.onEvents(events, listing.revision, origin))
  }

  #originOf(listing: Listing): EventOrigin {
    const fromRevision = this.#status.revision
    const isOther = this.#source !== undefined && listing.source !== this.#source
    if (!this.#wasRolledBack && !isOther && listing.revision >= fromRevision) return 'relist'
    const rolledBack = { fromRevision, toRevision: listing.revision, atMs: this.#wallNowMs() }
    this.#options.logger.error(
      rolledBack,
      'the configuration store went back in time: it was restored, emptied or replaced',
    )
    this.#setStatus({ rolledBack })
    return 'rolled-back'
  }

  async #watchUntilEnd(): Promise<End> {
    const { store, prefix, resyncIntervalMs = 300_000 } = this.#options
    const ended = new Promise<End>((resolve) => {
      this.#wake = resolve
    })
    const cancelResync =
      resyncIntervalMs > 0
        ? this.#clock.schedule(resyncIntervalMs, () => this.#leave({ reason: 'resync' }))
        : () => {}
    const comparison = this.#compare()
    const watch = store.watch(prefix, this.#status.revision + 1, this.#sinkOf(++this.#generation))
    try {
      return await ended
    } finally {
      cancelResync()
      comparison?.stop()
      await watch.close()
    }
  }

  #compare(): Comparison | undefined {
    const { store, prefix, logger, compareIntervalMs, random = Math.random } = this.#options
    if (compareIntervalMs === undefined) return undefined
    return new Comparison({
      ...{ clock: this.#clock, random, intervalMs: compareIntervalMs, known: this.#known },
      list: () => store.peek?.(prefix) ?? store.list(prefix),
      onLoss: (count) => {
        logger.error(
          { count },
          'the watch on the configuration store has lost changes: everything is listed again',
        )
        this.#leave({ reason: 'resync' })
      },
    })
  }

  #sinkOf(generation: number): WatchSink {
    const whileCurrent = (act: () => void) => {
      if (this.#generation === generation) act()
    }
    return {
      onEvents: (events, revision) => whileCurrent(() => this.#takeEvents(events, revision)),
      onProgress: (revision) =>
        whileCurrent(() => this.#noteAlive(Math.max(revision, this.#status.revision))),
      onEnd: (cause) => whileCurrent(() => this.#leave(cause)),
    }
  }

  #leave(end: End): void {
    this.#generation++
    this.#wake(end)
  }

  #takeEvents(events: readonly StoreEvent[], revision: number): void {
    const known = this.#status.revision
    if (revision < known) {
      this.#leave({ reason: 'rolled-back', message: `events of revision ${revision} came after ${known}` })
      return
    }
    const fresh = events.filter((event) => revisionOf(event) > known)
    this.#known.apply(fresh)
    this.#noteAlive(revision)
    if (fresh.length > 0) this.#tell((listener) => listener.onEvents(fresh, revision, 'watch'))
  }

  #noteAlive(revision: number): void {
    this.#failures = 0
    this.#setStatus({ isConnected: true, isReachable: true, revision, lastHeardMs: this.#wallNowMs() })
  }

  #judge(end: End): void {
    if (end.reason === 'resync') {
      this.#isListDue = true
      return
    }
    if (end.reason === 'closed') {
      if (!this.#isClosed) this.#noteFailure('the store was closed')
      this.#isClosed = true
      return
    }
    this.#failures++
    const isReachable = end.reason !== 'disconnected'
    if (isReachable) {
      this.#mustList = true
      this.#isListDue = true
      this.#wasRolledBack = end.reason === 'rolled-back'
    }
    this.#noteFailure(end.message, isReachable)
  }

  async #pause(): Promise<void> {
    const { minMs, maxMs } = this.#options.backoff ?? { minMs: 200, maxMs: 10_000 }
    const longestMs = this.#status.isReachable ? maxMs : Math.min(maxMs, AWAY_MAX_MS)
    const boundMs = Math.min(longestMs, minMs * 2 ** (this.#failures - 1))
    const delayMs = boundMs * (this.#options.random ?? Math.random)()
    const ended = new Promise<End>((resolve) => {
      this.#wake = resolve
    })
    const cancel = this.#clock.schedule(delayMs, () => this.#wake({ reason: 'resync' }))
    await ended
    cancel()
  }

  #noteFailure(message: string, isReachable = false): void {
    if (this.#isClosed) return
    const isNew = this.#status.isReachable || this.#status.lastError?.message !== message
    const lastError = { message, atMs: this.#wallNowMs() }
    if (isNew)
      this.#options.logger.warn({ reason: message }, 'not following the configuration store; trying again')
    this.#setStatus({ isConnected: false, isReachable, lastError })
  }

  /** Tells the listener when something other than the revision or a time has changed. */
  #setStatus(change: Partial<FollowStatus>): void {
    const before = this.#status
    const after = { ...before, ...change }
    this.#status = after
    if (before.isConnected !== after.isConnected) this.#status = { ...after, sinceMs: this.#wallNowMs() }
    const isNews =
      before.isConnected !== after.isConnected ||
      before.isReachable !== after.isReachable ||
      before.lastError?.message !== after.lastError?.message ||
      before.rolledBack !== after.rolledBack
    if (isNews) this.#tell((listener) => listener.onStatus?.(this.#status))
  }

  #tell(call: (listener: FollowListener) => void): void {
    if (this.#isClosed) return
    try {
      call(this.#options.listener)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a listener to the configuration store threw; going on')
    }
  }
}

function revisionOf(event: StoreEvent): number {
  return event.type === 'put' ? event.item.modRevision : event.modRevision
}
