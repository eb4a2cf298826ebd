import {
  type DeleteResult,
  LeaseLostError,
  type PutOptions,
  type PutResult,
  RevisionConflictError,
} from './config-store.ts'
import { type Draft, toItem } from './draft.ts'
import type { LeaseRow } from './storage-medium.ts'

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
