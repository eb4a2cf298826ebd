import { isObject, setOwn } from '../../src/model/schema-value.ts'
import type { StoredItem } from '../../src/store/config-store.ts'
import { admitChange } from './admit-change.ts'
import { type Answer, keyNotFound, refuse } from './answer.ts'
import { isTooDeep } from './body.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'
import { type Resource, wholeId } from './resources.ts'
import { keyOf, parseStored, without } from './stored.ts'
import { unixSeconds } from './timestamps.ts'
import { putWithTtl } from './ttl.ts'
import { checkDocument } from './write.ts'

type Document = Record<string, unknown>

/** PATCH: merges into the document, or sets what a sub-path names; written only if nobody else wrote meanwhile (contract §1.3). */
export async function patch(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const { kind, word, missingId } = resource
  if (call.id === undefined) throw refuse(400, missingId?.['PATCH'] ?? `missing ${word} id`)
  if (call.body === undefined) throw refuse(400, 'missing new configuration')
  if (call.subPath.length === 0 && !isObject(call.body)) throw refuse(400, 'invalid configuration')
  const id = wholeId(resource, call, call.id)
  const key = keyOf(deps.prefix, kind, id)
  const stored = await deps.store.get(key)
  if (stored === undefined) throw keyNotFound()
  const document = change(readDocument(stored), call)
  admitChange(call, { kind, id, key, stored, document })
  resource.adoptId(document, call)
  stamp(document, call, unixSeconds(deps.clock))
  await checkDocument(deps, resource, { document, id })
  const before = stored.modRevision
  const { revision } = await putWithTtl(
    deps.store,
    { key, value: document, expectedRevision: before },
    call.ttl,
  )
  return {
    status: 200,
    json: { key, value: without(document, resource.hidden ?? []) },
    written: { kind, id, before, after: revision },
  }
}

function readDocument({ key, value }: StoredItem): Document {
  const document = parseStored(value)
  if (isObject(document)) return document
  throw refuse(400, `the value stored under ${key} is no JSON object; replace it with PUT`)
}

function change(document: Document, { body, subPath }: Call): Document {
  if (subPath.length === 0) merge(document, body as Document)
  else setAt(document, subPath, body)
  // Path and body are each within the limit; together, and after many writes, they need not be.
  if (isTooDeep(document)) throw refuse(400, 'invalid configuration: too many nested data structures')
  return document
}

function stamp(document: Document, { body, subPath }: Call, now: number): void {
  document['create_time'] ??= now
  const carriesTime = subPath.length === 0 && isObject(body) && Object.hasOwn(body, 'update_time')
  if (!carriesTime) document['update_time'] = now
}

/**
 * Merges `changes` into `target`, in place: objects member by member, anything else replaces, `null` deletes. A null in an object
 * that is new stays. Only own members are read and written, so no name reaches a prototype.
 */
export function merge(target: Document, changes: Document): void {
  for (const [key, change] of Object.entries(changes)) {
    const current = Object.hasOwn(target, key) ? target[key] : undefined
    if (change === null) delete target[key]
    else if (isObject(current) && isObject(change)) merge(current, change)
    else setOwn(target, key, change)
  }
}

/** Sets the member that a path names; objects missing on the way are made. Throws the 400 at anything else on the way. */
export function setAt(document: Document, path: readonly string[], value: unknown): void {
  let holder = document
  for (const [index, key] of path.slice(0, -1).entries()) {
    if (!Object.hasOwn(holder, key)) setOwn(holder, key, {})
    const next = holder[key]
    // The digit between the segments is APISIX's own slip, and part of what clients see.
    if (!isObject(next)) throw refuse(400, `invalid sub-path: /${path.slice(index).join('1')}`)
    holder = next
  }
  setOwn(holder, path.at(-1)!, value)
}
