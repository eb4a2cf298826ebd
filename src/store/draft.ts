import type { StoredItem, StoreEvent } from './config-store.ts'
import type { Revision } from './event-history.ts'
import { compareKeys } from './keys.ts'
import type { LeaseTable } from './lease-table.ts'
import type { Commit, LeaseRow, StorageMedium, StoredRecord } from './storage-medium.ts'

/**
 * What a group of writes is about to change, on top of what the medium holds. Each write plans against the draft, so later writes of
 * the group see the earlier ones; nothing is real until the commit made of it has succeeded.
 */
export class Draft {
  readonly #medium: StorageMedium
  readonly #leaseTable: LeaseTable
  readonly #records = new Map<string, StoredRecord | undefined>()
  readonly #leases = new Map<string, LeaseRow | undefined>()
  readonly #revisions: Revision[] = []
  #revision: number

  constructor(medium: StorageMedium, leaseTable: LeaseTable) {
    this.#medium = medium
    this.#leaseTable = leaseTable
    this.#revision = medium.revision()
  }

  get revision(): number {
    return this.#revision
  }

  get(key: string): StoredRecord | undefined {
    return this.#records.has(key) ? this.#records.get(key) : this.#medium.get(key)
  }

  /** In byte order of keys. */
  range(prefix: string): readonly StoredRecord[] {
    const found = new Map(this.#medium.range(prefix).records.map((record) => [record.key, record]))
    for (const [key, record] of this.#records) {
      if (!key.startsWith(prefix)) continue
      if (record === undefined) found.delete(key)
      else found.set(key, record)
    }
    return [...found.values()].sort((a, b) => compareKeys(a.key, b.key))
  }

  lease(id: string): LeaseRow | undefined {
    return this.#leases.has(id) ? this.#leases.get(id) : this.#leaseTable.row(id)
  }

  setLease(id: string, row: LeaseRow | undefined): void {
    this.#leases.set(id, row)
  }

  /** Keys held by a lease, in byte order. */
  keysOfLease(id: string): readonly string[] {
    const keys = new Set(this.#leaseTable.keysOf(id))
    for (const [key, record] of this.#records) {
      if (record?.leaseId === id) keys.add(key)
      else keys.delete(key)
    }
    return [...keys].sort(compareKeys)
  }

  /** Applies puts and deletes as one revision and returns its number. An empty change raises nothing. */
  write(puts: readonly NewRecord[], deletes: readonly string[]): number {
    if (puts.length === 0 && deletes.length === 0) return this.#revision
    this.#revision++
    const events: StoreEvent[] = []
    for (const put of puts) {
      const record = this.#recordOf(put)
      this.#records.set(record.key, record)
      events.push({ type: 'put', item: toItem(record) })
    }
    for (const key of deletes) {
      this.#records.set(key, undefined)
      events.push({ type: 'delete', key, modRevision: this.#revision })
    }
    this.#revisions.push({ revision: this.#revision, events })
    return this.#revision
  }

  #recordOf(put: NewRecord): StoredRecord {
    const { key, value, leaseId } = put
    const createRevision = this.get(key)?.createRevision ?? this.#revision
    const record = { key, value, createRevision, modRevision: this.#revision }
    return leaseId === undefined ? record : { ...record, leaseId }
  }

  get isChanged(): boolean {
    return this.#records.size > 0 || this.#leases.size > 0
  }

  get commit(): Commit {
    return { revision: this.#revision, records: this.#records, leases: this.#leases }
  }

  get revisions(): readonly Revision[] {
    return this.#revisions
  }
}

export interface NewRecord {
  readonly key: string
  readonly value: string
  readonly leaseId?: string | undefined
}

/** The record as callers see it, without its lease. */
export function toItem(record: StoredRecord): StoredItem {
  const { key, value, createRevision, modRevision } = record
  return { key, value, createRevision, modRevision }
}
