import type { PoolIdentity } from '../pool-registry.ts'
import {
  type ConnectionPool,
  type OutgoingRequest,
  type ResponseSink,
  type Sending,
  TransportError,
} from '../transport.ts'
import { Connection, type ConnectionOwner } from './connection.ts'

/** Connections to one node at the most; further attempts wait in a queue of {@link MAX_WAITING}. */
const MAX_CONNECTIONS = 4096
const MAX_WAITING = 4096
/** How often idle connections are looked at. */
const SWEEP_MS = 1000

/** HTTP/1.1 connections to one node. The one that served last serves next: few sockets stay hot, the others age out. */
export class Http1Pool implements ConnectionPool, ConnectionOwner {
  readonly #identity: PoolIdentity
  readonly #now: () => number
  readonly #idle: Connection[] = []
  readonly #waiting = new Set<Waiting>()
  #open = 0
  #isClosed = false
  #sweeper: NodeJS.Timeout | undefined

  constructor(identity: PoolIdentity, now: () => number) {
    this.#identity = identity
    this.#now = now
  }

  /** Connections in use and idle, for status and tests. */
  get size(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.#open, idle: this.#idle.length, waiting: this.#waiting.size }
  }

  send(request: OutgoingRequest, sink: ResponseSink): Sending {
    const idle = this.#idle.pop()
    if (idle) {
      idle.start(request, sink)
      return idle
    }
    if (this.#open < MAX_CONNECTIONS) return this.#connect(request, sink)
    return this.#wait(request, sink)
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    for (const connection of [...this.#idle]) connection.close()
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
    if (next) this.#serve(next, undefined)
  }

  #connect(request: OutgoingRequest, sink: ResponseSink): Connection {
    this.#open++
    const connection = new Connection(this.#identity, this)
    connection.start(request, sink)
    return connection
  }

  #wait(request: OutgoingRequest, sink: ResponseSink): Sending {
    const waiting = new Waiting(request, sink, this.#waiting)
    if (this.#waiting.size >= MAX_WAITING)
      waiting.giveUp('queue-full', `${MAX_WAITING} attempts already wait for a connection`)
    else waiting.begin()
    return waiting
  }

  #serve(waiting: Waiting, connection: Connection | undefined): void {
    waiting.leave()
    if (!connection) {
      waiting.sending = this.#connect(waiting.request, waiting.sink)
      return
    }
    waiting.sending = connection
    connection.start(waiting.request, waiting.sink)
  }

  #keep(connection: Connection): void {
    connection.idleSince = this.#now()
    this.#idle.push(connection)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  #sweep(): void {
    const oldest = this.#now() - this.#identity.keepalive.idleMs
    for (const connection of [...this.#idle]) if (connection.idleSince <= oldest) connection.close()
    if (this.#idle.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

/** An attempt that waits for a connection; its connect timeout runs meanwhile. */
class Waiting implements Sending {
  readonly request: OutgoingRequest
  readonly sink: ResponseSink
  sending: Sending | undefined
  readonly #queue: Set<Waiting>
  #timer: NodeJS.Timeout | undefined

  constructor(request: OutgoingRequest, sink: ResponseSink, queue: Set<Waiting>) {
    this.request = request
    this.sink = sink
    this.#queue = queue
  }

  begin(): void {
    this.#queue.add(this)
    const { connectMs } = this.request
    this.#timer = setTimeout(() => {
      this.leave()
      this.giveUp('connect-timeout', `no connection became free within ${connectMs} ms`)
    }, connectMs).unref()
  }

  leave(): void {
    clearTimeout(this.#timer)
    this.#queue.delete(this)
  }

  giveUp(kind: 'queue-full' | 'connect-timeout', message: string): void {
    // Not from within send(): the caller does not hold its Sending yet.
    setImmediate(() => this.sink.onError(new TransportError(kind, message, { isUnsent: true })))
  }

  resume(): void {
    this.sending?.resume()
  }

  abort(): void {
    this.leave()
    this.sending?.abort()
  }
}
