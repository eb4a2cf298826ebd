import { addLeaf, type Bucket, removeLeaf } from './bucket.ts'
import type { Leaf } from './leaf.ts'
import { PrefixMap } from './prefix-map.ts'
import type { Search } from './search.ts'

const PATHS = { fromEnd: false, boundary: '/' }

/** Routes by path: exact paths, then prefixes from the longest to the shortest (contract §4.2). */
export class UriTable<T> {
  readonly #host: string | undefined
  // Made when first needed: a gateway with a hundred thousand hosts has as many of these tables.
  #exact: Map<string, Bucket<T>> | undefined
  #prefixes: PrefixMap<Bucket<T>> | undefined

  /** `host`: the pattern of the hosts whose routes these are, for explanations. */
  constructor(host?: string) {
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#exact === undefined && this.#prefixes === undefined
  }

  add(leaf: Leaf<T>): void {
    const { key } = leaf
    if (leaf.isExact) {
      this.#exact ??= new Map()
      this.#exact.set(key, addLeaf(this.#exact.get(key), leaf))
    } else {
      this.#prefixes ??= new PrefixMap(PATHS)
      this.#prefixes.set(key, addLeaf(this.#prefixes.get(key), leaf))
    }
  }

  remove(leaf: Leaf<T>): void {
    const table = leaf.isExact ? this.#exact : this.#prefixes
    const left = removeLeaf(table?.get(leaf.key), leaf)
    if (left === undefined) table?.delete(leaf.key)
    else table?.set(leaf.key, left)
    if (this.#exact?.size === 0) this.#exact = undefined
    if (this.#prefixes?.isEmpty === true) this.#prefixes = undefined
  }

  search(search: Search<T>): Leaf<T> | undefined {
    const { path } = search.request
    const exact = this.#exact?.get(path)
    if (exact !== undefined) {
      const taken = search.take(exact, this.#host)
      if (taken !== undefined) return taken
    }
    let prefix = this.#prefixes?.longest(path, Number.POSITIVE_INFINITY)
    while (prefix !== undefined) {
      const taken = search.take(prefix.value, this.#host)
      if (taken !== undefined) return taken
      prefix = this.#prefixes?.longest(path, prefix.key.length)
    }
    return undefined
  }
}
