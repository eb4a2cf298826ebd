import type { SecureContext } from 'node:tls'
import type { UpstreamTls } from '../model/types.ts'
import {
  type ForwardScheme,
  formatAddress,
  isTlsScheme,
  type NodeSpec,
  nodeName,
  type UpstreamSpec,
} from './spec.ts'
import type { ConnectionPool } from './transport.ts'

/** What a pool's connections have in common; two nodes share a pool exactly when all of it is equal. */
export interface PoolIdentity {
  readonly scheme: ForwardScheme
  readonly host: string
  readonly port: number
  /** The name asked for in the TLS handshake where a request names none; empty asks for none, absent for plain connections. */
  readonly serverName: string | undefined
  /** Whether every request asks for `serverName`: it does not depend on its Host. */
  readonly isNameFixed?: boolean
  readonly tls: UpstreamTls | undefined
  readonly keepalive: UpstreamSpec['keepalive']
  /** What a new connection is secured with; throws with the reason when it cannot be. Given by whoever opens the pool. */
  readonly secureContext?: () => SecureContext
}

export type OpenPool = (identity: PoolIdentity) => ConnectionPool

interface Entry {
  readonly pool: ConnectionPool
  readonly key: string
  readonly host: string
  mayWarm: boolean
  users: number
}

/** A share of a pool; released when the node that took it is no longer configured. */
export interface PoolShare {
  readonly pool: ConnectionPool
}

/** Connections at the most that are opened before there are requests. */
const MAX_WARM = 1000

/** Pools by identity, shared by every upstream that has the same node, closed when the last one lets go. */
export class PoolRegistry {
  readonly #open: OpenPool
  readonly #entries = new Map<string, Entry>()

  constructor(open: OpenPool) {
    this.#open = open
  }

  get size(): number {
    return this.#entries.size
  }

  /** The addresses of all nodes that some upstream has. */
  hosts(): Set<string> {
    return new Set([...this.#entries.values()].map(({ host }) => host))
  }

  acquire(identity: PoolIdentity): PoolShare {
    const key = keyOf(identity)
    let entry = this.#entries.get(key)
    if (!entry) {
      entry = { pool: this.#open(identity), key, host: identity.host, mayWarm: false, users: 0 }
      this.#entries.set(key, entry)
    }
    entry.mayWarm ||= identity.isNameFixed === true || identity.serverName === undefined
    entry.users++
    return entry
  }

  /** Gives a share back; exactly once for each {@link acquire}. The last one closes the pool. */
  release(share: PoolShare): void {
    const entry = share as Entry
    if (--entry.users > 0 || this.#entries.get(entry.key) !== entry) return
    this.#entries.delete(entry.key)
    entry.pool.close()
  }

  /**
   * Opens up to so many connections to each node before there are requests, {@link MAX_WARM} in all; not over TLS where the name to ask for comes
   * with the request. Resolves with how many there are, when it is known of each, and soon after `signal` is aborted.
   */
  async warm(connections: number, signal: AbortSignal): Promise<number> {
    const pools = [...this.#entries.values()].filter(({ mayWarm }) => mayWarm)
    const warmings = pools
      .slice(0, Math.floor(MAX_WARM / connections))
      .map(({ pool }) => pool.warm(connections))
    const giveUp = () => {
      for (const warming of warmings) warming.giveUp()
    }
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
    const opened = await Promise.all(warmings.map((warming) => warming.opened))
    signal.removeEventListener('abort', giveUp)
    return opened.reduce((sum, count) => sum + count, 0)
  }

  /** Closes every pool, whoever uses it; for the end of the process. */
  closeAll(): void {
    for (const { pool } of this.#entries.values()) pool.close()
    this.#entries.clear()
  }
}

export function identityOf(node: NodeSpec, spec: UpstreamSpec): PoolIdentity {
  return {
    scheme: spec.scheme,
    host: node.host,
    port: node.port,
    serverName: isTlsScheme(spec.scheme) ? serverNameFor(node, spec) : undefined,
    isNameFixed: spec.passHost !== 'pass',
    tls: isTlsScheme(spec.scheme) ? spec.tls : undefined,
    keepalive: spec.keepalive,
  }
}

/** The Host that is sent, where that does not depend on the request (contract §5.5). */
function serverNameFor(node: NodeSpec, { passHost, upstreamHost }: UpstreamSpec): string {
  const host = passHost === 'rewrite' ? upstreamHost : undefined
  return host === undefined ? nodeName(node) : host.replace(/:\d+$/, '')
}

function keyOf(identity: PoolIdentity): string {
  const { scheme, host, port, serverName, tls, keepalive } = identity
  return JSON.stringify([
    scheme,
    formatAddress(host, port),
    serverName,
    tls && [tls.client_cert_id, tls.client_cert, tls.client_key, tls.verify],
    [keepalive.size, keepalive.idleMs, keepalive.requests],
  ])
}
