import type { Bucket } from './bucket.ts'
import { firstMiss, type Probe } from './conditions.ts'
import { describeMiss } from './describe-miss.ts'
import { Leaf } from './leaf.ts'
import { methodBit } from './method-mask.ts'
import type { Candidate, MatchRequest } from './router.ts'

/**
 * One request looking for its route. Tables offer their buckets in order until one is taken. An explaining search takes none: it
 * writes down every candidate and so sees them all, through the same tables and conditions.
 */
export class Search<T> implements Probe {
  readonly request: MatchRequest
  readonly methodBit: number
  readonly #trace: Candidate[] | undefined
  #hasMatched = false

  constructor(request: MatchRequest, trace: Candidate[] | undefined) {
    this.request = request
    this.methodBit = methodBit(request.method)
    this.#trace = trace
  }

  /** The first leaf of the bucket that passes. `host` is the pattern of the table it comes from. */
  take(bucket: Bucket<T>, host: string | undefined): Leaf<T> | undefined {
    if (bucket instanceof Leaf) return this.#try(bucket, host)
    for (const leaf of bucket) {
      const taken = this.#try(leaf, host)
      if (taken !== undefined) return taken
    }
    return undefined
  }

  #try(leaf: Leaf<T>, host: string | undefined): Leaf<T> | undefined {
    if (this.#trace === undefined) {
      const miss = firstMiss(leaf, this)
      if (miss === 'unread') return this.#wantBody(leaf)
      return miss === undefined ? leaf : undefined
    }
    this.#trace.push(this.#explain(leaf, host))
    return undefined
  }

  /** Ends the search where all but the body fits. */
  #wantBody(leaf: Leaf<T>): Leaf<T> | undefined {
    if (leaf.glob !== undefined && !leaf.glob.matches(this.request.path)) return undefined
    this.request.isBodyWanted = true
    return leaf
  }

  #explain(leaf: Leaf<T>, host: string | undefined): Candidate {
    const candidate = { id: leaf.entry.id, uri: leaf.uri, host }
    if (this.#hasMatched) return { ...candidate, outcome: 'not-reached' }
    const reason = firstMiss(leaf, this)
    if (reason !== undefined && reason !== 'unread') {
      return { ...candidate, outcome: 'missed', reason, detail: describeMiss(reason, leaf, this.request) }
    }
    this.#hasMatched = true
    return { ...candidate, outcome: 'matched' }
  }
}
