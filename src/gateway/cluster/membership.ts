import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ConfigStore, Lease } from '../../store/config-store.ts'
import type { NodeReport } from './node-report.ts'

/** A node that dies without a word is gone from the list after this long. */
export const LEASE_TTL_SECONDS = 15
const KEEP_ALIVE_MS = 5000
/** How soon what has changed is told; an import of many changes is told in steps of this. */
const LOOK_MS = 100
const RETRY_MS = 2000

export interface MembershipOptions {
  readonly store: ConfigStore
  readonly key: string
  readonly clock: Clock
  readonly logger: Logger
  /** What the node would say now. */
  describe(): NodeReport
  /** Told each time the report has been put; at once where none can be. */
  onListed(): void
}

/** Keeps a node's report in the store up to date, under a lease. A store that does not answer is tried again and stops nothing. */
export class Membership {
  readonly #options: MembershipOptions
  #lease: Lease | undefined
  #told: string | undefined
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #keptAliveMs = 0
  #isClosed = false
  #hasWarned = false

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.store.isReadOnly) this.#options.onListed()
    else this.#look(0)
  }

  /** Takes the node off the list. */
  async stop(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#running
    try {
      await this.#lease?.revoke()
    } catch (error) {
      this.#options.logger.debug({ reason: (error as Error).message }, 'the node leaves the list by itself')
    }
  }

  #look(delayMs: number): void {
    if (this.#isClosed) return
    this.#cancel = this.#options.clock.schedule(delayMs, () => {
      this.#running = this.#tell().then(
        () => this.#look(LOOK_MS),
        (error) => this.#onFailure(error),
      )
    })
  }

  /** Puts the report when it says something new, and keeps the lease alive. */
  async #tell(): Promise<void> {
    const { store, clock, key, describe } = this.#options
    const report = describe()
    const { reported_at_ms: _, ...facts } = report
    const said = JSON.stringify(facts)
    const nowMs = clock.nowMs()
    if (this.#lease && nowMs - this.#keptAliveMs >= KEEP_ALIVE_MS) {
      await this.#lease.keepAlive()
      this.#keptAliveMs = nowMs
    }
    if (this.#lease && said === this.#told) return
    if (!this.#lease) {
      this.#lease = await store.grantLease(LEASE_TTL_SECONDS)
      this.#keptAliveMs = nowMs
    }
    await store.put(key, JSON.stringify(report), { leaseId: this.#lease.id })
    this.#told = said
    this.#options.onListed()
    this.#hasWarned = false
  }

  #onFailure(error: unknown): void {
    const { logger } = this.#options
    // The next attempt begins with a lease of its own: of this one nothing is known.
    this.#lease = undefined
    this.#told = undefined
    if (!this.#hasWarned) {
      this.#hasWarned = true
      const reason = (error as Error).message
      logger.warn({ reason }, 'this node cannot be listed in the cluster; it serves all the same')
    }
    this.#look(RETRY_MS)
  }
}
