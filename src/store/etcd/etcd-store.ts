import type { Etcd3, IResponseHeader } from 'etcd3'
import { type Clock, SYSTEM_CLOCK } from '../../lib/clock.ts'
import {
  type DeleteResult,
  type Lease,
  type Listing,
  type PutOptions,
  type PutResult,
  RevisionConflictError,
  type StoredItem,
  type Watch,
  type WatchSink,
} from '../config-store.ts'
import { checkKey } from '../keys.ts'
import type { StoreLog } from '../store-log.ts'
import {
  checkDistinct,
  type SharedLease,
  type Transaction,
  type TransactionalStore,
  type TransactionResult,
} from '../transactions.ts'
import { EtcdCalls } from './etcd-calls.ts'
import { createEtcdClient, DEFAULT_TIMEOUT_MS, describeHosts, type EtcdClientOptions } from './etcd-client.ts'
import { probeKeyOf, rangeOf, toItem } from './etcd-codec.ts'
import { grantEtcdLease, openEtcdLease } from './etcd-lease.ts'
import { listAtOneRevision } from './etcd-list.ts'
import { runTransaction } from './etcd-transaction.ts'
import { EtcdWatch, type Head } from './etcd-watch.ts'

export interface EtcdStoreOptions extends EtcdClientOptions {
  readonly logger: StoreLog
  readonly clock?: Clock
  /** How often a watch asks for a sign of life, in ms; it ends after two without one. Default 30,000. */
  readonly livenessIntervalMs?: number
  /** Keys a list reads at a time. Default 1,000. */
  readonly pageSize?: number
}

/** A member that does not answer a look at the head is left for another; a watch has been without a sign of life by then. */
const HEAD_TIMEOUT_MS = 1500

/** etcd 3.4 or later through etcd3, whose retries, leases and watcher are not used (node-packages.md §1.6). */
export class EtcdStore implements TransactionalStore {
  readonly name = 'etcd'
  readonly isReadOnly = false
  readonly #options: EtcdStoreOptions
  readonly #client: Etcd3
  readonly #calls: EtcdCalls
  readonly #watches = new Set<EtcdWatch>()
  /** The cluster of the newest answer. */
  #clusterId: string | undefined
  #isClosed = false

  /** Connects at the first call, not here. Throws a TypeError for hosts or TLS options that cannot be used. */
  constructor(options: EtcdStoreOptions) {
    this.#options = options
    this.#client = createEtcdClient(options)
    this.#calls = new EtcdCalls({
      client: this.#client,
      endpoint: describeHosts(options.hosts),
      clock: options.clock ?? SYSTEM_CLOCK,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    })
  }

  async list(prefix: string): Promise<Listing> {
    const { pageSize = 1000 } = this.#options
    const listing = await listAtOneRevision(
      (request) => this.#calls.run('list', (limit) => this.#client.kv.range(request, limit)),
      prefix,
      pageSize,
    )
    this.#clusterId = listing.clusterId
    return { items: listing.items, revision: listing.revision, source: listing.clusterId }
  }

  async get(key: string): Promise<StoredItem | undefined> {
    checkKey(key)
    const answer = await this.#calls.run('read', (limit) =>
      this.#client.kv.range({ key: Buffer.from(key) }, limit),
    )
    return answer.kvs[0] && toItem(answer.kvs[0])
  }

  async put(key: string, value: string, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key)
    const { expectedRevision, leaseId } = options
    const put = { key: Buffer.from(key), value: Buffer.from(value), lease: leaseId ?? '0', prev_kv: true }
    if (expectedRevision !== undefined) return this.#putIfAt(key, put, expectedRevision)
    const answer = await this.#calls.run('write', (limit) => this.#client.kv.put(put, limit))
    return putResult(answer.header, answer.prev_kv && toItem(answer.prev_kv))
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<DeleteResult> {
    checkKey(key)
    const request = { key: Buffer.from(key), prev_kv: true }
    if (options.expectedRevision === undefined) return this.#deleteRange(request)
    const { expectedRevision } = options
    const done = await this.#calls.runIfAt('delete', {
      key: request.key,
      expectedRevision,
      operation: { request_delete_range: request },
    })
    if (!done) throw new RevisionConflictError(key, expectedRevision)
    return deleteResult(done.header, done.response.response_delete_range.prev_kvs.map(toItem))
  }

  async deletePrefix(prefix: string): Promise<DeleteResult> {
    return this.#deleteRange({ ...rangeOf(prefix), prev_kv: true })
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    if (!(ttlSeconds >= 1))
      throw new RangeError(`a lease of ${ttlSeconds} seconds is too short; use at least 1`)
    return grantEtcdLease(this.#client, this.#calls, ttlSeconds)
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const { conditions, puts = [], deletes = [] } = transaction
    for (const { key } of [...conditions, ...puts]) checkKey(key)
    for (const key of deletes) checkKey(key)
    checkDistinct(transaction)
    return runTransaction(this.#client, this.#calls, transaction)
  }

  openLease(id: string): SharedLease {
    return openEtcdLease(this.#client, this.#calls, id)
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    const { logger, clock = SYSTEM_CLOCK, livenessIntervalMs = 30_000 } = this.#options
    const watch = new EtcdWatch({
      client: this.#client,
      prefix,
      fromRevision,
      sink,
      logger,
      clock,
      livenessIntervalMs,
      clusterId: this.#clusterId,
      readHead: () => this.#readHead(prefix),
      onClosed: (closed) => this.#watches.delete(closed),
    })
    this.#watches.add(watch)
    if (this.#isClosed) queueMicrotask(() => watch.end({ reason: 'closed' }))
    return watch
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#calls.close()
    for (const watch of [...this.#watches]) watch.end({ reason: 'closed' })
    this.#client.close()
  }

  async #putIfAt(key: string, put: EtcdPut, expectedRevision: number): Promise<PutResult> {
    const request = { key: put.key, expectedRevision, operation: { request_put: put } }
    const done = await this.#calls.runIfAt('write', request)
    if (!done) throw new RevisionConflictError(key, expectedRevision)
    const { prev_kv } = done.response.response_put
    return putResult(done.header, prev_kv && toItem(prev_kv))
  }

  async #deleteRange(request: { key: Buffer; range_end?: Buffer; prev_kv: boolean }): Promise<DeleteResult> {
    const answer = await this.#calls.run('delete', (limit) => this.#client.kv.deleteRange(request, limit))
    return deleteResult(answer.header, answer.prev_kvs.map(toItem))
  }

  /** The newest revision, as a majority sees it, and the cluster that says so. */
  async #readHead(prefix: string): Promise<Head> {
    const key = probeKeyOf(prefix)
    const { header } = await this.#calls.run(
      'read',
      (limit) => this.#client.kv.range({ key, keys_only: true }, limit),
      HEAD_TIMEOUT_MS,
    )
    this.#clusterId = header.cluster_id
    return { clusterId: header.cluster_id, revision: Number(header.revision) }
  }
}

interface EtcdPut {
  readonly key: Buffer
  readonly value: Buffer
  readonly lease: string
  readonly prev_kv: boolean
}

function putResult(header: IResponseHeader, previous: StoredItem | undefined): PutResult {
  const revision = Number(header.revision)
  if (!previous) return { revision, createRevision: revision }
  return { revision, createRevision: previous.createRevision, previous }
}

function deleteResult(header: IResponseHeader, deleted: readonly StoredItem[]): DeleteResult {
  return { revision: Number(header.revision), deleted }
}
