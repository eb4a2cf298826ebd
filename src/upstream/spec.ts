import { isSocketPath, showPlace } from '../lib/socket-path.ts'
import type {
  HashOn,
  KeepalivePool,
  Node,
  PassHost,
  Timeout,
  Upstream as UpstreamDocument,
  UpstreamTls,
} from '../model/types.ts'
import { type CheckSpec, readChecks } from './health/checks.ts'

/** The schemes that requests are forwarded with. */
export type ForwardScheme = 'http' | 'https' | 'grpc' | 'grpcs'

export interface NodeSpec {
  /** Name or IP as configured, IPv6 without brackets; once resolved, the IP. A path for a Unix socket. */
  readonly host: string
  /** The name that `host` was resolved from. */
  readonly domain?: string
  readonly port: number
  readonly weight: number
  readonly priority: number
  /** `type/key` of the agents of the gateway's own registry that are reached there. */
  readonly agents?: readonly string[]
}

export interface TimeoutsMs {
  readonly connectMs: number
  readonly sendMs: number
  readonly readMs: number
}

/** How many idle connections to a node are kept, how long, and how many requests one serves. */
export interface KeepaliveSpec {
  readonly size: number
  readonly idleMs: number
  readonly requests: number
}

/** An upstream document in the form the data path uses: every default applied, units in ms. */
export interface UpstreamSpec {
  readonly type: string
  /** As configured; empty where a registry is asked. */
  readonly nodes: readonly NodeSpec[]
  /** The registry that gives the nodes, and what it is asked. */
  readonly discovery?: {
    readonly type: string
    readonly serviceName: string
    readonly args: Readonly<Record<string, unknown>>
  }
  readonly scheme: ForwardScheme
  readonly hashOn: HashOn
  readonly hashKey: string | undefined
  readonly passHost: PassHost
  readonly upstreamHost: string | undefined
  /** Extra attempts after the first; `undefined` means one for each further node. */
  readonly retries: number | undefined
  /** 0 means no limit. */
  readonly retryTimeoutMs: number
  readonly timeouts: TimeoutsMs
  readonly keepalive: KeepaliveSpec
  readonly tls: UpstreamTls | undefined
  /** How the nodes' health is found out; `undefined` without `checks`. */
  readonly checks: CheckSpec | undefined
}

const SCHEME_PORT: Readonly<Record<ForwardScheme, number>> = {
  http: 80,
  https: 443,
  grpc: 80,
  grpcs: 443,
}

/** nginx's own 60 s, three times (contract §0.11). */
export const DEFAULT_TIMEOUTS: TimeoutsMs = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 }

const DEFAULT_KEEPALIVE: KeepaliveSpec = { size: 320, idleMs: 60_000, requests: 1000 }

function readKeepalive({ size, idle_timeout, requests }: KeepalivePool): KeepaliveSpec {
  const fallback = DEFAULT_KEEPALIVE
  return {
    size: size ?? fallback.size,
    idleMs: idle_timeout === undefined ? fallback.idleMs : idle_timeout * 1000,
    requests: requests ?? fallback.requests,
  }
}

/** Reads a checked document. Throws with the reason when it asks for something that is not served. */
export function readUpstream(document: UpstreamDocument): UpstreamSpec {
  const scheme = forwardScheme(document.scheme ?? 'http')
  return {
    type: document.type ?? 'roundrobin',
    nodes: readNodes(document.nodes ?? [], scheme),
    ...readDiscovery(document),
    scheme,
    hashOn: document.hash_on ?? 'vars',
    hashKey: document.key,
    passHost: document.pass_host ?? 'pass',
    upstreamHost: document.upstream_host,
    retries: document.retries,
    retryTimeoutMs: (document.retry_timeout ?? 0) * 1000,
    timeouts: readTimeouts(document.timeout) ?? DEFAULT_TIMEOUTS,
    keepalive: document.keepalive_pool ? readKeepalive(document.keepalive_pool) : DEFAULT_KEEPALIVE,
    tls: document.tls,
    checks: readChecks(document),
  }
}

function readDiscovery({ service_name, discovery_type, discovery_args }: UpstreamDocument) {
  if (service_name === undefined || discovery_type === undefined) return undefined
  return { discovery: { type: discovery_type, serviceName: service_name, args: discovery_args ?? {} } }
}

/** A document's `timeout` in milliseconds. */
export function readTimeouts(timeout: Timeout | undefined): TimeoutsMs | undefined {
  return (
    timeout && {
      connectMs: timerMs(timeout.connect),
      sendMs: timerMs(timeout.send),
      readMs: timerMs(timeout.read),
    }
  )
}

/** A timer asked for more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

function timerMs(seconds: number): number {
  return Math.min(seconds * 1000, LONGEST_TIMER_MS)
}

function forwardScheme(scheme: string): ForwardScheme {
  if (Object.hasOwn(SCHEME_PORT, scheme)) return scheme as ForwardScheme
  const served = Object.keys(SCHEME_PORT).join(', ')
  throw new Error(`upstream scheme "${scheme}" is not served for requests; use one of ${served}`)
}

function readNodes(nodes: Record<string, number> | Node[], scheme: ForwardScheme): NodeSpec[] {
  if (Array.isArray(nodes)) {
    return nodes.map((node) => ({
      host: bare(node.host),
      port: node.port ?? SCHEME_PORT[scheme],
      weight: node.weight,
      priority: node.priority ?? 0,
    }))
  }
  return Object.entries(nodes).map(([address, weight]) => {
    const { host, port } = splitAddress(address)
    return { host, port: port ?? SCHEME_PORT[scheme], weight, priority: 0 }
  })
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`. */
function splitAddress(address: string): { host: string; port: number | undefined } {
  const found = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(address)
  if (!found) throw new Error(`upstream node "${address}" is no host:port; write IPv6 addresses in brackets`)
  return { host: bare(found[1]!), port: found[2] === undefined ? undefined : Number(found[2]) }
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}

/** Whether connections of the scheme are encrypted. */
export function isTlsScheme(scheme: ForwardScheme): boolean {
  return scheme === 'https' || scheme === 'grpcs'
}

/** Whether the scheme is HTTP/2 to the node: plain with prior knowledge, encrypted by ALPN. */
export function isHttp2Scheme(scheme: ForwardScheme): boolean {
  return scheme === 'grpc' || scheme === 'grpcs'
}

/** The port that goes without saying for the scheme. */
export function schemePort(scheme: ForwardScheme): number {
  return SCHEME_PORT[scheme]
}

/** Whether `port` goes without saying for the scheme. */
export function isSchemePort(scheme: ForwardScheme, port: number): boolean {
  return SCHEME_PORT[scheme] === port
}

/** The name that a node goes by in `Host` and TLS when nothing else is said; for a socket that of the machine, as nginx has it. */
export function nodeName({
  host,
  domain,
}: {
  readonly host: string
  readonly domain?: string | undefined
}): string {
  return domain ?? (isSocketPath(host) ? 'localhost' : host)
}

/** `host:port` as it stands in a URL: IPv6 in brackets; `unix:/path` for a socket. */
export function formatAddress(host: string, port: number): string {
  if (isSocketPath(host)) return showPlace({ host, port })
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
