import { randomBytes } from 'node:crypto'
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import {
  type DeleteResult,
  type Lease,
  type Listing,
  type PutOptions,
  type PutResult,
  type StoredItem,
  StoreUnavailableError,
  type Watch,
  type WatchSink,
} from './config-store.ts'
import { Draft, toItem } from './draft.ts'
import { EventHistory, type HistoryLimits } from './event-history.ts'
import { asUtf8, checkKey } from './keys.ts'
import { LeaseTable, type LeaseTime } from './lease-table.ts'
import type { LeaseRow, StorageMedium } from './storage-medium.ts'
import type { StoreLog } from './store-log.ts'
import {
  checkDistinct,
  type SharedLease,
  type Transaction,
  type TransactionalStore,
  type TransactionResult,
} from './transactions.ts'
import { WatchHub } from './watch-hub.ts'
import {
  planDelete,
  planDeletePrefix,
  planExpire,
  planKeepAlive,
  planPut,
  planRemaining,
  planRevoke,
  planTransaction,
} from './write-plans.ts'

export interface RevisionedStoreOptions {
  readonly logger: StoreLog
  readonly clock?: Clock
  /** Milliseconds since the epoch; what deadlines of leases are told in. */
  readonly wallNowMs?: () => number
  readonly history?: HistoryLimits
}

/** Writes that may wait for their turn; more are refused at once. */
const MAX_WAITING = 10_000
/** Writes that share one commit. */
const MAX_GROUP = 1000

interface Waiting {
  /** Plans the write; returns how to answer it once the group is committed. */
  readonly plan: (draft: Draft) => () => void
  readonly reject: (error: unknown) => void
}

/**
 * Everything a one-process store owes (revisions, conflicts, leases, watches) on top of any {@link StorageMedium}. Writes that
 * arrive while a commit is under way form the next group and share its commit.
 */
export class RevisionedStore implements TransactionalStore {
  readonly name: string
  readonly isReadOnly = false
  readonly #medium: StorageMedium
  readonly #time: LeaseTime
  readonly #logger: StoreLog
  readonly #hub: WatchHub
  readonly #leases: LeaseTable
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(name: string, medium: StorageMedium, options: RevisionedStoreOptions) {
    this.name = name
    this.#medium = medium
    this.#time = { clock: options.clock ?? SYSTEM_CLOCK, wallNowMs: options.wallNowMs ?? Date.now }
    this.#logger = options.logger
    this.#hub = new WatchHub(new EventHistory(medium.revision(), options.history), options.logger)
    this.#leases = new LeaseTable(this.#time, (row) => this.#expire(row))
    const leases = medium.leases()
    if (leases.length > 0) this.#leases.load(leases, medium.range('').records)
  }

  async list(prefix: string): Promise<Listing> {
    this.#checkOpen()
    const { records, revision } = this.#medium.range(prefix)
    return { items: records.map(toItem), revision }
  }

  async get(key: string): Promise<StoredItem | undefined> {
    this.#checkOpen()
    checkKey(key)
    const record = this.#medium.get(key)
    return record && toItem(record)
  }

  async put(key: string, value: string, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key)
    return this.#write((draft) => planPut(draft, { ...options, key, value: asUtf8(value) }))
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<DeleteResult> {
    checkKey(key)
    return this.#write((draft) => planDelete(draft, key, options.expectedRevision))
  }

  async deletePrefix(prefix: string): Promise<DeleteResult> {
    return this.#write((draft) => planDeletePrefix(draft, prefix))
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const { conditions, puts = [], deletes = [] } = transaction
    for (const { key } of [...conditions, ...puts]) checkKey(key)
    for (const key of deletes) checkKey(key)
    checkDistinct(transaction)
    return this.#write((draft) => planTransaction(draft, transaction))
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    if (!(ttlSeconds >= 1))
      throw new RangeError(`a lease of ${ttlSeconds} seconds is too short; use at least 1`)
    const id = randomBytes(8).toString('hex')
    const deadlineMs = this.#time.wallNowMs() + ttlSeconds * 1000
    await this.#write((draft) => draft.setLease(id, { id, ttlSeconds, deadlineMs }))
    return this.openLease(id)
  }

  openLease(id: string): SharedLease {
    return {
      id,
      keepAlive: () => this.#write((draft) => planKeepAlive(draft, id, this.#time.wallNowMs())),
      revoke: () => this.#write((draft) => planRevoke(draft, id)),
      remainingSeconds: () =>
        this.#write((draft) => planRemaining(draft, id) - this.#time.wallNowMs()).then((ms) =>
          Math.max(0, ms / 1000),
        ),
    }
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    if (this.#closing) return this.#hub.refuse(sink, { reason: 'closed' })
    const revision = this.#medium.revision()
    if (fromRevision <= revision + 1) return this.#hub.watch(prefix, fromRevision, sink)
    const message = `the store is at revision ${revision}, behind the ${fromRevision} asked for`
    return this.#hub.refuse(sink, { reason: 'rolled-back', message })
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    const dropped = this.#waiting
    this.#waiting = []
    for (const write of dropped) write.reject(this.#closedError())
    await this.#writing
    this.#leases.close()
    this.#hub.close()
    await this.#medium.close()
  }

  #write<T>(plan: (draft: Draft) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#checkOpen()
      if (this.#waiting.length >= MAX_WAITING) {
        throw new StoreUnavailableError(
          `the ${this.name} store has ${MAX_WAITING} writes waiting; retry later`,
        )
      }
      this.#waiting.push({ plan: (draft) => answerWith(plan(draft), resolve), reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    // Writes made in the same turn of the event loop join the first group.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting.slice(0, MAX_GROUP)
      this.#waiting = this.#waiting.slice(MAX_GROUP)
      await this.#writeGroup(group)
    }
    this.#writing = undefined
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const draft = new Draft(this.#medium, this.#leases)
      const answers = group.map((write) => planned(write, draft))
      if (draft.isChanged) {
        await this.#medium.commit(draft.commit)
        this.#leases.apply(draft.commit)
        this.#hub.publish(draft.revisions)
      }
      for (const answer of answers) answer()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const message = `the ${this.name} store could not write: ${reason}`
      for (const write of group) write.reject(new StoreUnavailableError(message, { cause: error }))
    }
  }

  async #expire(due: LeaseRow): Promise<void> {
    try {
      await this.#write((draft) => planExpire(draft, due))
    } catch (error) {
      if (!this.#closing)
        this.#logger.warn({ err: error, leaseId: due.id }, 'a lease could not be ended; trying again')
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw this.#closedError()
  }

  #closedError(): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.name} store is closed`)
  }
}

function answerWith<T>(value: T, resolve: (value: T) => void): () => void {
  return () => resolve(value)
}

/** Plans one write of a group; one that fails on its own does not fail the others. */
function planned(write: Waiting, draft: Draft): () => void {
  try {
    return write.plan(draft)
  } catch (error) {
    return () => write.reject(error)
  }
}
