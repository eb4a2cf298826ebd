import { randomInt } from 'node:crypto'
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { StoreUnavailableError } from './config-store.ts'
import { describeThisProcess, type Holder, isAlive } from './holder.ts'
import { endOfPrefix } from './keys.ts'
import { RevisionedStore, type RevisionedStoreOptions } from './revisioned-store.ts'
import type { Commit, LeaseRow, StorageMedium, StoredRecord } from './storage-medium.ts'

/**
 * The default store: durable, one process, no server. A write is answered after it is on the disk, so it survives a kill or a power
 * cut at any instant; writes under way at the same time share one sync. One process may have the directory open.
 */
export class EmbeddedStore extends RevisionedStore {
  /**
   * Makes the directory (0700) and its files (0600) when they are missing. Throws {@link StoreUnavailableError} naming directory and
   * pid when a living process holds it; what a dead one left is taken over.
   */
  constructor(directory: string, options: RevisionedStoreOptions) {
    super('embedded', new LmdbMedium(resolve(directory)), options)
  }

  static open(directory: string, options: RevisionedStoreOptions): EmbeddedStore {
    return new EmbeddedStore(directory, options)
  }
}

/** As the rows lie in the file: `i` + key for items, `l` + id for leases, `m` + name for the rest. */
type Row = readonly unknown[]
type ItemRow = readonly [value: string, createRevision: number, modRevision: number, leaseId?: string]
type LeaseRowOnDisk = readonly [ttlSeconds: number, deadlineMs: number]
type HolderRow = readonly [pid: number, host: string, incarnation: string]

const REVISION_KEY = Buffer.from('mrevision')
const HOLDER_KEY = Buffer.from('mholder')

class LmdbMedium implements StorageMedium {
  readonly #directory: string
  readonly #database: RootDatabase<Row, Uint8Array>
  /** Version of the holder row while the directory is ours; every commit is made on the condition that it still is. */
  readonly #token = randomInt(1, 2 ** 47)

  constructor(directory: string) {
    this.#directory = directory
    this.#database = openDatabase(directory)
    const other = this.#claim()
    if (!other) return
    // The process is about to stop with an error; a failing close would only hide it.
    this.#database.close().catch(() => undefined)
    throw new StoreUnavailableError(
      `the directory "${directory}" is in use by process ${other.pid}; stop that process or choose another directory`,
    )
  }

  revision(): number {
    return (this.#database.get(REVISION_KEY) as readonly [number] | undefined)?.[0] ?? 1
  }

  get(key: string): StoredRecord | undefined {
    const row = this.#database.get(itemKey(key)) as ItemRow | undefined
    return row && toRecord(key, row)
  }

  range(prefix: string): { readonly records: readonly StoredRecord[]; readonly revision: number } {
    const records: StoredRecord[] = []
    for (const { key, value } of this.#rows(itemKey(prefix)))
      records.push(toRecord(textOf(key), value as ItemRow))
    return { records, revision: this.revision() }
  }

  leases(): readonly LeaseRow[] {
    const rows: LeaseRow[] = []
    for (const { key, value } of this.#rows(Buffer.from('l'))) {
      const [ttlSeconds, deadlineMs] = value as LeaseRowOnDisk
      rows.push({ id: textOf(key), ttlSeconds, deadlineMs })
    }
    return rows
  }

  async commit(change: Commit): Promise<void> {
    const isOurs = await this.#whileOurs(() => this.#enqueue(change))
    if (!isOurs) {
      throw new Error(
        `the directory "${this.#directory}" was taken over by ${this.#describeHolder()}; nothing was written`,
      )
    }
  }

  async close(): Promise<void> {
    try {
      await this.#whileOurs(() => settledWithGroup(this.#database.remove(HOLDER_KEY)))
    } finally {
      await this.#database.close()
    }
  }

  /** One transaction of all that `enqueue` writes, resolved after the sync; false, and nothing written, when we are not the holder. */
  async #whileOurs(enqueue: () => void): Promise<boolean> {
    try {
      return await this.#database.ifVersion(HOLDER_KEY, this.#token, enqueue)
    } catch (error) {
      throw await causeOfFailedCommit(error)
    }
  }

  #enqueue(change: Commit): void {
    for (const [key, record] of change.records) this.#set(itemKey(key), record && toRow(record))
    for (const [id, row] of change.leases)
      this.#set(Buffer.from(`l${id}`), row && [row.ttlSeconds, row.deadlineMs])
    this.#set(REVISION_KEY, [change.revision])
  }

  #set(key: Buffer, row: Row | undefined): void {
    settledWithGroup(row ? this.#database.put(key, row, 1) : this.#database.remove(key))
  }

  /** Makes this process the holder, in one transaction across processes; returns the living one that is in the way. */
  #claim(): Holder | undefined {
    return this.#database.transactionSync(() => {
      const holder = this.#holder()
      if (holder && isAlive(holder)) return holder
      const { pid, host, incarnation } = describeThisProcess()
      this.#database.putSync(HOLDER_KEY, [pid, host, incarnation], this.#token)
      return undefined
    })
  }

  #holder(): Holder | undefined {
    const row = this.#database.get(HOLDER_KEY) as HolderRow | undefined
    return row && { pid: row[0], host: row[1], incarnation: row[2] }
  }

  #describeHolder(): string {
    const holder = this.#holder()
    return holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
  }

  #rows(start: Buffer): Iterable<{ readonly key: Uint8Array; readonly value: Row }> {
    const end = endOfPrefix(start)
    return this.#database.getRange(end ? { start, end } : { start })
  }
}

function openDatabase(directory: string): RootDatabase<Row, Uint8Array> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'store.mdb')
  // LMDB would make its files readable to the group; it takes empty ones that are there already.
  for (const file of [path, `${path}-lock`]) {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  }
  return open<Row, Uint8Array>({
    path,
    noSubdir: true,
    keyEncoding: 'binary',
    useVersions: true,
    // A commit is done when it is synced, not before: what list shows must survive a power cut too.
    overlappingSync: false,
    // Groups are made by the store. The engine's own would add a promise that nobody can catch when the disk is full.
    eventTurnBatching: false,
  })
}

/** Each write inside a group has a promise of its own; the group's promise is the one that is awaited and reported. */
function settledWithGroup(write: Promise<boolean>): void {
  write.catch(() => undefined)
}

/** LMDB tells why a commit failed in a promise of its own, which would end the process if nobody took its rejection. */
async function causeOfFailedCommit(error: unknown): Promise<unknown> {
  const { commitError } = error as { readonly commitError?: Promise<never> }
  return commitError ? commitError.catch((cause: unknown) => cause) : error
}

function itemKey(key: string): Buffer {
  return Buffer.from(`i${key}`)
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8', 1)
}

function toRecord(key: string, [value, createRevision, modRevision, leaseId]: ItemRow): StoredRecord {
  const record = { key, value, createRevision, modRevision }
  return leaseId === undefined ? record : { ...record, leaseId }
}

function toRow({ value, createRevision, modRevision, leaseId }: StoredRecord): ItemRow {
  const row = [value, createRevision, modRevision] as const
  return leaseId === undefined ? row : [...row, leaseId]
}
