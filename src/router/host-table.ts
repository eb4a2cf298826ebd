import type { Leaf } from './leaf.ts'
import { PrefixMap } from './prefix-map.ts'
import type { Search } from './search.ts'
import { UriTable } from './uri-table.ts'

/**
 * Routes by host, then by path: the exact host, wildcards from the longest to the shortest, at last the routes without a host
 * (contract §4.3). So a host that fits outranks path and priority.
 */
export class HostTable<T> {
  readonly #exact = new Map<string, UriTable<T>>()
  /** By what the host has to end with: `*.a.com` under `.a.com`, `*` under nothing. */
  readonly #suffixes = new PrefixMap<UriTable<T>>({ fromEnd: true, boundary: '.' })
  readonly #anyHost = new UriTable<T>()

  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#suffixes.isEmpty && this.#anyHost.isEmpty
  }

  add(leaf: Leaf<T>): void {
    if (leaf.entry.hosts.length === 0) this.#anyHost.add(leaf)
    for (const host of hostsOf(leaf)) {
      const [tables, key] = this.#place(host)
      let table = tables.get(key)
      if (table === undefined) {
        table = new UriTable(host)
        tables.set(key, table)
      }
      table.add(leaf)
    }
  }

  remove(leaf: Leaf<T>): void {
    if (leaf.entry.hosts.length === 0) this.#anyHost.remove(leaf)
    for (const host of hostsOf(leaf)) {
      const [tables, key] = this.#place(host)
      const table = tables.get(key)
      table?.remove(leaf)
      if (table?.isEmpty === true) tables.delete(key)
    }
  }

  search(search: Search<T>): Leaf<T> | undefined {
    const { host } = search.request
    const taken = this.#exact.get(host)?.search(search)
    if (taken !== undefined) return taken
    let suffix = this.#suffixes.longest(host, Number.POSITIVE_INFINITY)
    while (suffix !== undefined) {
      const takenHere = suffix.value.search(search)
      if (takenHere !== undefined) return takenHere
      suffix = this.#suffixes.longest(host, suffix.key.length)
    }
    return this.#anyHost.search(search)
  }

  #place(host: string): [Map<string, UriTable<T>> | PrefixMap<UriTable<T>>, string] {
    return host.startsWith('*') ? [this.#suffixes, host.slice(1)] : [this.#exact, host]
  }
}

function hostsOf<T>(leaf: Leaf<T>): Iterable<string> {
  const { hosts } = leaf.entry
  if (hosts.length < 2) return hosts.map((host) => host.toLowerCase())
  return new Set(hosts.map((host) => host.toLowerCase()))
}
