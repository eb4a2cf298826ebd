import { isId } from '../../src/model/id.ts'
import type { Kind } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import { checkWithReferences } from '../../src/snapshot/validate.ts'
import { admitChange } from './admit-change.ts'
import { type Answer, refuse } from './answer.ts'
import { asDocument } from './body.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'
import { type Resource, wholeId } from './resources.ts'
import { refuseOutsideLabels } from './scope.ts'
import { keyOf, parseStored, without } from './stored.ts'
import { refuseTimestamps, unixSeconds } from './timestamps.ts'
import { putWithTtl } from './ttl.ts'

type Document = Record<string, unknown>

/** PUT: creates or replaces. Nothing is written before every check has passed. */
export async function put(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const document = await prepare(deps, resource, call)
  const { kind } = resource
  const id = wholeId(resource, call, resource.keyId(document, call))
  const key = keyOf(deps.prefix, kind, id)
  const stored = await deps.store.get(key)
  const expectedRevision = admitChange(call, { kind, id, key, stored, document })
  if (resource.hasTimestamps) {
    const now = unixSeconds(deps.clock)
    document['create_time'] = createTime(stored && parseStored(stored.value)) ?? now
    document['update_time'] = now
  }
  const { previous, revision } = await putWithTtl(
    deps.store,
    { key, value: document, ...(expectedRevision !== undefined && { expectedRevision }) },
    call.ttl,
  )
  return {
    status: previous === undefined ? 201 : 200,
    json: { key, value: without(document, resource.hidden ?? []) },
    written: { kind, id, before: previous?.modRevision ?? 0, after: revision },
  }
}

/**
 * POST: creates under a new id, the revision of a write to `gen_id` (contract §0 item 6). A dry run makes no id: its answer has the
 * key of the directory and a value without one.
 */
export async function post(deps: AdminDeps, resource: Resource, call: Call): Promise<Answer> {
  const { kind, hidden = [] } = resource
  const document = await prepare(deps, resource, call)
  refuseOutsideLabels(call.scope, document, 'the new one')
  const id = call.options.isDryRun ? undefined : await makeId(deps)
  const now = unixSeconds(deps.clock)
  const value = { ...document, ...(id !== undefined && { id }), create_time: now, update_time: now }
  const key = keyOf(deps.prefix, kind, id ?? '')
  const { revision } = await putWithTtl(deps.store, { key, value }, call.ttl)
  return {
    status: 201,
    json: { key, value: without(value, hidden) },
    written: { kind, id: id ?? '', before: 0, after: revision },
  }
}

async function makeId({ store, prefix }: AdminDeps): Promise<string> {
  const { revision } = await store.put(`${prefix}/gen_id`, '1')
  return String(revision).padStart(20, '0')
}

/** The document of a PUT or POST with its id, after all checks in the order of contract §1.3. */
async function prepare(deps: AdminDeps, resource: Resource, call: Call): Promise<Document> {
  const document = asDocument(call.body)
  if (document === undefined) throw refuse(400, 'missing configurations')
  resource.adoptId(document, call)
  refuseTimestamps(document)
  resource.preCheck?.(document, call.id)
  const last = call.id ?? document['id'] ?? document['username']
  await checkDocument(deps, resource, { document, id: wholeId(resource, call, String(last)) })
  return document
}

/**
 * Checks a copy, so that the schema's defaults are not stored (contract §0 item 1). `id` is as in a `Ref`; that of a POST, which has
 * none yet, is not looked at. Throws the 400.
 */
export async function checkDocument(
  deps: AdminDeps,
  resource: Resource,
  { document, id: ownId }: { readonly document: Document; readonly id: string },
): Promise<void> {
  const message = await checkWithReferences(resource.kind, structuredClone(document), {
    plugins: deps.plugins,
    id: ownId,
    // The schema lets a secret reference stand for an id: nothing is stored under one.
    exists: async ({ directory, id, carries = {} }) => {
      const item = isId(id) ? await deps.store.get(keyOf(deps.prefix, directory as Kind, id)) : undefined
      return item !== undefined && hasFields(parseStored(item.value), carries)
    },
  })
  if (message !== undefined) throw refuse(400, message)
  const late = await deps.checkElsewhere?.(resource.kind, document)
  if (late !== undefined) throw refuse(400, late)
  await resource.extraCheck?.(deps, document, ownId)
}

function hasFields(document: unknown, carries: Readonly<Record<string, unknown>>): boolean {
  const fields = Object.entries(carries)
  return fields.every(([name, value]) => isObject(document) && document[name] === value)
}

function createTime(stored: unknown): unknown {
  return (stored as { create_time?: unknown } | null | undefined)?.create_time
}
