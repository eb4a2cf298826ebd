import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { StoreLog } from './store-log.ts'

export interface FileWatcherOptions {
  readonly path: string
  readonly clock: Clock
  readonly logger: StoreLog
  readonly pollIntervalMs: number
  /** Looks at the file; called one at a time, never rejects. */
  readonly check: () => Promise<void>
}

/** An editor or a copy makes several notices of one change. */
const SETTLE_MS = 20

/**
 * Has the file looked at soon after its directory notices something, and every `pollIntervalMs` besides: notices get lost on network
 * file systems and behind symbolic links. The directory is watched, because editors replace files.
 */
export class FileWatcher {
  readonly #options: FileWatcherOptions
  readonly #notices: FSWatcher | undefined
  #cancelTimer = () => {}
  #checking: Promise<void> | undefined
  /** Something was noticed while the file was being looked at. */
  #isStale = false
  #isClosed = false

  constructor(options: FileWatcherOptions) {
    this.#options = options
    this.#notices = this.#watchDirectory()
    this.#arm(options.pollIntervalMs)
  }

  /** Looks at the file now; resolves when that is done. */
  async check(): Promise<void> {
    if (this.#checking) {
      this.#isStale = true
      return this.#checking
    }
    this.#checking = this.#checkUntilFresh()
    await this.#checking
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer()
    this.#notices?.close()
    await this.#checking
  }

  async #checkUntilFresh(): Promise<void> {
    this.#cancelTimer()
    do {
      this.#isStale = false
      await this.#options.check()
    } while (this.#isStale && !this.#isClosed)
    this.#checking = undefined
    this.#arm(this.#options.pollIntervalMs)
  }

  #arm(delayMs: number): void {
    if (this.#isClosed) return
    this.#cancelTimer()
    this.#cancelTimer = this.#options.clock.schedule(delayMs, () => void this.check())
  }

  #watchDirectory(): FSWatcher | undefined {
    const { path, logger } = this.#options
    const onlyPolled = (error: unknown) => {
      logger.warn(
        { err: error, path },
        'changes of the configuration file are only found by looking at it regularly',
      )
    }
    try {
      const notices = watch(dirname(path), () => {
        if (this.#checking) this.#isStale = true
        else this.#arm(SETTLE_MS)
      })
      notices.on('error', onlyPolled)
      return notices
    } catch (error) {
      onlyPolled(error)
      return undefined
    }
  }
}
