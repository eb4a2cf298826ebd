import type { Kind, Ref } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import { addressOf, pathOf } from '../../src/snapshot/decode.ts'
import type { ConfigStore, StoredItem } from '../../src/store/config-store.ts'
import { isTooDeep, MIN_DEEP_LENGTH } from './body.ts'

/** One resource as the API shows it. */
export interface ShownItem {
  readonly key: string
  readonly value?: unknown
  readonly createdIndex: number
  readonly modifiedIndex: number
}

/** The store's key of a resource: `/apisix/routes/1`, `/apisix/consumers/jack/credentials/c1`. */
export function keyOf(prefix: string, kind: Kind, id: string): string {
  return `${prefix}/${pathOf({ kind, id })}`
}

/**
 * An item as it stands in the store. What was put there by hand is shown as it is; a text that is no JSON, a number and `null` are
 * shown without `value`, so that one bad item does not hide the others (contract §1.3 has a 500 for the last two).
 */
export function show(item: StoredItem, hidden: readonly string[] = []): ShownItem {
  const value = without(parseStored(item.value), hidden)
  const shown = value === undefined || value === null || typeof value === 'number' ? {} : { value }
  return { key: item.key, ...shown, createdIndex: item.createRevision, modifiedIndex: item.modRevision }
}

/** A copy of the document without these fields, `auth_config.private_key` being one inside another; itself when none is named. */
export function without<T>(document: T, hidden: readonly string[]): T {
  if (hidden.length === 0 || !isObject(document)) return document
  const shown: Record<string, unknown> = { ...document }
  for (const path of hidden) {
    const [name = '', inner] = path.split('.')
    if (inner === undefined) delete shown[name]
    else if (Object.hasOwn(shown, name)) shown[name] = without(shown[name], [inner])
  }
  return shown as T
}

/** The value of a stored text, `undefined` when it is no JSON, or too deep to be handled: what was put there by hand may be either. */
export function parseStored(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return text.length >= MIN_DEEP_LENGTH && isTooDeep(value) ? undefined : value
  } catch {
    return undefined
  }
}

/** The items of a kind whose ids begin so: neither its `init_dir` marker nor what is of another kind below them. */
export async function listItems(
  store: ConfigStore,
  prefix: string,
  { kind, id: beginning }: Ref,
): Promise<StoredItem[]> {
  const { items } = await store.list(keyOf(prefix, kind, beginning))
  return items.filter(({ key }) => addressOf(key, prefix)?.kind === kind)
}
