import type { Kind } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import { admitRemoval } from './admit-change.ts'
import { type Answer, keyNotFound, refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps, Dependent } from './deps.ts'
import type { Resource } from './resources.ts'
import { keyOf, parseStored } from './stored.ts'

/** What may not be deleted while it is referred to: how its message starts, and the field that refers to it (contract §1.8). */
const GUARDED: Partial<Record<Kind, { readonly message: string; readonly field: string }>> = {
  upstreams: { message: 'can not delete this upstream', field: 'upstream_id' },
  services: { message: 'can not delete this service directly', field: 'service_id' },
  plugin_configs: { message: 'can not delete this plugin config', field: 'plugin_config_id' },
}

/** The order in which dependents are looked through, with the word for each in the message. */
const DEPENDENT_WORD: Partial<Record<Kind, string>> = {
  routes: 'route',
  services: 'service',
  plugin_configs: 'plugin_config',
  consumers: 'consumer',
  global_rules: 'global_rules',
}
const SCAN_ORDER = Object.keys(DEPENDENT_WORD)

/** DELETE: refused while in use, unless `?force=true`. A consumer's credentials go with it. */
export async function remove(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const { kind } = resource
  const { id } = call
  if (id === undefined) throw refuse(400, `missing ${resource.word} id`)
  const expectedRevision = await admitRemoval(deps, kind, { ...call, id })
  if (call.query.get('force') !== 'true') await refuseWhileInUse(deps, kind, id)
  const key = keyOf(deps.prefix, kind, id)
  const { deleted, revision } = await deps.store.delete(
    key,
    expectedRevision === undefined ? {} : { expectedRevision },
  )
  // After the consumer, whose revision may refuse, and whether it was there or not: what a stopped DELETE left goes with the next.
  if (kind === 'consumers') await deps.store.deletePrefix(`${key}/credentials/`)
  const [removed] = deleted
  if (removed === undefined) throw keyNotFound()
  return {
    status: 200,
    json: { deleted: String(deleted.length), key },
    written: { kind, id, before: removed.modRevision, after: revision },
  }
}

async function refuseWhileInUse(deps: AdminDeps, kind: Kind, id: string): Promise<void> {
  const guard = GUARDED[kind]
  if (guard === undefined) return
  const dependents = deps.graph
    .dependents({ kind, id })
    .filter((one) => SCAN_ORDER.includes(one.kind))
    .sort((a, b) => SCAN_ORDER.indexOf(a.kind) - SCAN_ORDER.indexOf(b.kind))
  for (const dependent of dependents) {
    if (!(await stillRefers(deps, dependent, { field: guard.field, id }))) continue
    const who = `${dependent.via === 'plugin' ? 'plugin in ' : ''}${DEPENDENT_WORD[dependent.kind]}`
    throw refuse(400, `${guard.message}, ${who} [${dependent.id}] is still using it now`)
  }
}

/** The graph follows the store by a moment: who just deleted a route must be able to delete its upstream. */
async function stillRefers(
  { store, prefix }: AdminDeps,
  { kind, id, via }: Dependent,
  target: { field: string; id: string },
): Promise<boolean> {
  const item = await store.get(keyOf(prefix, kind, id))
  if (item === undefined) return false
  const document = parseStored(item.value)
  // What serves is the last good version, so a value that cannot be read still counts.
  if (via === 'plugin' || !isObject(document)) return true
  return String(document[target.field]) === target.id
}
