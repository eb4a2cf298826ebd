import { type Conditions, compileConditions } from './conditions.ts'
import type { Glob } from './glob.ts'
import { methodMaskOf } from './method-mask.ts'
import { parsePattern, type UriPattern } from './pattern.ts'
import type { RouteEntry, RouterType } from './router.ts'

/** One route under one of its patterns: what the tables hold and a match tries. Never changed. */
export class Leaf<T> {
  // What every match reads stands first and together, so that it is one cache line in a large table.
  /** 0 means any method. */
  readonly methodMask: number
  readonly conditions: Conditions | undefined
  readonly glob: Glob | undefined
  readonly tailName: string | undefined
  readonly target: T
  /** The key of the table: a whole path when `isExact`, else a prefix. */
  readonly key: string
  readonly isExact: boolean
  readonly entry: RouteEntry<T>
  readonly uri: string
  /** In bytes, as APISIX counts it. */
  readonly uriLength: number
  readonly uriIndex: number

  constructor(entry: RouteEntry<T>, pattern: UriPattern, shared: SharedParts) {
    this.methodMask = shared.methodMask
    this.conditions = shared.conditions
    this.glob = pattern.glob
    this.tailName = pattern.tailName
    this.target = entry.target
    this.key = pattern.key
    this.isExact = pattern.isExact
    this.entry = entry
    this.uri = pattern.source
    this.uriLength = Buffer.byteLength(pattern.source)
    this.uriIndex = entry.uris.indexOf(pattern.source)
  }
}

/** What the leaves of one route have in common. */
interface SharedParts {
  readonly methodMask: number
  readonly conditions: Conditions | undefined
}

/** The leaves of a route, one per distinct pattern. Throws `IpAddressError` for a `remoteAddrs` value that is no address. */
export function createLeaves<T>(entry: RouteEntry<T>, type: RouterType): Leaf<T>[] {
  const shared = {
    methodMask: methodMaskOf(entry.methods),
    conditions: compileConditions(entry, type !== 'radixtree_host_uri'),
  }
  const hasParameters = type === 'radixtree_uri_with_parameter'
  return [...new Set(entry.uris)].map((uri) => new Leaf(entry, parsePattern(uri, hasParameters), shared))
}

/**
 * The order in which the leaves of one key are tried (contract §4.2): priority, then the longer pattern, then the older route. Id and
 * place among the route's own patterns make it total, so that the order of insertion never shows.
 */
export function compareLeaves<T>(a: Leaf<T>, b: Leaf<T>): number {
  return (
    b.entry.priority - a.entry.priority ||
    b.uriLength - a.uriLength ||
    a.entry.order - b.entry.order ||
    (a.entry.id < b.entry.id ? -1 : a.entry.id > b.entry.id ? 1 : a.uriIndex - b.uriIndex)
  )
}

/** No names are inherited, so a parameter named `constructor` is absent unless the path has it. */
const PathParams = function PathParams() {} as unknown as new () => Record<string, string>
PathParams.prototype = Object.create(null)

/** What the wildcards and parameters of the pattern took from a path that matches it; `undefined` when it names none. */
export function pathParamsOf<T>(leaf: Leaf<T>, path: string): Record<string, string> | undefined {
  if (leaf.glob === undefined && leaf.tailName === undefined) return undefined
  const params = new PathParams()
  if (leaf.tailName !== undefined) params[leaf.tailName] = path.slice(leaf.key.length)
  else leaf.glob?.capture(path, params)
  return params
}
