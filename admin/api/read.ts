import { type Answer, keyNotFound, withEtag } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'
import { filterItems } from './filter.ts'
import { paginate } from './paging.ts'
import { type Resource, wholeId } from './resources.ts'
import { keyOf, listItems, show } from './stored.ts'

/** GET of one resource, or of all of a kind. */
export async function read(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  return call.id === undefined
    ? readAll(deps, resource, call)
    : readOne(deps, resource, wholeId(resource, call, call.id))
}

async function readOne(
  { store, prefix }: AdminDeps,
  { kind, hidden }: Resource,
  id: string,
): Promise<Answer> {
  const item = await store.get(keyOf(prefix, kind, id))
  if (item === undefined) throw keyNotFound()
  return withEtag({ status: 200, json: show(item, hidden) }, item.modRevision)
}

async function readAll({ store, prefix }: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const { kind, hidden } = resource
  const { query } = call
  const items = await listItems(store, prefix, { kind, id: wholeId(resource, call, '') })
  // No marker makes a place of its own of what one consumer or manager has (contract §0 item 8).
  if (call.parent !== undefined && items.length === 0) throw keyNotFound()
  const found = filterItems(items, kind, query)
  const page = paginate(found, query)
  // Past the end stands an empty object, as clients of APISIX know it (contract §0 item 9).
  const list = page.isPaged && page.items.length === 0 ? {} : page.items.map((item) => show(item, hidden))
  return { status: 200, json: { total: found.length, list } }
}
