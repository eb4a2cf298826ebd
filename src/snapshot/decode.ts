import { isKind, type Kind } from '../model/kind.ts'
import type { StoredItem } from '../store/config-store.ts'

/** Where a key of the store belongs; `undefined` for keys that carry no resource (markers, `gen_id`, kinds not served here). */
export interface Address {
  readonly kind: Kind
  readonly id: string
}

/** The value APISIX's `init_etcd` writes to each directory's own key (contract §2.1). */
const DIRECTORY_MARKER = 'init_dir'

/** Reads `/apisix/routes/1` as `routes` and `1`. `prefix` is `/apisix`, without a slash at its end. */
export function addressOf(key: string, prefix: string): Address | undefined {
  if (!key.startsWith(`${prefix}/`)) return undefined
  const rest = key.slice(prefix.length + 1)
  const slash = rest.indexOf('/')
  if (slash === -1) return undefined
  const kind = rest.slice(0, slash)
  const id = rest.slice(slash + 1)
  // Nested keys (`consumers/jack/credentials/c1`) are resources of their own kinds.
  if (id === '' || id.includes('/') || !isKind(kind)) return undefined
  return { kind, id }
}

export function isMarker(item: StoredItem): boolean {
  return item.value === DIRECTORY_MARKER
}

/** Parses a stored value. Throws with a reason for people: it is what the quarantine shows. */
export function parseDocument(value: string): Record<string, unknown> {
  let document: unknown
  try {
    document = JSON.parse(value)
  } catch (error) {
    throw new Error(`the stored value is not JSON: ${(error as Error).message}`)
  }
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    throw new Error(`the stored value is not a JSON object but ${value.slice(0, 40)}`)
  }
  return document as Record<string, unknown>
}
