/** What stands in the store under `<prefix>/registry/` (docs/reference/registry.md), as JSON with these very keys. */

export type NodeStatus = 'initializing' | 'running' | 'degraded' | 'draining'

/** How busy a node says it is. */
export interface Load {
  /** Percent. */
  readonly cpu_usage: number
  /** Percent. */
  readonly memory_usage: number
  /** Milliseconds. */
  readonly average_processing_time: number
  /** 0 to 1, of the requests since the count before. */
  readonly error_rate: number
}

/** A worker process with an address; `registry/nodes/<node_id>`. */
export interface NodeRecord {
  readonly node_id: string
  /** `scheme://host:port`, `host:port` or `unix:/path`. */
  readonly endpoint: string
  readonly protocol: string
  readonly zone?: string
  readonly version?: string
  readonly capacity?: number
  readonly labels: Readonly<Record<string, string>>
  readonly status: NodeStatus
  /** Why it is degraded; absent when it is not, or says so itself. */
  readonly degraded_by?: 'missed_beat' | 'error_rate' | 'health_check'
  /** A coarse copy of what its last heartbeats said. */
  readonly load?: Load
  /** Seconds since the epoch. */
  readonly registered_at: number
  readonly lease_id: string
  readonly lease_ttl_s: number
}

/** A service instance that a node hosts; `registry/agents/<type>/<key>`. It has its node's lease. */
export interface AgentRecord {
  readonly type: string
  readonly key: string
  readonly node_id: string
  /** Where it is reached when that is not the node's own endpoint. */
  readonly endpoint?: string
  readonly weight: number
  readonly priority: number
  readonly capabilities: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly health_check?: Readonly<Record<string, unknown>>
  readonly version?: string
  /** Seconds since the epoch. */
  readonly registered_at: number
}

/** A node that shall get nothing new; `registry/drain/<node_id>`. */
export interface DrainRecord {
  /** Seconds since the epoch; for people. */
  readonly since: number
  readonly deadline: number
  /** Seconds from the moment it is seen until the node is removed; 0 when that was meant to be at once. */
  readonly drain_s: number
}

export type RecordKind = 'nodes' | 'agents' | 'drain'

/** Where the registry's records stand below a store's prefix (`/apisix`). */
export class RegistryKeys {
  /** Ends in a slash: no neighbour begins with it. */
  readonly root: string

  constructor(prefix: string) {
    this.root = `${prefix}/registry/`
  }

  node(nodeId: string): string {
    return `${this.root}nodes/${nodeId}`
  }

  agent(type: string, key: string): string {
    return `${this.root}agents/${type}/${key}`
  }

  drain(nodeId: string): string {
    return `${this.root}drain/${nodeId}`
  }

  /** The kind and the rest of a key; `undefined` for one that is none of the registry's. */
  read(key: string): { readonly kind: RecordKind; readonly id: string } | undefined {
    if (!key.startsWith(this.root)) return undefined
    const [, kind, id] = /^(nodes|agents|drain)\/(.+)$/.exec(key.slice(this.root.length)) ?? []
    return kind === undefined || id === undefined ? undefined : { kind: kind as RecordKind, id }
  }
}

export const NODE_ID = /^[A-Za-z0-9._-]{1,128}$/
/** Of types and keys. */
export const AGENT_WORD = /^[A-Za-z0-9._-]{1,64}$/

/** Whether it may be a part of a key: `.` and `..` fit the patterns and lead elsewhere in paths. */
export function isWord(text: string, pattern: RegExp): boolean {
  return pattern.test(text) && text !== '.' && text !== '..'
}

export function agentId({ type, key }: Pick<AgentRecord, 'type' | 'key'>): string {
  return `${type}/${key}`
}

export interface Place {
  /** IPv6 without brackets; the path of a Unix socket, then with port 0. */
  readonly host: string
  readonly port: number
}

const SCHEME_PORTS: Readonly<Record<string, number>> = { http: 80, ws: 80, grpc: 80, https: 443, grpcs: 443 }

/** No spaces, nothing that a URL or a header would read otherwise. */
const SOCKET = /^unix:((?:\/[A-Za-z0-9._@-]+)+)$/
/** What `sockaddr_un` holds, without the zero at its end. */
const LONGEST_SOCKET_PATH = 107

function readSocket(endpoint: string): Place | undefined {
  const path = SOCKET.exec(endpoint)?.[1]
  if (path === undefined || path.length > LONGEST_SOCKET_PATH) return undefined
  return path.split('/').some((part) => part === '.' || part === '..') ? undefined : { host: path, port: 0 }
}

/** Reads an endpoint, `scheme://host:port`, `host:port` or `unix:/path`; `undefined` when it is none of them. */
export function readEndpoint(endpoint: string): Place | undefined {
  if (endpoint.startsWith('unix:')) return readSocket(endpoint)
  const [, scheme = '', bracketed, plain, digits] =
    /^(?:([a-z]+):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/.exec(endpoint) ?? []
  const host = bracketed ?? plain
  const port = digits === undefined ? SCHEME_PORTS[scheme] : Number(digits)
  if (host === undefined || port === undefined || port === 0 || port > 65_535) return undefined
  return scheme !== '' && !Object.hasOwn(SCHEME_PORTS, scheme) ? undefined : { host, port }
}
