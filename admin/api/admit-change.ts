import type { Ref } from '../../src/model/kind.ts'
import type { StoredItem } from '../../src/store/config-store.ts'
import { keyNotFound } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'
import { checkPrecondition } from './precondition.ts'
import { refuseOutsideId, refuseOutsideLabels } from './scope.ts'
import { keyOf, parseStored } from './stored.ts'

/** A write that passed its own checks: where it goes, what stands there, and what will. */
export interface Change extends Ref {
  readonly key: string
  readonly stored: StoredItem | undefined
  /** Absent for a delete. */
  readonly document?: unknown
}

/**
 * Asks the scope of the key and the conditional headers; throws the 403 or 412. Returns the revision that the write must find;
 * `undefined` when any will do.
 */
export function admitChange({ scope, options }: Call, change: Change): number | undefined {
  const { key, stored } = change
  refuseOutsideId(scope, change)
  if (stored !== undefined) refuseOutsideLabels(scope, parseStored(stored.value), 'the stored resource')
  if (change.document !== undefined) refuseOutsideLabels(scope, change.document, 'the new one')
  if (options.precondition !== undefined) return checkPrecondition(options.precondition, key, stored)
  // Whose label was looked at must be what is replaced.
  return scope?.label === undefined ? undefined : (stored?.modRevision ?? 0)
}

/** As {@link admitChange} for a DELETE, which looks at what is stored only if someone asks; throws a 404 when nothing is. */
export async function admitRemoval(
  { store, prefix }: AdminDeps,
  call: Call,
  { kind, id }: Ref,
): Promise<number | undefined> {
  if (call.scope === undefined && call.options.precondition === undefined) return undefined
  const key = keyOf(prefix, kind, id)
  const stored = await store.get(key)
  if (stored === undefined) throw keyNotFound()
  return admitChange(call, { kind, id, key, stored })
}
