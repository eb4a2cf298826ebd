import { HostTable } from './host-table.ts'
import { createLeaves, type Leaf, pathParamsOf } from './leaf.ts'
import type { Candidate, MatchRequest, RouteEntry, Router, RouterChanges, RouterType } from './router.ts'
import { Search } from './search.ts'
import { UriTable } from './uri-table.ts'

/** Where the leaves are kept, and in which order they are offered. */
interface LeafTable<T> {
  readonly isEmpty: boolean
  add(leaf: Leaf<T>): void
  remove(leaf: Leaf<T>): void
  search(search: Search<T>): Leaf<T> | undefined
}

const TABLES: Record<RouterType, <T>() => LeafTable<T>> = {
  radixtree_host_uri: () => new HostTable(),
  radixtree_uri: () => new UriTable(),
  radixtree_uri_with_parameter: () => new UriTable(),
}

/** From so many changes on, a second table is built beside the one that is matched: changing it would hold the event loop too long. */
const MANY_CHANGES = 500

/**
 * An empty router of the given form (contract §4.3). It keeps the entries it is given, which must not change afterwards. `put` throws
 * `IpAddressError` for a bad `remoteAddrs` value and then changes nothing.
 */
export function createRouter<T>(type: RouterType): Router<T> {
  return new LeafRouter<T>(type)
}

class LeafRouter<T> implements Router<T> {
  readonly #type: RouterType
  #table: LeafTable<T>
  #leavesById = new Map<string, readonly Leaf<T>[]>()

  constructor(type: RouterType) {
    this.#type = type
    this.#table = TABLES[type]()
  }

  get size(): number {
    return this.#leavesById.size
  }

  put(entry: RouteEntry<T>): void {
    const leaves = createLeaves(entry, this.#type)
    const replaced = this.#leavesById.get(entry.id) ?? []
    // Added before removed: keys that stay are updated in place, not torn down and built again.
    for (const leaf of leaves) this.#table.add(leaf)
    for (const leaf of replaced) this.#table.remove(leaf)
    this.#leavesById.set(entry.id, leaves)
  }

  delete(id: string): boolean {
    for (const leaf of this.#leavesById.get(id) ?? []) this.#table.remove(leaf)
    return this.#leavesById.delete(id)
  }

  async prepare(
    { puts, deletes }: RouterChanges<T>,
    pause: () => Promise<void> | undefined,
  ): Promise<() => void> {
    if (puts.length + deletes.length < MANY_CHANGES) {
      return () => {
        for (const id of deletes) this.delete(id)
        for (const entry of puts) this.put(entry)
      }
    }
    const leavesById = new Map(this.#leavesById)
    for (const id of deletes) leavesById.delete(id)
    for (const entry of puts) {
      leavesById.set(entry.id, createLeaves(entry, this.#type))
      const due = pause()
      if (due) await due
    }
    const table: LeafTable<T> = TABLES[this.#type]()
    for (const leaves of leavesById.values()) {
      for (const leaf of leaves) table.add(leaf)
      const due = pause()
      if (due) await due
    }
    return () => {
      this.#table = table
      this.#leavesById = leavesById
    }
  }

  match(request: MatchRequest): T | undefined {
    const leaf = this.#table.search(new Search<T>(request, undefined))
    if (request.isBodyWanted === true) return undefined
    request.pathParams = leaf === undefined ? undefined : pathParamsOf(leaf, request.path)
    return leaf?.target
  }

  explain(request: MatchRequest): Candidate[] {
    const trace: Candidate[] = []
    this.#table.search(new Search<T>(request, trace))
    return trace
  }
}
