import type { StoreEvent, Watch, WatchEnd, WatchSink } from './config-store.ts'
import type { EventHistory, Revision } from './event-history.ts'
import type { StoreLog } from './store-log.ts'

interface Watcher {
  readonly prefix: string
  readonly sink: WatchSink
  nextRevision: number
  /** False until the history was replayed: what is published meanwhile comes with the replay. */
  isLive: boolean
  isClosed: boolean
}

/** Hands committed revisions to the watches of one process, each in order and whole. */
export class WatchHub {
  readonly #history: EventHistory
  readonly #logger: StoreLog
  readonly #watchers = new Set<Watcher>()

  constructor(history: EventHistory, logger: StoreLog) {
    this.#history = history
    this.#logger = logger
  }

  /** Replays from `fromRevision`, then stays live. Calls the sink only after it has returned. */
  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    const watcher: Watcher = { prefix, sink, nextRevision: fromRevision, isLive: false, isClosed: false }
    this.#watchers.add(watcher)
    queueMicrotask(() => this.#replay(watcher))
    return {
      close: async () => {
        watcher.isClosed = true
        this.#watchers.delete(watcher)
      },
    }
  }

  publish(revisions: readonly Revision[]): void {
    for (const entry of revisions) this.#history.append(entry)
    for (const watcher of [...this.#watchers]) if (watcher.isLive) this.#deliver(watcher, revisions)
  }

  /** Ends one watch with a cause, after `watch` has returned. */
  refuse(sink: WatchSink, cause: WatchEnd): Watch {
    const watcher: Watcher = { prefix: '', sink, nextRevision: 0, isLive: false, isClosed: false }
    queueMicrotask(() => this.#end(watcher, cause))
    return {
      close: async () => {
        watcher.isClosed = true
      },
    }
  }

  /** Ends all watches. */
  close(cause: WatchEnd = { reason: 'closed' }): void {
    for (const watcher of [...this.#watchers]) this.#end(watcher, cause)
  }

  #replay(watcher: Watcher): void {
    if (watcher.isClosed) return
    const revisions = this.#history.since(watcher.nextRevision)
    if (!revisions) {
      const message = `revision ${watcher.nextRevision} is no longer held; the oldest is ${this.#history.oldestComplete}`
      this.#end(watcher, { reason: 'compacted', message })
      return
    }
    watcher.isLive = true
    if (revisions.length > 0) this.#deliver(watcher, revisions)
    else this.#tell(() => watcher.sink.onProgress?.(watcher.nextRevision - 1))
  }

  #deliver(watcher: Watcher, revisions: readonly Revision[]): void {
    const due = revisions.filter((entry) => entry.revision >= watcher.nextRevision)
    const last = due.at(-1)
    if (!last || watcher.isClosed) return
    watcher.nextRevision = last.revision + 1
    const events = due
      .flatMap((entry) => entry.events)
      .filter((event) => keyOf(event).startsWith(watcher.prefix))
    this.#tell(() => {
      if (events.length > 0) watcher.sink.onEvents(events, last.revision)
      else watcher.sink.onProgress?.(last.revision)
    })
  }

  #end(watcher: Watcher, cause: WatchEnd): void {
    if (watcher.isClosed) return
    watcher.isClosed = true
    this.#watchers.delete(watcher)
    this.#tell(() => watcher.sink.onEnd(cause))
  }

  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#logger.error(
        { err: error },
        'a watcher of the configuration store threw; its events count as delivered',
      )
    }
  }
}

function keyOf(event: StoreEvent): string {
  return event.type === 'put' ? event.item.key : event.key
}
