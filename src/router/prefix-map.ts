/** A key with its value. Only the map changes it. */
export interface PrefixEntry<V> {
  readonly key: string
  value: V
  /** Another key with the same hash. */
  next: PrefixEntry<V> | undefined
}

/** Which keys are looked for: those a text starts with or those it ends with, and the character that nearly all of them stop at. */
export interface PrefixMapOptions {
  readonly fromEnd: boolean
  readonly boundary: string
}

const SEED = 0x811c9dc5
const PRIME = 0x01000193

/**
 * Values by key, found by the longest key that a text starts (or ends) with. One pass over the text computes the hash of each of its
 * prefixes; only prefixes that end in the boundary, or have the length of a key that does not, are looked up. So a search costs the
 * same in a large table as in a small one, which a radix tree does not give (bench/router.ts: three times at 100,000). A text made
 * to collide costs a comparison, never a match: keys are compared. Looking up allocates nothing.
 */
export class PrefixMap<V> {
  readonly #fromEnd: boolean
  readonly #boundary: number
  readonly #byHash = new Map<number, PrefixEntry<V>>()
  #empty: PrefixEntry<V> | undefined
  /** No key was ever longer, so no prefix beyond it is hashed. */
  #maxLength = 0
  /** Keys that do not stop at the boundary: how many there are of each length, and a bit for each length there is. */
  #oddLengths: Map<number, number> | undefined
  #oddBits: number[] | undefined

  constructor({ fromEnd, boundary }: PrefixMapOptions) {
    this.#fromEnd = fromEnd
    this.#boundary = boundary.charCodeAt(0)
  }

  get isEmpty(): boolean {
    return this.#byHash.size === 0 && this.#empty === undefined
  }

  /** The entry of the longest key, shorter than `below`, that the text starts (or ends) with. */
  longest(text: string, below: number): PrefixEntry<V> | undefined {
    let best = below > 0 ? this.#empty : undefined
    let hash = SEED
    const limit = Math.min(text.length, below - 1, this.#maxLength)
    for (let length = 1; length <= limit; length++) {
      const code = this.#codeAt(text, length - 1)
      hash = Math.imul(hash ^ code, PRIME)
      if (code !== this.#boundary && !this.#isOddLength(length)) continue
      best = this.#entryFor(text, length, hash) ?? best
    }
    return best
  }

  get(key: string): V | undefined {
    return key === '' ? this.#empty?.value : this.#entryFor(key, key.length, this.#hash(key))?.value
  }

  /** Adds or replaces. */
  set(key: string, value: V): void {
    const hash = this.#hash(key)
    const present = key === '' ? this.#empty : this.#entryFor(key, key.length, hash)
    if (present !== undefined) {
      present.value = value
    } else if (key === '') {
      this.#empty = { key, value, next: undefined }
    } else {
      this.#byHash.set(hash, { key, value, next: this.#byHash.get(hash) })
      this.#maxLength = Math.max(this.#maxLength, key.length)
      if (!this.#stopsAtBoundary(key)) this.#countOdd(key.length, 1)
    }
  }

  delete(key: string): boolean {
    if (key === '') {
      const wasThere = this.#empty !== undefined
      this.#empty = undefined
      return wasThere
    }
    const hash = this.#hash(key)
    const entry = this.#entryFor(key, key.length, hash)
    if (entry === undefined) return false
    this.#unlink(hash, entry)
    if (!this.#stopsAtBoundary(key)) this.#countOdd(key.length, -1)
    return true
  }

  #codeAt(text: string, at: number): number {
    return text.charCodeAt(this.#fromEnd ? text.length - 1 - at : at)
  }

  #hash(key: string): number {
    let hash = SEED
    for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ this.#codeAt(key, at), PRIME)
    return hash
  }

  #entryFor(text: string, length: number, hash: number): PrefixEntry<V> | undefined {
    let entry = this.#byHash.get(hash)
    while (entry !== undefined && !(entry.key.length === length && this.#fits(text, entry.key)))
      entry = entry.next
    return entry
  }

  #fits(text: string, key: string): boolean {
    return this.#fromEnd ? text.endsWith(key) : text.startsWith(key)
  }

  #unlink(hash: number, entry: PrefixEntry<V>): void {
    const head = this.#byHash.get(hash)
    if (head !== entry) {
      let before = head
      while (before !== undefined && before.next !== entry) before = before.next
      if (before !== undefined) before.next = entry.next
    } else if (entry.next === undefined) this.#byHash.delete(hash)
    else this.#byHash.set(hash, entry.next)
  }

  #stopsAtBoundary(key: string): boolean {
    return this.#codeAt(key, key.length - 1) === this.#boundary
  }

  #isOddLength(length: number): boolean {
    return this.#oddBits !== undefined && ((this.#oddBits[length >> 5] ?? 0) & (1 << (length & 31))) !== 0
  }

  #countOdd(length: number, change: 1 | -1): void {
    this.#oddLengths ??= new Map()
    const count = (this.#oddLengths.get(length) ?? 0) + change
    if (count === 0) this.#oddLengths.delete(length)
    else this.#oddLengths.set(length, count)
    const words = Array.from({ length: (this.#maxLength >> 5) + 1 }, () => 0)
    for (const odd of this.#oddLengths.keys()) words[odd >> 5]! |= 1 << (odd & 31)
    this.#oddBits = this.#oddLengths.size === 0 ? undefined : words
  }
}
