import { isObject } from '../../src/model/schema-value.ts'
import type { ConfigStore, Listing, StoredItem } from '../../src/store/config-store.ts'
import { type Refusal, refuse } from './answer.ts'
import type { Endpoint } from './call.ts'
import type { AdminScope } from './deps.ts'
import { DryStore } from './dry-store.ts'
import { parseStored } from './stored.ts'

/** The first two parts of a resource's key, `credentials` counting as its consumer's. */
interface Located {
  readonly kind: string
  readonly id: string
}

/** The name by which a scope's `resources` means a path: its first segment, or `credentials` below a consumer. */
export function resourceNameOf([first = '', , third]: readonly string[]): string {
  return first === 'consumers' && third === 'credentials' ? third : first
}

/** Before the body is read: throws the 403 when the key may not use this method, or not on this kind of resource. */
export function refuseOutsideVerbs(
  { verbs, resources, id_prefix, label }: AdminScope,
  { method, resource, touches }: { method: string; resource: string; touches: Endpoint['touches'] },
): void {
  if (verbs !== undefined && !verbs.includes(method)) {
    throw forbidden(`verbs ${verbs.join(', ')}, and this is ${method}`)
  }
  if (resources !== undefined && !resources.includes(resource)) {
    throw forbidden(`resources ${resources.join(', ')}, and this is ${resource || 'none'}`)
  }
  const isLimited = id_prefix !== undefined || label !== undefined
  if (isLimited && touches === undefined) {
    throw forbidden(`single resources, and ${resource || 'this path'} concerns all of them`)
  }
}

/** Throws the 403 when a resource has an id outside the scope. */
export function refuseOutsideId(scope: AdminScope | undefined, ref: Located): void {
  if (scope === undefined || hasPrefix(scope, ref)) return
  throw forbidden(`ids that begin with "${scope.id_prefix}", and this is "${ref.id}"`)
}

/** A POST makes an id of its own, which has no prefix. */
export function refuseMadeId(scope: AdminScope | undefined): void {
  if (scope?.id_prefix === undefined) return
  throw forbidden(`ids that begin with "${scope.id_prefix}", and POST makes its own; use PUT`)
}

/** Throws the 403 when a document lacks a label of the scope; `which` is how the message calls it. */
export function refuseOutsideLabels(
  scope: AdminScope | undefined,
  document: unknown,
  which: 'the stored resource' | 'the new one' | 'the owner',
): void {
  const missing = missingLabel(scope, document)
  if (missing !== undefined) {
    throw forbidden(`resources with the label ${missing}, and ${which} does not have it`)
  }
}

/** A store whose single reads refuse and whose lists leave out what is outside the scope: for answering GET, it writes nothing. */
export class ScopedView extends DryStore {
  readonly #scope: AdminScope
  readonly #prefix: string

  constructor(store: ConfigStore, prefix: string, scope: AdminScope) {
    super(store)
    this.#prefix = prefix
    this.#scope = scope
  }

  override async list(path: string): Promise<Listing> {
    const listing = await super.list(path)
    const scope = this.#scope
    const items = listing.items.filter(
      ({ key, value }) =>
        hasPrefix(scope, this.#locate(key)) && missingLabel(scope, parseStored(value)) === undefined,
    )
    return { ...listing, items }
  }

  override async get(key: string): Promise<StoredItem | undefined> {
    refuseOutsideId(this.#scope, this.#locate(key))
    const item = await super.get(key)
    if (item !== undefined) refuseOutsideLabels(this.#scope, parseStored(item.value), 'the stored resource')
    return item
  }

  #locate(key: string): Located {
    const [kind = '', ...rest] = key.slice(this.#prefix.length + 1).split('/')
    return { kind, id: rest.join('/') }
  }
}

/** Of a secret the manager comes first and is not the id; a credential's id begins with its consumer's name. */
function hasPrefix({ id_prefix }: AdminScope, { kind, id }: Located): boolean {
  const own = kind === 'secrets' ? id.slice(id.indexOf('/') + 1) : id
  return id_prefix === undefined || own.startsWith(id_prefix)
}

function missingLabel(scope: AdminScope | undefined, document: unknown): string | undefined {
  const labels = isObject(document) && isObject(document['labels']) ? document['labels'] : {}
  const missing = Object.entries(scope?.label ?? {}).find(
    ([name, value]) => !Object.hasOwn(labels, name) || labels[name] !== value,
  )
  return missing?.join('=')
}

function forbidden(rule: string): Refusal {
  return refuse(403, `outside the scope of the key: it is limited to ${rule}`)
}
