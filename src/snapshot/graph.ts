import type { Kind, Ref } from '../model/kind.ts'
import type { Documents } from '../model/types.ts'

/** One stored document that passed its checks. */
export interface Resource<K extends Kind = Kind> {
  readonly kind: K
  readonly id: string
  /** The store's key, `/apisix/routes/1`. */
  readonly key: string
  /** As stored; frozen by convention, compiled copies are made from it. */
  readonly value: Documents[K]
  readonly createRevision: number
  readonly modRevision: number
  /** Rank of first appearance: the initial key order, then arrival; an update keeps it (contract §2.2). */
  readonly order: number
}

export interface Dependent extends Ref {
  /** By an id of its own, or inside a plugin's configuration. */
  readonly via: 'reference' | 'plugin'
}

/** All resources that serve, and who refers to whom, also to what is not there. */
export class Graph {
  readonly #resources = new Map<Kind, Map<string, Resource>>()
  /** Target to the dependents on it; the inner key is the dependent's name. */
  readonly #dependents = new Map<string, Map<string, Dependent>>()
  #nextOrder = 0

  get<K extends Kind>(kind: K, id: string): Resource<K> | undefined {
    return this.#resources.get(kind)?.get(id) as Resource<K> | undefined
  }

  /** In the order of first appearance. */
  list<K extends Kind>(kind: K): Iterable<Resource<K>> {
    return (this.#resources.get(kind)?.values() ?? []) as Iterable<Resource<K>>
  }

  count(kind: Kind): number {
    return this.#resources.get(kind)?.size ?? 0
  }

  /** Who refers to `ref`, whether it exists or not. */
  dependents(ref: Ref): Dependent[] {
    return [...(this.#dependents.get(nameOf(ref))?.values() ?? [])]
  }

  /** Adds or replaces; an update keeps its rank. */
  set(resource: Omit<Resource, 'order'>): Resource {
    const { kind, id } = resource
    const previous = this.get(kind, id)
    if (previous) this.#unlink(previous)
    const placed: Resource = { ...resource, order: previous?.order ?? this.#nextOrder++ }
    let ofKind = this.#resources.get(kind)
    if (!ofKind) {
      ofKind = new Map()
      this.#resources.set(kind, ofKind)
    }
    ofKind.set(id, placed)
    this.#link(placed)
    return placed
  }

  delete({ kind, id }: Ref): Resource | undefined {
    const resource = this.get(kind, id)
    if (!resource) return undefined
    this.#unlink(resource)
    this.#resources.get(kind)!.delete(id)
    return resource
  }

  #link(resource: Resource): void {
    for (const { target, via } of referencesOf(resource)) {
      const name = nameOf(target)
      let dependents = this.#dependents.get(name)
      if (!dependents) {
        dependents = new Map()
        this.#dependents.set(name, dependents)
      }
      const own = nameOf(resource)
      const known = dependents.get(own)
      if (known?.via !== 'reference') dependents.set(own, { kind: resource.kind, id: resource.id, via })
    }
  }

  #unlink(resource: Resource): void {
    for (const { target } of referencesOf(resource)) {
      const name = nameOf(target)
      const dependents = this.#dependents.get(name)
      dependents?.delete(nameOf(resource))
      if (dependents?.size === 0) this.#dependents.delete(name)
    }
  }
}

export function nameOf(ref: Ref): string {
  return `${ref.kind}/${ref.id}`
}

interface Reference {
  readonly target: Ref
  readonly via: Dependent['via']
}

/** The field that refers, and the kind it refers to. */
const REFERENCE_FIELDS: readonly (readonly [field: string, kind: Kind])[] = [
  ['upstream_id', 'upstreams'],
  ['service_id', 'services'],
  ['plugin_config_id', 'plugin_configs'],
  ['group_id', 'consumer_groups'],
]

function referencesOf({ value }: Resource): Reference[] {
  const record = value as Readonly<Record<string, unknown>>
  const references: Reference[] = []
  for (const [field, kind] of REFERENCE_FIELDS) {
    const id = record[field]
    if (isId(id)) references.push({ target: { kind, id: String(id) }, via: 'reference' })
  }
  const superior = field(record['protocol'], 'superior_id')
  if (isId(superior)) {
    references.push({ target: { kind: 'stream_routes', id: String(superior) }, via: 'reference' })
  }
  for (const id of splitUpstreamIds(record['plugins'])) {
    references.push({ target: { kind: 'upstreams', id }, via: 'plugin' })
  }
  const proto = field(field(record['plugins'], 'grpc-transcode'), 'proto_id')
  if (isId(proto)) references.push({ target: { kind: 'protos', id: String(proto) }, via: 'plugin' })
  return references
}

/** `traffic-split` and `grpc-transcode` are the plugins that APISIX's in-use checks look into (contract §1.8). */
function splitUpstreamIds(plugins: unknown): string[] {
  const split = field(plugins, 'traffic-split')
  return asArray(field(split, 'rules'))
    .flatMap((rule) => asArray(field(rule, 'weighted_upstreams')))
    .map((entry) => field(entry, 'upstream_id'))
    .filter(isId)
    .map(String)
}

function field(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined
  return (value as Record<string, unknown>)[name]
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}
