import { isObject } from '../../src/model/schema-value.ts'
import type { ConfigStore, StoredItem } from '../../src/store/config-store.ts'

/** One resource as the API shows it. */
export interface ShownItem {
  readonly key: string
  readonly value?: unknown
  readonly createdIndex: number
  readonly modifiedIndex: number
}

export function keyOf(prefix: string, directory: string, id: string): string {
  return `${prefix}/${directory}/${id}`
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

/** The document without these fields; itself when it has none of them. */
export function without<T>(document: T, hidden: readonly string[]): T {
  if (hidden.length === 0 || !isObject(document)) return document
  return Object.fromEntries(Object.entries(document).filter(([name]) => !hidden.includes(name))) as T
}

/** The value of a stored text, `undefined` when it is no JSON. */
export function parseStored(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The items of one directory: neither its `init_dir` marker nor what is nested below an item. */
export async function listDirectory(
  store: ConfigStore,
  prefix: string,
  directory: string,
): Promise<StoredItem[]> {
  const base = keyOf(prefix, directory, '')
  const { items } = await store.list(base)
  return items.filter(({ key }) => key.length > base.length && !key.includes('/', base.length))
}
