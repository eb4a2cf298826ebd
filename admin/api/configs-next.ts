import type { Configs, ConfigsEntry, ConfigsList } from '../../src/store/configs-store.ts'
import { refuse } from './answer.ts'
import type { ConfigsDocument } from './configs-body.ts'
import { type CheckedConfigs, type CheckedItem, CONFIGS_LISTS, versionKey } from './configs-check.ts'

type Lists = Configs['lists']

/**
 * The lists that follow `present`: all are replaced, but a list whose version was repeated stays, and so does an item whose
 * `modifiedIndex` was (contract §2.4). Throws the 400 for a version that goes back.
 */
export function nextLists(
  present: Lists,
  document: ConfigsDocument,
  { checked, prefix }: { checked: CheckedConfigs; prefix: string },
): Lists {
  return new Map(
    CONFIGS_LISTS.map((name) => {
      const list: ConfigsList = present.get(name) ?? { version: 0, entries: [] }
      const version = nextVersion(name, list.version, document.get(versionKey(name)))
      if (version === list.version) return [name, list]
      const items = wholeIfPlugins(name, checked.items.get(name) ?? [], prefix)
      return [name, { version, entries: nextEntries(list.entries, items, version) }]
    }),
  )
}

function nextVersion(name: string, present: number, sent: unknown): number {
  if (typeof sent !== 'number') return present + 1
  if (sent >= present) return sent
  throw refuse(400, `${versionKey(name)} must be greater than or equal to (${present})`)
}

function nextEntries(
  present: readonly ConfigsEntry[],
  items: readonly CheckedItem[],
  version: number,
): readonly ConfigsEntry[] {
  const known = new Map(present.map((entry) => [entry.key, entry]))
  return items.map(({ key, value, modifiedIndex }) => {
    const entry = known.get(key)
    if (modifiedIndex !== undefined && entry?.index === modifiedIndex) return entry
    return { key, value, index: modifiedIndex ?? version, isIndexed: modifiedIndex !== undefined }
  })
}

/** The list of enabled plugins is one item of the store, not a directory (contract §2.1). */
function wholeIfPlugins(name: string, items: readonly CheckedItem[], prefix: string): readonly CheckedItem[] {
  if (name !== 'plugins' || items.length === 0) return items
  return [{ key: `${prefix}/plugins`, value: `[${items.map(({ value }) => value).join(',')}]` }]
}
