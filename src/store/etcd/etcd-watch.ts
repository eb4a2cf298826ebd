import type { Etcd3, IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3'
import type { Clock } from '../../lib/clock.ts'
import type { Watch, WatchEnd, WatchSink } from '../config-store.ts'
import type { StoreLog } from '../store-log.ts'
import { rangeOf, toEvent } from './etcd-codec.ts'
import { isTooLarge, reasonOf } from './etcd-errors.ts'

/** Where the cluster stands, by a read that a majority confirms. */
export interface Head {
  readonly clusterId: string
  readonly revision: number
}

export interface EtcdWatchOptions {
  readonly client: Etcd3
  readonly prefix: string
  readonly fromRevision: number
  readonly sink: WatchSink
  readonly logger: StoreLog
  readonly clock: Clock
  /** How often a sign of life is asked for; two such times without a message end the watch. */
  readonly livenessIntervalMs: number
  /** The cluster that what is known so far came from; absent when nothing is known. */
  readonly clusterId: string | undefined
  /** Reads under the prefix; also renews a login that has run out. */
  readonly readHead: () => Promise<Head>
  readonly onClosed: (watch: EtcdWatch) => void
}

type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>

/** The server's id for answers that belong to no watch, such as those to a progress request. */
const NO_WATCH = '-1'

/**
 * One watch on a stream of its own, with its own account of what was delivered: etcd3's watcher resumes from the wrong revision
 * (node-packages.md §1.6). It never reconnects; whoever follows the store does that.
 */
export class EtcdWatch implements Watch {
  readonly #options: EtcdWatchOptions
  /** Everything up to here was delivered. Moved by delivered events and by the server's own progress notes, by nothing else. */
  #applied: number
  #clusterId: string | undefined
  #stream: WatchStream | undefined
  #cancelTimer = () => {}
  #silentIntervals = 0
  #isEnded = false

  constructor(options: EtcdWatchOptions) {
    this.#options = options
    this.#applied = options.fromRevision - 1
    this.#clusterId = options.clusterId
    void this.#open()
  }

  async close(): Promise<void> {
    this.#release()
  }

  /** Ends the watch and tells the sink why. */
  end(cause: WatchEnd): void {
    if (this.#isEnded) return
    this.#release()
    this.#tell(() => this.#options.sink.onEnd(cause))
  }

  async #open(): Promise<void> {
    try {
      if (!(await this.#isStillAhead())) return
      const stream: WatchStream = await this.#options.client.watchClient.watch()
      stream.on('data', (response) => this.#receive(response))
      stream.on('error', (error) => this.#fail(error))
      stream.on('end', () => this.#disconnect('the server ended the stream'))
      this.#stream = stream
      if (this.#isEnded) {
        hangUp(stream)
        return
      }
      stream.write({ create_request: this.#createRequest() })
      this.#armLiveness()
    } catch (error) {
      this.#fail(error)
    }
  }

  #createRequest(): NonNullable<IWatchRequest['create_request']> {
    const { prefix, fromRevision } = this.#options
    return {
      ...rangeOf(prefix),
      start_revision: String(fromRevision),
      progress_notify: true,
      fragment: false,
    }
  }

  /** A store that was restored or emptied shows an older revision or another cluster; one member that lags does not count. */
  async #isStillAhead(): Promise<boolean> {
    const { clusterId, revision } = await this.#options.readHead()
    if (this.#isEnded) return false
    this.#clusterId ??= clusterId
    if (clusterId !== this.#clusterId) {
      this.end({
        reason: 'rolled-back',
        message: `this is cluster ${clusterId}, no longer ${this.#clusterId}`,
      })
    } else if (revision < this.#applied) {
      const message = `etcd is at revision ${revision}, behind the ${this.#applied} already known`
      this.end({ reason: 'rolled-back', message })
    }
    return !this.#isEnded
  }

  #receive(response: IWatchResponse): void {
    if (this.#isEnded) return
    this.#silentIntervals = 0
    if (response.canceled || Number(response.compact_revision) > 0) this.#endCanceled(response)
    else if (response.events.length > 0) this.#deliver(response)
    else this.#noteProgress(response)
  }

  #deliver(response: IWatchResponse): void {
    // After a resume etcd may repeat what was delivered. The header's revision is often ahead of the events: it is not used.
    const events = response.events.filter(({ kv }) => Number(kv.mod_revision) > this.#applied)
    const last = events.at(-1)
    if (!last) return
    this.#applied = Number(last.kv.mod_revision)
    this.#tell(() => this.#options.sink.onEvents(events.map(toEvent), this.#applied))
  }

  #noteProgress(response: IWatchResponse): void {
    const revision = Number(response.header.revision)
    const isBehind = revision < this.#applied || response.header.cluster_id !== this.#clusterId
    if (isBehind) void this.#recheck()
    // Where a stream begins says nothing about what was delivered, and the answer to a request may be ahead of events not sent
    // yet (etcd#15220): both prove life, not progress.
    if (!response.created && response.watch_id !== NO_WATCH) this.#applied = Math.max(this.#applied, revision)
    this.#tell(() => this.#options.sink.onProgress?.(this.#applied))
  }

  async #recheck(): Promise<void> {
    try {
      await this.#isStillAhead()
    } catch (error) {
      this.#fail(error)
    }
  }

  #endCanceled(response: IWatchResponse): void {
    if (Number(response.compact_revision) > 0) {
      const message = `revision ${this.#applied + 1} is no longer held; the oldest is ${response.compact_revision}`
      this.end({ reason: 'compacted', message })
    } else {
      this.#disconnect(`the server refused the watch: ${response.cancel_reason || 'no reason was given'}`)
    }
  }

  #armLiveness(): void {
    const { clock, livenessIntervalMs } = this.#options
    this.#cancelTimer = clock.schedule(livenessIntervalMs, () => {
      this.#silentIntervals++
      if (this.#silentIntervals >= 2) {
        // Dropped without an end, the stream counts as a failure of its host, and etcd3 prefers another one for the next.
        this.#stream?.cancel()
        this.#stream = undefined
        this.#disconnect(`no sign of life for ${2 * livenessIntervalMs} ms`)
        return
      }
      this.#stream?.write({ progress_request: {} })
      this.#armLiveness()
    })
  }

  #fail(error: unknown): void {
    if (isTooLarge(error)) {
      // Resuming would meet the same message again; a list can be read in smaller pieces.
      this.end({ reason: 'compacted', message: 'the missed changes are too large for one message' })
    } else {
      this.#disconnect(reasonOf(error))
    }
  }

  #disconnect(message: string): void {
    this.end({ reason: 'disconnected', message })
  }

  #release(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#cancelTimer()
    if (this.#stream) hangUp(this.#stream)
    this.#options.onClosed(this)
  }

  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a watcher of etcd threw; its events count as delivered')
    }
  }
}

/** Ending first tells etcd3 that what follows is no failure of the host. */
function hangUp(stream: WatchStream): void {
  stream.end()
  stream.cancel()
}
