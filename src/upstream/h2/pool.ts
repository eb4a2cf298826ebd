import type { OutgoingHttpHeaders } from 'node:http2'
import type { PoolIdentity } from '../pool-registry.ts'
import { isTlsScheme } from '../spec.ts'
import {
  type ConnectionPool,
  NO_WARMING,
  type OutgoingRequest,
  type ResponseSink,
  type Sending,
  TransportError,
  type Warming,
} from '../transport.ts'
import { failLater, Waiting, type WaitingRoom } from '../waiting.ts'
import { requestHeaders } from './request-headers.ts'
import { Session, type SessionOwner } from './session.ts'
import { Exchange } from './stream.ts'

export interface Http2PoolLimits {
  /** Sessions to one node at the most; a further one is opened only when the others are full. */
  readonly sessions: number
  /** Attempts that wait for a stream at the most; further ones fail. */
  readonly waiting: number
}

const LIMITS: Http2PoolLimits = { sessions: 16, waiting: 4096 }
/** How often idle sessions are looked at. */
const SWEEP_MS = 1000

/** HTTP/2 sessions to one node. One carries everything as long as the node's limit of streams allows. */
export class Http2Pool implements ConnectionPool, SessionOwner {
  readonly #identity: PoolIdentity
  readonly #now: () => number
  readonly #limits: Http2PoolLimits
  readonly #sessions = new Set<Session>()
  readonly #waiting = new Set<Waiting<Attempt>>()
  readonly #room: WaitingRoom<Attempt> = {
    queue: this.#waiting,
    lateBecause: 'no stream could be opened',
    onLate: (connectMs) => this.#onLate(connectMs),
  }
  readonly #warming = new Set<() => void>()
  #isClosed = false
  #sweeper: NodeJS.Timeout | undefined

  /** `now` is monotonic, in ms. */
  constructor(identity: PoolIdentity, now: () => number, limits: Http2PoolLimits = LIMITS) {
    this.#identity = identity
    this.#now = now
    this.#limits = limits
  }

  /** For status and tests. */
  get size(): { readonly sessions: number; readonly streams: number; readonly waiting: number } {
    let streams = 0
    for (const session of this.#sessions) streams += session.streams
    return { sessions: this.#sessions.size, streams, waiting: this.#waiting.size }
  }

  send(request: OutgoingRequest, sink: ResponseSink): Sending {
    const headers = requestHeaders(request, isTlsScheme(this.#identity.scheme) ? 'https' : 'http')
    if (this.#waiting.size >= this.#limits.waiting) {
      const message = `${this.#limits.waiting} attempts already wait for a stream`
      return failLater(sink, new TransportError('queue-full', message, { isUnsent: true }))
    }
    const session = this.#withRoom(request)
    if (session) return new Exchange(session, { request, headers }, sink)
    try {
      this.#openIfUseful(request)
    } catch (error) {
      // A certificate or key that cannot be read is found out here.
      return failLater(sink, new TransportError('connect', (error as Error).message, { isUnsent: true }))
    }
    return new Waiting({ request, headers, sink }, this.#room)
  }

  /** One session carries what many connections of HTTP/1.1 do. */
  warm(connections: number): Warming {
    const isOpen = [...this.#sessions].some(({ isUsable }) => isUsable)
    if (connections < 1 || isOpen || this.#isClosed) return NO_WARMING
    try {
      this.#openIfUseful({ needsFreshConnection: false })
    } catch {
      // The first request finds the same, and says so.
      return NO_WARMING
    }
    const settled = new Promise<void>((resolve) => this.#warming.add(resolve))
    return {
      opened: settled.then(() => [...this.#sessions].filter(({ isReady }) => isReady).length),
      giveUp: () => {
        for (const session of this.#sessions) {
          if (!session.isReady && this.#waiting.size === 0) session.destroy()
        }
        this.#warmed()
      },
    }
  }

  close(): void {
    this.#isClosed = true
    for (const session of this.#sessions) {
      if (session.isReady) session.retire()
      else if (this.#waiting.size === 0) session.destroy()
    }
    this.#stopSweeping()
  }

  onReady(session: Session): void {
    this.#warmed()
    this.#serveWaiting(session)
    if (this.#isClosed) session.retire()
  }

  onRoom(session: Session): void {
    if (session.served >= this.#identity.keepalive.requests && session.isUsable) session.retire()
    else this.#serveWaiting(session)
    if (this.#waiting.size > 0) this.#openForWaiting()
  }

  onClosed(session: Session, error: Error | undefined): void {
    this.#sessions.delete(session)
    this.#warmed()
    if (this.#sessions.size === 0) this.#stopSweeping()
    // Of those that may still get ready every waiting attempt can be served; without one they fail with the reason.
    if (error && ![...this.#sessions].some(({ isUsable }) => isUsable)) {
      for (const waiting of [...this.#waiting]) {
        waiting.fail(new TransportError('connect', error.message, { isUnsent: true }))
      }
    } else if (this.#waiting.size > 0) this.#openForWaiting()
  }

  #warmed(): void {
    for (const resolve of this.#warming) resolve()
    this.#warming.clear()
  }

  #withRoom({ needsFreshConnection }: OutgoingRequest): Session | undefined {
    // What waits came first, unless it asks for what this one does not.
    for (const session of this.#sessions) {
      if (session.hasRoom && !(needsFreshConnection && session.served > 0)) return session
    }
    return undefined
  }

  /** Opens a session, unless one is being opened already or there are enough. */
  #openIfUseful({ needsFreshConnection }: Pick<OutgoingRequest, 'needsFreshConnection'>): void {
    let usable = 0
    for (const session of this.#sessions) {
      if (session.isUsable && !session.isReady) return
      if (session.isUsable) usable++
    }
    if (usable >= this.#limits.sessions) {
      if (needsFreshConnection) [...this.#sessions].find(({ isUsable }) => isUsable)?.retire()
      else return
    }
    this.#sessions.add(new Session(this.#identity, this, this.#now))
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  #openForWaiting(): void {
    try {
      this.#openIfUseful({ needsFreshConnection: false })
    } catch (error) {
      for (const waiting of [...this.#waiting]) {
        waiting.fail(new TransportError('connect', (error as Error).message, { isUnsent: true }))
      }
    }
  }

  /** An attempt waited in vain: a session that did not get ready meanwhile never will, and must not keep others waiting. */
  #onLate(connectMs: number): void {
    const since = this.#now() - connectMs
    for (const session of this.#sessions) {
      if (!session.isReady && (session.idleSince <= since || this.#waiting.size === 0)) session.destroy()
    }
  }

  #serveWaiting(session: Session): void {
    for (const waiting of [...this.#waiting]) {
      if (!session.hasRoom) return
      if (waiting.attempt.request.needsFreshConnection && session.served > 0) continue
      waiting.begin((attempt) => new Exchange(session, attempt, attempt.sink))
    }
  }

  #sweep(): void {
    const oldest = this.#now() - this.#identity.keepalive.idleMs
    for (const session of this.#sessions) {
      if (session.isReady && session.streams === 0 && session.idleSince <= oldest) session.retire()
    }
  }

  #stopSweeping(): void {
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

interface Attempt {
  readonly request: OutgoingRequest
  readonly headers: OutgoingHttpHeaders
  readonly sink: ResponseSink
}
