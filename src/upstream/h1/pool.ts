import type { PoolIdentity } from '../pool-registry.ts'
import {
  type ConnectionPool,
  type OutgoingRequest,
  type ResponseSink,
  type Sending,
  TransportError,
  type Warming,
} from '../transport.ts'
import { failLater, Waiting } from '../waiting.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import { writeRequestHead } from './request-head.ts'

export interface PoolLimits {
  /** Connections to one node at the most; further attempts wait. */
  readonly connections: number
  /** Attempts that wait at the most; further ones fail. */
  readonly waiting: number
}

const LIMITS: PoolLimits = { connections: 4096, waiting: 4096 }
/** How often idle connections are looked at. */
const SWEEP_MS = 1000

/** HTTP/1.1 connections to one node. The one that served last serves next: few sockets stay hot, the others age out. */
export class Http1Pool implements ConnectionPool, ConnectionOwner {
  readonly #identity: PoolIdentity
  readonly #now: () => number
  readonly #limits: PoolLimits
  readonly #idle: Connection[] = []
  readonly #waiting = new Set<Waiting<Attempt>>()
  #open = 0
  #isClosed = false
  #sweeper: NodeJS.Timeout | undefined

  /** `now` is monotonic, in ms. */
  constructor(identity: PoolIdentity, now: () => number, limits: PoolLimits = LIMITS) {
    this.#identity = identity
    this.#now = now
    this.#limits = limits
  }

  /** Connections in use and idle, for status and tests. */
  get size(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.#open, idle: this.#idle.length, waiting: this.#waiting.size }
  }

  send(request: OutgoingRequest, sink: ResponseSink): Sending {
    const head = writeRequestHead(request)
    if (request.upgrade) return this.#dial(request, head, sink)
    const idle = request.needsFreshConnection ? undefined : this.#idle.pop()
    if (idle) {
      idle.start(request, head, sink)
      return idle
    }
    if (this.#open >= this.#limits.connections) return this.#wait({ request, head, sink })
    return this.#connect({ request, head, sink })
  }

  warm(connections: number): Warming {
    const wanted = Math.min(connections, this.#identity.keepalive.size) - this.#open
    const opening = new Set<Connection>()
    const outcomes = Array.from({ length: Math.max(0, wanted) }, () => this.#openIdle(opening))
    return {
      opened: Promise.all(outcomes).then((all) => all.filter(Boolean).length),
      giveUp: () => {
        for (const connection of [...opening]) connection.close()
      },
    }
  }

  close(): void {
    this.#isClosed = true
    for (const connection of [...this.#idle]) connection.close()
    this.#stopSweeping()
  }

  onIdle(connection: Connection): void {
    const { requests, size } = this.#identity.keepalive
    const [next] = this.#waiting
    if (connection.served >= requests || this.#isClosed) connection.close()
    else if (next) this.#serve(next, connection)
    else if (this.#idle.length >= size) connection.close()
    else this.#keep(connection)
  }

  onClosed(connection: Connection): void {
    this.#open--
    const index = this.#idle.indexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
    const [next] = this.#waiting
    next?.begin((attempt) => this.#connect(attempt))
  }

  #serve(next: Waiting<Attempt>, connection: Connection): void {
    // Closing makes room for the fresh one that it wants.
    if (next.attempt.request.needsFreshConnection) {
      connection.close()
      return
    }
    next.begin(({ request, head, sink }) => {
      connection.start(request, head, sink)
      return connection
    })
  }

  #connect({ request, head, sink }: Attempt): Sending {
    const connection = this.#openFor(this, false)
    if (connection instanceof TransportError) return failLater(sink, connection)
    this.#open++
    connection.start(request, head, sink)
    return connection
  }

  /** Resolves with whether it opened; it is among `opening` until that is known. */
  #openIdle(opening: Set<Connection>): Promise<boolean> {
    return new Promise((resolve) => {
      const connection = this.#openFor(
        {
          onIdle: (opened) => {
            if (opening.delete(opened)) resolve(true)
            this.onIdle(opened)
          },
          onClosed: (closed) => {
            if (opening.delete(closed)) resolve(false)
            this.onClosed(closed)
          },
        },
        false,
      )
      // The first request finds the same, and says so.
      if (connection instanceof TransportError) {
        resolve(false)
        return
      }
      this.#open++
      opening.add(connection)
    })
  }

  /** A connection that may become a tunnel never serves again: neither pooled nor counted, its client's connection bounds it. */
  #dial(request: OutgoingRequest, head: string, sink: ResponseSink): Sending {
    const connection = this.#openFor(SERVES_ONCE, true)
    if (connection instanceof TransportError) return failLater(sink, connection)
    connection.start(request, head, sink)
    return connection
  }

  #openFor(owner: ConnectionOwner, maySwitch: boolean): Connection | TransportError {
    try {
      return new Connection(this.#identity, owner, maySwitch)
    } catch (error) {
      // A certificate or key that cannot be read is found out here.
      return new TransportError('connect', (error as Error).message, { isUnsent: true })
    }
  }

  #wait(attempt: Attempt): Sending {
    const { waiting } = this.#limits
    if (this.#waiting.size < waiting) {
      return new Waiting(attempt, { queue: this.#waiting, lateBecause: 'no connection became free' })
    }
    const message = `${waiting} attempts already wait for a connection`
    return failLater(attempt.sink, new TransportError('queue-full', message, { isUnsent: true }))
  }

  #keep(connection: Connection): void {
    connection.idleSince = this.#now()
    this.#idle.push(connection)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  #sweep(): void {
    const oldest = this.#now() - this.#identity.keepalive.idleMs
    for (const connection of [...this.#idle]) if (connection.idleSince <= oldest) connection.close()
    if (this.#idle.length === 0) this.#stopSweeping()
  }

  #stopSweeping(): void {
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

const SERVES_ONCE: ConnectionOwner = {
  onIdle: (connection) => connection.close(),
  onClosed: () => {},
}

interface Attempt {
  readonly request: OutgoingRequest
  readonly head: string
  readonly sink: ResponseSink
}
