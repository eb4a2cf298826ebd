import type { RequestContext } from '../../src/plugin/api.ts'
import type { StoredHead } from '../_shared/cache/cache-store.ts'

/** What `Apisix-Cache-Status` says. */
export type CacheStatus = 'HIT' | 'MISS' | 'BYPASS' | 'EXPIRED' | 'STALE'

/** What may be done for a request. */
export interface RequestVerdict {
  /** Whether a stored answer may be used. */
  readonly mayLookUp: boolean
  /** Whether the upstream's answer may be stored. */
  readonly mayStore: boolean
  /** Whether it may wait for another request to bring its answer, or have others wait. */
  readonly mayCollapse: boolean
  /** It carries credentials: only answers that are for everyone may be used or stored. */
  readonly isGuarded: boolean
  /** The client wants no request to the upstream. */
  readonly isOnlyIfCached: boolean
  /** Shown when no stored answer was used. */
  readonly status: CacheStatus
}

/** Status and headers of a node's response before plugins changed them. */
export type Received = NonNullable<RequestContext['response']['received']>

/** How an answer may be stored. */
export interface StorageTerms {
  readonly freshForMs: number
  readonly vary: readonly string[]
  readonly isPublic: boolean
}

/** Says which answers may be stored and used, and knows nothing of where they are. */
export interface CacheRules {
  request(context: RequestContext): RequestVerdict
  /** Of a stored answer, whether it may be used; otherwise the word for why not. */
  reuse(head: StoredHead, context: RequestContext): CacheStatus
  /** Of the response under way, as the node sent it; `undefined` when it must not be stored. */
  response(context: RequestContext, received: Received): StorageTerms | undefined
}
