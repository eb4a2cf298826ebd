import type { Expression, VariableSource } from '../expr/expr.ts'
import { createIpSet, type IpSet } from '../lib/ip-set.ts'
import type { Leaf } from './leaf.ts'
import type { MatchRequest, MissReason, RouteEntry } from './router.ts'

/** What a route asks for beyond path and method. A field is `undefined` when it asks nothing there. */
export interface Conditions {
  readonly remoteAddrs: IpSet | undefined
  readonly hosts: readonly HostPattern[] | undefined
  /** Whether the two below read the body. */
  readonly needsBody: boolean
  readonly vars: Expression | undefined
  readonly filter: ((source: VariableSource) => boolean) | undefined
}

interface HostPattern {
  /** The host, or what it has to end with. */
  readonly text: string
  readonly isSuffix: boolean
  /** Compared with the Host header as sent, port and all (contract §4.3). */
  readonly isRaw: boolean
}

/** `undefined` for a route without conditions. Throws `IpAddressError`. `checksHosts`: whether no table has looked at the host. */
export function compileConditions<T>(entry: RouteEntry<T>, checksHosts: boolean): Conditions | undefined {
  const remoteAddrs = entry.remoteAddrs.length === 0 ? undefined : createIpSet(entry.remoteAddrs)
  const hosts = checksHosts && entry.hosts.length > 0 ? entry.hosts.map(toHostPattern) : undefined
  const { vars, filter, needsBody = false } = entry
  if (remoteAddrs === undefined && hosts === undefined && vars === undefined && filter === undefined)
    return undefined
  return { remoteAddrs, hosts, needsBody, vars, filter }
}

function toHostPattern(host: string): HostPattern {
  const isSuffix = host.startsWith('*')
  const text = (isSuffix ? host.slice(1) : host).toLowerCase()
  return { text, isSuffix, isRaw: host.includes(':') }
}

/** A request on its way through the tables. */
export interface Probe {
  readonly request: MatchRequest
  readonly methodBit: number
}

/**
 * The first condition that the request fails, in the order of contract §4.2, or `undefined` when it passes all; `unread` when nobody can
 * tell before its body is read. Allocates nothing.
 */
export function firstMiss<T>(leaf: Leaf<T>, probe: Probe): MissReason | 'unread' | undefined {
  if (leaf.methodMask !== 0 && (leaf.methodMask & probe.methodBit) === 0) return 'method'
  if (leaf.conditions !== undefined) {
    const miss = firstFailing(leaf.conditions, probe.request)
    if (miss !== undefined) return miss
  }
  return leaf.glob === undefined || leaf.glob.matches(probe.request.path) ? undefined : 'param'
}

function firstFailing(conditions: Conditions, request: MatchRequest): MissReason | 'unread' | undefined {
  const { remoteAddrs, hosts, needsBody, vars, filter } = conditions
  if (remoteAddrs !== undefined && !remoteAddrs.has(request.remoteAddr)) return 'remote_addr'
  if (hosts !== undefined && !matchesHost(hosts, request)) return 'host'
  if (needsBody && request.hasUnreadBody === true) return 'unread'
  if (vars !== undefined && !vars.test(request)) return 'vars'
  if (filter !== undefined && !passes(filter, request)) return 'filter_func'
  return undefined
}

function matchesHost(hosts: readonly HostPattern[], request: MatchRequest): boolean {
  for (const { text, isSuffix, isRaw } of hosts) {
    const host = isRaw ? request.rawHost.toLowerCase() : request.host
    if (isSuffix ? host.endsWith(text) : host === text) return true
  }
  return false
}

/** A filter is the user's code: whatever it throws, the route does not match and the others still can (contract of RouteEntry). */
function passes(filter: (source: VariableSource) => boolean, request: MatchRequest): boolean {
  try {
    return Boolean(filter(request))
  } catch {
    return false
  }
}
