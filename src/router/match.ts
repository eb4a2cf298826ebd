import { HostTable } from './host-table.ts'
import { createLeaves, type Leaf, pathParamsOf } from './leaf.ts'
import type { Candidate, MatchRequest, RouteEntry, Router, RouterType } from './router.ts'
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

/**
 * An empty router of the given form (contract §4.3). It keeps the entries it is given, which must not change afterwards. `put` throws
 * `IpAddressError` for a bad `remoteAddrs` value and then changes nothing.
 */
export function createRouter<T>(type: RouterType): Router<T> {
  return new LeafRouter<T>(type)
}

class LeafRouter<T> implements Router<T> {
  readonly #type: RouterType
  readonly #table: LeafTable<T>
  readonly #leavesById = new Map<string, readonly Leaf<T>[]>()

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

  match(request: MatchRequest): T | undefined {
    const leaf = this.#table.search(new Search<T>(request, undefined))
    request.pathParams = leaf === undefined ? undefined : pathParamsOf(leaf, request.path)
    return leaf?.target
  }

  explain(request: MatchRequest): Candidate[] {
    const trace: Candidate[] = []
    this.#table.search(new Search<T>(request, trace))
    return trace
  }
}
