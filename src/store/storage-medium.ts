import type { StoredItem } from './config-store.ts'

/** An item together with the lease that holds it. */
export interface StoredRecord extends StoredItem {
  readonly leaseId?: string
}

export interface LeaseRow {
  readonly id: string
  readonly ttlSeconds: number
  /** Milliseconds since the epoch; the lease has ended when it is reached. */
  readonly deadlineMs: number
}

/** What one group of writes changes; applied as a whole or not at all. A key or lease mapped to undefined is removed. */
export interface Commit {
  readonly revision: number
  readonly records: ReadonlyMap<string, StoredRecord | undefined>
  readonly leases: ReadonlyMap<string, LeaseRow | undefined>
}

/**
 * Where a {@link RevisionedStore} keeps its records: in memory or on a disk. It knows nothing of conflicts, watches or expiry. Reads
 * are synchronous and see everything committed so far; only one commit is under way at a time.
 */
export interface StorageMedium {
  /** The last committed revision; 1 when nothing was ever written, as in etcd. */
  revision(): number
  get(key: string): StoredRecord | undefined
  /** In byte order of keys, all as of one revision. */
  range(prefix: string): { readonly records: readonly StoredRecord[]; readonly revision: number }
  leases(): readonly LeaseRow[]
  /** Resolves when the change is as durable as this medium makes it; rejects when nothing was changed. */
  commit(change: Commit): Promise<void>
  close(): Promise<void>
}
