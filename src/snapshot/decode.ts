import { isKind, type Kind, type Ref } from '../model/kind.ts'
import type { StoredItem } from '../store/config-store.ts'

/** Where a key of the store belongs; `undefined` for keys that carry no resource (markers, `gen_id`, kinds not served here). */
export type Address = Ref

/** The value APISIX's `init_etcd` writes to each directory's own key (contract §2.1). */
const DIRECTORY_MARKER = 'init_dir'

/** Kinds whose keys have more parts than kind and id (contract §2.1): which parts they are, and the kind. */
const NESTED: readonly { readonly path: RegExp; readonly kind: Kind }[] = [
  { path: /^consumers\/([^/]+\/credentials\/[^/]+)$/, kind: 'credentials' },
  { path: /^secrets\/([^/]+\/[^/]+)$/, kind: 'secrets' },
]
const FLAT = /^([a-z_]+)\/([^/]+)$/

/** Reads `/apisix/routes/1` as `routes` and `1`. `prefix` is `/apisix`, without a slash at its end. */
export function addressOf(key: string, prefix: string): Address | undefined {
  if (!key.startsWith(`${prefix}/`)) return undefined
  const path = key.slice(prefix.length + 1)
  const [, kind = '', id = ''] = FLAT.exec(path) ?? []
  if (id !== '') return isKind(kind) && !isNested(kind) ? { kind, id } : undefined
  for (const nested of NESTED) {
    const found = nested.path.exec(path)
    if (found) return { kind: nested.kind, id: found[1]! }
  }
  return undefined
}

function isNested(kind: Kind): boolean {
  return NESTED.some((nested) => nested.kind === kind)
}

/** The key of a resource without the prefix, the reverse of {@link addressOf}. */
export function pathOf({ kind, id }: Ref): string {
  return kind === 'credentials' ? `consumers/${id}` : `${kind}/${id}`
}

export function isMarker(item: StoredItem): boolean {
  return item.value === DIRECTORY_MARKER
}

/** What a stored value says; of one that cannot be read, nothing: why, its own reader says. */
export function contentOf(item: StoredItem): Readonly<Record<string, unknown>> {
  try {
    return parseDocument(item.value)
  } catch {
    // Whoever needs the reason reads the item itself.
    return {}
  }
}

/** Parses a stored value. Throws with a reason for people, and without anything of the value: it is what the quarantine shows. */
export function parseDocument(value: string): Record<string, unknown> {
  let document: unknown
  try {
    document = JSON.parse(value)
  } catch (error) {
    const [place = ''] = / at position \d+/.exec((error as Error).message) ?? []
    throw new Error(`the stored value is not JSON${place}`)
  }
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    const found = Array.isArray(document) ? 'an array' : document === null ? 'null' : `a ${typeof document}`
    throw new Error(`the stored value is not a JSON object but ${found}`)
  }
  return document as Record<string, unknown>
}
