import type { Expression, VariableSource } from '../expr/expr.ts'

/** The three forms of `apisix.router.http` (contract §4.3). */
export const ROUTER_TYPES = ['radixtree_host_uri', 'radixtree_uri', 'radixtree_uri_with_parameter'] as const
export type RouterType = (typeof ROUTER_TYPES)[number]

/** One route as the router needs it: parsed once, when configuration is compiled. */
export interface RouteEntry<T> {
  readonly id: string
  /** Patterns of contract §4.2, at least one. */
  readonly uris: readonly string[]
  /** Lower-case host patterns; empty means any host. */
  readonly hosts: readonly string[]
  /** Empty means any method. */
  readonly methods: readonly string[]
  /** IPs or CIDRs; empty means any. */
  readonly remoteAddrs: readonly string[]
  readonly priority: number
  readonly vars?: Expression | undefined
  /** Whether `vars` or `filter` read the body of the request. */
  readonly needsBody?: boolean
  /** The compiled `filter_func`; a throw counts as no match. */
  readonly filter?: ((source: VariableSource) => boolean) | undefined
  /** Ties are broken by it, lower first: the order in which routes first appeared (contract §2.2). Kept over updates. */
  readonly order: number
  /** What a match returns: the compiled plan. */
  readonly target: T
}

/** A request as the router sees it. One object per request, read only but for `pathParams` and `isBodyWanted`. */
export interface MatchRequest extends VariableSource {
  /** Canonical path: percent-decoded, dot segments resolved, slashes merged, no query (contract §4.1). */
  readonly path: string
  /** Lower-case, without port or trailing dot; empty when the request names none. */
  readonly host: string
  /** The Host header as sent, with its port; only route hosts that contain `:` look at it. */
  readonly rawHost: string
  readonly method: string
  readonly remoteAddr: string
  /** Whether a body is there that could be read and was not yet. Absent: none. */
  readonly hasUnreadBody?: boolean
  /**
   * Set by a match that came to a route whose conditions need the unread body, and gave up: it is to be read, and the match made again.
   */
  isBodyWanted?: boolean
  /** Set by a match in `radixtree_uri_with_parameter`, and `ext` by `/a/*`; decoded values. */
  pathParams: Record<string, string> | undefined
}

/** Why a candidate was passed over; `uri` and `host` appear only in explanations, never as candidates of a match. */
export type MissReason = 'uri' | 'host' | 'method' | 'remote_addr' | 'vars' | 'filter_func' | 'param'

export interface Candidate {
  readonly id: string
  /** The pattern under which it was considered. */
  readonly uri: string
  readonly host: string | undefined
  readonly outcome: 'matched' | 'missed' | 'not-reached'
  readonly reason?: MissReason
  /** Human sentence with the values compared. */
  readonly detail?: string
}

/** What becomes of some routes; no id stands in both. */
export interface RouterChanges<T> {
  readonly puts: readonly RouteEntry<T>[]
  readonly deletes: readonly string[]
}

/**
 * Routes by id, matched by request. `put` and `delete` change one route at a cost that does not depend on how many there are;
 * a match is synchronous, so an update between two requests is never seen half-done.
 */
export interface Router<T> {
  readonly size: number
  /** Adds or replaces the route with that id. */
  put(entry: RouteEntry<T>): void
  delete(id: string): boolean
  /**
   * Gets many changes ready beside what is matched meanwhile, and answers with what shows them all in one short step. `pause` is asked
   * after each part of the work and awaited when it answers with a promise. No other change may come between this call and the step.
   */
  prepare(changes: RouterChanges<T>, pause: () => Promise<void> | undefined): Promise<() => void>
  match(request: MatchRequest): T | undefined
  /** Every candidate in the order the matcher considers it, from the same code as `match`. */
  explain(request: MatchRequest): Candidate[]
}
