import type { Kind } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import { admitRemoval } from './admit-change.ts'
import { type Answer, keyNotFound, refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps, Dependent } from './deps.ts'
import { type Resource, wholeId } from './resources.ts'
import { keyOf, listItems, parseStored } from './stored.ts'

/** What keeps a resource from being deleted (contract §1.8). */
interface Guard {
  /** How the message starts. */
  readonly message: string
  /** The field that refers to it; absent where only plugins do. */
  readonly field?: string
  /** In the order in which they are looked through. */
  readonly scans: readonly Kind[]
  /** Stands before one that refers inside a plugin's configuration. */
  readonly pluginPrefix?: string
}

const GUARDED: Partial<Record<Kind, Guard>> = {
  upstreams: {
    message: 'can not delete this upstream',
    field: 'upstream_id',
    scans: ['routes', 'services', 'plugin_configs', 'consumers', 'consumer_groups', 'global_rules'],
    pluginPrefix: 'plugin in ',
  },
  services: {
    message: 'can not delete this service directly',
    field: 'service_id',
    scans: ['routes', 'stream_routes'],
  },
  plugin_configs: {
    message: 'can not delete this plugin config',
    field: 'plugin_config_id',
    scans: ['routes'],
  },
  consumer_groups: {
    message: 'can not delete this consumer group',
    field: 'group_id',
    scans: ['consumers'],
  },
  protos: { message: 'can not delete this proto', scans: ['routes', 'services'] },
}

/** The word for each in the message. */
const DEPENDENT_WORD: Partial<Record<Kind, string>> = {
  routes: 'route',
  services: 'service',
  plugin_configs: 'plugin_config',
  consumers: 'consumer',
  consumer_groups: 'consumer_group',
  global_rules: 'global_rules',
  stream_routes: 'stream_route',
}

/** DELETE: refused while in use, unless `?force=true`. A consumer's credentials go with it. */
export async function remove(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const { kind, missingId } = resource
  if (call.id === undefined) throw refuse(400, missingId?.['DELETE'] ?? `missing ${resource.word} id`)
  // A slip in `credentials` must not cost the consumer and all it has.
  if (kind === 'consumers' && call.subPath.length > 0) {
    throw refuse(404, `Unsupported resource type: ${call.subPath[0]}`)
  }
  const id = wholeId(resource, call, call.id)
  const expectedRevision = await admitRemoval(deps, call, { kind, id })
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
  if (kind === 'stream_routes') return refuseWhileSuperior(deps, id)
  const guard = GUARDED[kind]
  if (guard === undefined) return
  const { scans, message, field, pluginPrefix = '' } = guard
  const dependents = deps.graph
    .dependents({ kind, id })
    .filter((one) => scans.includes(one.kind))
    .sort((a, b) => scans.indexOf(a.kind) - scans.indexOf(b.kind))
  for (const dependent of dependents) {
    if (!(await stillRefers(deps, dependent, { field, id }))) continue
    const who = `${dependent.via === 'plugin' ? pluginPrefix : ''}${DEPENDENT_WORD[dependent.kind]}`
    throw refuse(400, `${message}, ${who} [${dependent.id}] is still using it now`)
  }
}

/** The graph follows the store by a moment: who just deleted a route must be able to delete its upstream. */
async function stillRefers(
  { store, prefix }: AdminDeps,
  { kind, id, via }: Dependent,
  target: { readonly field: string | undefined; readonly id: string },
): Promise<boolean> {
  const item = await store.get(keyOf(prefix, kind, id))
  if (item === undefined) return false
  const document = parseStored(item.value)
  // What serves is the last good version, so a value that cannot be read still counts.
  if (via === 'plugin' || target.field === undefined || !isObject(document)) return true
  return String(document[target.field]) === target.id
}

/** From the store, because a stream route whose protocol is not known here does not get into the graph. */
async function refuseWhileSuperior({ store, prefix }: AdminDeps, id: string): Promise<void> {
  const kind = 'stream_routes'
  for (const item of await listItems(store, prefix, { kind, id: '' })) {
    const document = parseStored(item.value)
    const protocol = isObject(document) ? document['protocol'] : undefined
    if (!isObject(protocol) || String(protocol['superior_id']) !== id) continue
    const subordinate = item.key.slice(keyOf(prefix, kind, '').length)
    throw refuse(
      400,
      `can not delete this stream route directly, stream route [${subordinate}] is still using it as superior_id`,
    )
  }
}
