import { KINDS, type Kind, type Ref } from '../model/kind.ts'
import type { StoredItem } from '../store/config-store.ts'
import { type Address, contentOf } from './decode.ts'
import { type Graph, nameOf } from './graph.ts'

/** What a round does about one key. */
export interface Change {
  readonly address: Address
  /** Absent for a delete. */
  readonly item: StoredItem | undefined
  /** Compile it although its revision is known: something that it refers to has changed. */
  readonly isForced?: boolean
  /** The store told it as a change: of a store that was restored, even a known revision may be another version. */
  readonly isTold?: boolean
  /** What serves now may not go on if this fails. */
  readonly endsLastGood?: boolean
}

/** Which resources are meant, by what stands in the store. */
export type IsMeant = (ref: Ref, value: Readonly<Record<string, unknown>>) => boolean

export interface ReconsiderOptions {
  /** Whether what is no longer good goes on serving as the last good version; else it ends. Default true. */
  readonly keepsLastGood?: boolean
}

/** What is known of the store; the maps are by `routes/1`. */
export interface KnownResources {
  readonly graph: Graph
  /** What stands in the store of the quarantined. */
  readonly refused: ReadonlyMap<string, StoredItem>
  readonly quarantine: ReadonlyMap<string, Ref>
  /** What stands in the store of those that serve without some of their plugins. */
  readonly abridged: ReadonlyMap<string, StoredItem>
}

/** The changes that compile the resources again that are meant, although they are as they were. */
export function* changesAgain(
  { graph, refused, quarantine, abridged }: KnownResources,
  isMeant: IsMeant,
  { keepsLastGood = true }: ReconsiderOptions = {},
): Generator<Change & { readonly item: StoredItem }> {
  for (const kind of KINDS) {
    for (const { id, value, order: _, ...serving } of graph.list(kind)) {
      const address = { kind, id }
      const stored = abridged.get(nameOf(address))
      if (!isMeant(address, stored ? contentOf(stored) : { ...value })) continue
      const item = refused.get(nameOf(address)) ?? stored ?? { ...serving, value: JSON.stringify(value) }
      yield { address, item, isForced: true, endsLastGood: !keepsLastGood }
    }
  }
  for (const [name, item] of refused) {
    const { kind, id } = quarantine.get(name)!
    if (isMeant({ kind, id }, contentOf(item))) yield { address: { kind, id }, item, isForced: true }
  }
}

/** In the order they were gathered in. */
export function byKind(
  changes: ReadonlyMap<string, Change>,
): ReadonlyMap<Kind, readonly (readonly [key: string, change: Change])[]> {
  const grouped = new Map<Kind, (readonly [string, Change])[]>()
  for (const entry of changes) {
    const { kind } = entry[1].address
    const ofKind = grouped.get(kind)
    if (ofKind) ofKind.push(entry)
    else grouped.set(kind, [entry])
  }
  return grouped
}
