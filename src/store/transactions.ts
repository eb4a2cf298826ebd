import type { ConfigStore, Lease, StoredItem } from './config-store.ts'

/** An item with the lease that holds it; without one it stays until it is deleted. */
export interface LeasedItem extends StoredItem {
  readonly leaseId?: string
}

/** What must be true of a key for a transaction to be carried out. */
export type Condition =
  /** It was last written at this revision; 0: it does not exist. */
  | { readonly key: string; readonly modRevision: number }
  /** It exists and is held by this lease. */
  | { readonly key: string; readonly leaseId: string }

export interface Transaction {
  readonly conditions: readonly Condition[]
  readonly puts?: readonly { readonly key: string; readonly value: string; readonly leaseId?: string }[]
  readonly deletes?: readonly string[]
}

export type TransactionResult =
  | { readonly isDone: true; readonly revision: number }
  /** Nothing was written; `present` is what stands at the keys of the conditions, in their order, at `revision`. */
  | {
      readonly isDone: false
      readonly revision: number
      readonly present: readonly (LeasedItem | undefined)[]
    }

/** A lease that any client of the store may hold on to, by its id. */
export interface SharedLease extends Lease {
  /** Seconds until it ends by itself. Rejects with a `LeaseLostError` when it has ended. */
  remainingSeconds(): Promise<number>
}

/** A store whose writers may be many, each of them deciding and writing in one step. */
export interface TransactionalStore extends ConfigStore {
  /**
   * Carries out all of it at one revision when every condition holds, else none of it. Rejects with a `LeaseLostError` when a lease of
   * the puts has ended, and with a RangeError when a key is written twice.
   */
  transact(transaction: Transaction): Promise<TransactionResult>
  /** The lease of that id, whoever granted it; whether it lives shows when it is used. */
  openLease(id: string): SharedLease
}

export function isTransactional(store: ConfigStore): store is TransactionalStore {
  return 'transact' in store && 'openLease' in store
}

/** Throws a RangeError when a key is written twice, which etcd refuses, too. */
export function checkDistinct({ puts = [], deletes = [] }: Transaction): void {
  const seen = new Set<string>()
  for (const key of [...puts.map((put) => put.key), ...deletes]) {
    if (seen.has(key)) throw new RangeError(`key "${key}" stands twice in a transaction; write it once`)
    seen.add(key)
  }
}
