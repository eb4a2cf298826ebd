import { TimeSlices } from '../../lib/time-slices.ts'
import type { Listing, StoredItem } from '../config-store.ts'
import type { Configs, ConfigsEntry } from '../configs-store.ts'
import { compareKeys } from '../keys.ts'
import type { Head } from './generations.ts'

type ItemRow = readonly [key: string, value: string, createRevision: number, modRevision: number]

/** A listing as lines, one for each item. */
export function* linesOfItems(items: Iterable<StoredItem>): Generator<string> {
  for (const { key, value, createRevision, modRevision } of items) {
    yield JSON.stringify([key, value, createRevision, modRevision] satisfies ItemRow)
  }
}

/** The listing that {@link linesOfItems} was given. Throws an Error without anything of the content when it is none. */
export async function readItems(
  { revision, source }: Pick<Head, 'revision' | 'source'>,
  lines: readonly string[],
): Promise<Listing> {
  const slices = new TimeSlices()
  const items: StoredItem[] = []
  for (const line of lines) {
    const [key, value, createRevision, modRevision] = parseRow(line) as unknown as ItemRow
    items.push({ key, value, createRevision, modRevision })
    const pause = slices.pause()
    if (pause) await pause
  }
  items.sort((one, other) => compareKeys(one.key, other.key))
  return { items, revision, ...(source !== undefined && { source }) }
}

/** A list's own line has its name and version, those of its entries follow. */
type ListRow = readonly [name: string, version: number]
type EntryRow = readonly [key: string, value: string, index: number, isIndexed: boolean]
type MarksRow = Pick<Configs, 'digest' | 'lastModified'>

/** A configuration that was handed over as a whole, as lines. */
export function* linesOfConfigs({ lists, ...marks }: Configs): Generator<string> {
  yield JSON.stringify(marks)
  for (const [name, { version, entries }] of lists) {
    yield JSON.stringify([name, version] satisfies ListRow)
    for (const { key, value, index, isIndexed } of entries) {
      yield JSON.stringify([key, value, index, isIndexed] satisfies EntryRow)
    }
  }
}

/** The configuration that {@link linesOfConfigs} was given. Throws an Error without anything of the content when it is none. */
export async function readConfigs([first, ...lines]: readonly string[]): Promise<Configs> {
  const slices = new TimeSlices()
  const marks = parseRow(first ?? '') as MarksRow
  const lists = new Map<string, { readonly version: number; readonly entries: ConfigsEntry[] }>()
  let entries: ConfigsEntry[] = []
  for (const line of lines) {
    const row = parseRow(line) as unknown as ListRow | EntryRow
    if (row.length === 2) {
      entries = []
      lists.set(row[0], { version: row[1], entries })
    } else {
      const [key, value, index, isIndexed] = row
      entries.push({ key, value, index, isIndexed })
    }
    const pause = slices.pause()
    if (pause) await pause
  }
  return { ...marks, lists }
}

/** What is sealed was written by this program: only its outer form is checked. */
function parseRow(line: string): object {
  try {
    const row: unknown = JSON.parse(line)
    if (typeof row === 'object' && row !== null) return row
  } catch {
    // The sentence below says it without the text.
  }
  throw new Error('a line of it is not what was saved')
}
