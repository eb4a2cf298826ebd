import type { PoolIdentity } from './pool-registry.ts'
import type { ConnectionPool, OutgoingRequest, ResponseSink, Sending, Warming } from './transport.ts'

/** Names per node at the most: with `pass_host: pass` it is clients who choose them. */
const MAX_NAMES = 64

/**
 * The connections to one node over TLS, one pool per server name: what was checked and chosen for one name is not used for another.
 * The names used last are kept; the pool of another one closes once its requests have ended.
 */
export class ServerNamePools implements ConnectionPool {
  readonly #identity: PoolIdentity
  readonly #open: (identity: PoolIdentity) => ConnectionPool
  /** In order of use. */
  readonly #byName = new Map<string, ConnectionPool>()
  #lastName: string | undefined
  #lastPool: ConnectionPool | undefined
  #isClosed = false

  constructor(identity: PoolIdentity, open: (identity: PoolIdentity) => ConnectionPool) {
    this.#identity = identity
    this.#open = open
  }

  /** Names that have a pool now. */
  get size(): number {
    return this.#byName.size
  }

  send(request: OutgoingRequest, sink: ResponseSink): Sending {
    const name = request.serverName ?? this.#identity.serverName ?? ''
    if (name !== this.#lastName || !this.#lastPool) {
      this.#lastPool = this.#poolFor(name)
      this.#lastName = name
    }
    return this.#lastPool.send(request, sink)
  }

  /** Under the name of the node, which is to be the one that requests ask for. */
  warm(connections: number): Warming {
    return this.#poolFor(this.#identity.serverName ?? '').warm(connections)
  }

  close(): void {
    this.#isClosed = true
    for (const pool of this.#byName.values()) pool.close()
    this.#byName.clear()
    this.#lastPool = undefined
  }

  #poolFor(name: string): ConnectionPool {
    const known = this.#byName.get(name)
    this.#byName.delete(name)
    const pool = known ?? this.#open({ ...this.#identity, serverName: name })
    // A request that was under way when the node went is still sent; nothing is kept for a next one.
    if (this.#isClosed) pool.close()
    else this.#byName.set(name, pool)
    this.#dropOldest()
    return pool
  }

  #dropOldest(): void {
    if (this.#byName.size <= MAX_NAMES) return
    const [oldest] = this.#byName
    this.#byName.delete(oldest![0])
    oldest![1].close()
  }
}

/** The name to ask for in TLS when `host` is sent as Host: without its port, and none for an IP literal (contract §5.5). */
export function serverNameOf(host: string): string {
  if (host.startsWith('[')) return ''
  const colon = host.indexOf(':')
  const name = (colon === -1 ? host : host.slice(0, colon)).toLowerCase()
  return IPV4.test(name) ? '' : name
}

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/
