import {
  type DeleteResult,
  LeaseLostError,
  type PutOptions,
  type PutResult,
  RevisionConflictError,
} from './config-store.ts'
import { type Draft, toItem } from './draft.ts'
import { asUtf8 } from './keys.ts'
import type { LeaseRow, StoredRecord } from './storage-medium.ts'
import type { Condition, Transaction, TransactionResult } from './transactions.ts'

/**
 * What each write does to a draft. A plan checks everything before it changes anything, so one that throws leaves the draft as it
 * was and the other writes of its group stand.
 */
export function planPut(
  draft: Draft,
  write: { readonly key: string; readonly value: string } & PutOptions,
): PutResult {
  const { key, value, leaseId } = write
  const before = draft.get(key)
  checkRevision(key, before?.modRevision, write.expectedRevision)
  if (leaseId !== undefined && draft.lease(leaseId) === undefined) throw leaseLost(leaseId)
  const revision = draft.write([{ key, value, leaseId }], [])
  const result = { revision, createRevision: before?.createRevision ?? revision }
  return before ? { ...result, previous: toItem(before) } : result
}

export function planDelete(draft: Draft, key: string, expectedRevision?: number): DeleteResult {
  const before = draft.get(key)
  checkRevision(key, before?.modRevision, expectedRevision)
  if (!before) return { revision: draft.revision, deleted: [] }
  return { revision: draft.write([], [key]), deleted: [toItem(before)] }
}

export function planDeletePrefix(draft: Draft, prefix: string): DeleteResult {
  const deleted = draft.range(prefix).map(toItem)
  const revision = draft.write(
    [],
    deleted.map((item) => item.key),
  )
  return { revision, deleted }
}

export function planTransaction(draft: Draft, transaction: Transaction): TransactionResult {
  const { conditions, puts = [], deletes = [] } = transaction
  const present = conditions.map(({ key }) => draft.get(key))
  if (!conditions.every((condition, index) => holds(condition, present[index]))) {
    return {
      isDone: false,
      revision: draft.revision,
      present: present.map((record) => record && { ...record }),
    }
  }
  for (const { leaseId } of puts) {
    if (leaseId !== undefined && draft.lease(leaseId) === undefined) throw leaseLost(leaseId)
  }
  const records = puts.map((put) => ({ ...put, value: asUtf8(put.value) }))
  const revision = draft.write(
    records,
    deletes.filter((key) => draft.get(key)),
  )
  return { isDone: true, revision }
}

function holds(condition: Condition, record: StoredRecord | undefined): boolean {
  if ('leaseId' in condition) return record?.leaseId === condition.leaseId
  return (record?.modRevision ?? 0) === condition.modRevision
}

/** When the lease ends by itself, in ms since the epoch. */
export function planRemaining(draft: Draft, leaseId: string): number {
  const row = draft.lease(leaseId)
  if (!row) throw leaseLost(leaseId)
  return row.deadlineMs
}

export function planKeepAlive(draft: Draft, leaseId: string, nowMs: number): void {
  const row = draft.lease(leaseId)
  if (!row) throw leaseLost(leaseId)
  draft.setLease(leaseId, { ...row, deadlineMs: nowMs + row.ttlSeconds * 1000 })
}

export function planRevoke(draft: Draft, leaseId: string): void {
  if (!draft.lease(leaseId)) throw leaseLost(leaseId)
  draft.write([], draft.keysOfLease(leaseId))
  draft.setLease(leaseId, undefined)
}

/** Ends the lease whose time was up, unless a keep-alive or a revoke came first. */
export function planExpire(draft: Draft, due: LeaseRow): void {
  if (draft.lease(due.id) === due) planRevoke(draft, due.id)
}

function checkRevision(key: string, present: number | undefined, expected: number | undefined): void {
  if (expected !== undefined && (present ?? 0) !== expected) throw new RevisionConflictError(key, expected)
}

function leaseLost(leaseId: string): LeaseLostError {
  return new LeaseLostError(`lease ${leaseId} has ended; grant a new one and write its keys again`)
}
