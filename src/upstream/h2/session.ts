import type { SecureClientSessionOptions } from 'node:http2'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import net from 'node:net'
import { isSocketPath } from '../../lib/socket-path.ts'
import type { PoolIdentity } from '../pool-registry.ts'
import { formatAddress, isTlsScheme, nodeName } from '../spec.ts'

/** What a node may send ahead on one stream before the client has taken it. */
const STREAM_WINDOW_BYTES = 256 * 1024
const SESSION_WINDOW_BYTES = 4 * 1024 * 1024
/** Megabytes; streams beyond are refused by Node. */
const MAX_SESSION_MEMORY = 64
/** A node that was silent for so long is asked whether it lives when a request is sent. */
const SILENCE_MS = 10_000
/** How long the answer may take. */
const PING_TIMEOUT_MS = 5000
/** With streams open and silent; gRPC servers end connections that ping more often than every 5 minutes. */
const PING_INTERVAL_MS = 310_000

/** What a session tells the pool it belongs to. */
export interface SessionOwner {
  /** The node's settings have arrived: streams may be opened. */
  onReady(session: Session): void
  /** A stream has ended, so that there is room for another one. */
  onRoom(session: Session): void
  /** Closed, for whatever reason; called once. `error` when it never became ready. */
  onClosed(session: Session, error: Error | undefined): void
}

/**
 * One HTTP/2 connection to a node. Nothing is sent on it before the node's own settings came: until then every attempt is known to
 * be unsent, and the number of streams that the node takes is known afterwards.
 */
export class Session {
  readonly #owner: SessionOwner
  readonly #session: ClientHttp2Session
  readonly #now: () => number
  #pinger: NodeJS.Timeout | undefined
  #pingTimer: NodeJS.Timeout | undefined
  #error: Error | undefined
  #isReady = false
  #isRetiring = false
  #isClosed = false
  #streams = 0
  #heardAt: number
  /** Streams opened so far. */
  served = 0
  /** Monotonic ms of the moment it became idle; kept by the pool. */
  idleSince: number

  /** `now` is monotonic, in ms. Throws when a certificate or key of the identity cannot be read. */
  constructor(identity: PoolIdentity, owner: SessionOwner, now: () => number) {
    this.#owner = owner
    this.#now = now
    this.#heardAt = now()
    this.idleSince = this.#heardAt
    this.#session = open(identity)
    const session = this.#session
    session.once('remoteSettings', () => this.#onSettings())
    session.on('goaway', () => this.retire())
    session.on('error', (error) => {
      this.#error ??= error
    })
    session.once('close', () => this.#onClose())
    // A node that ends the connection without a GOAWAY.
    session.once('connect', () => session.socket?.once('end', () => session.destroy()))
  }

  get streams(): number {
    return this.#streams
  }

  /** Whether another stream may be opened now. */
  get hasRoom(): boolean {
    return (
      this.isUsable &&
      this.#isReady &&
      this.#streams < (this.#session.remoteSettings.maxConcurrentStreams ?? 0)
    )
  }

  /** Not closed, and takes new streams, now or later. */
  get isUsable(): boolean {
    return !this.#isRetiring && !this.#session.closed && !this.#session.destroyed
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Opens a stream; the caller made sure that there is room. Throws on headers that Node refuses. */
  request(
    headers: OutgoingHttpHeaders,
    options: { endStream: boolean; waitForTrailers: boolean },
  ): ClientHttp2Stream {
    const stream = this.#session.request(headers, options)
    this.#streams++
    this.served++
    stream.once('close', () => this.#onStreamClose())
    if (this.#now() - this.#heardAt > SILENCE_MS) this.probe()
    this.#pinger ??= setInterval(() => this.#streams > 0 && this.probe(), PING_INTERVAL_MS).unref()
    return stream
  }

  /** The node has sent something. */
  noteHeard(): void {
    this.#heardAt = this.#now()
  }

  /** Asks the node whether it lives; one that does not answer loses the connection, and every attempt on it. */
  probe(): void {
    if (this.#pingTimer || this.#isClosed || !this.#isReady || this.#session.destroyed) return
    this.#pingTimer = setTimeout(() => {
      this.destroy(new Error(`the node did not answer a ping within ${PING_TIMEOUT_MS} ms`))
    }, PING_TIMEOUT_MS).unref()
    this.#session.ping(() => {
      this.noteHeard()
      clearTimeout(this.#pingTimer)
      this.#pingTimer = undefined
    })
  }

  /** Takes no more streams; closes once those under way have ended. */
  retire(): void {
    this.#isRetiring = true
    if (!this.#session.destroyed) this.#session.close()
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.#isRetiring = true
    this.#session.destroy()
  }

  /** Why it ended, when it did not end by itself. */
  get error(): Error | undefined {
    return this.#error
  }

  #onSettings(): void {
    this.#isReady = true
    this.noteHeard()
    if (this.isUsable) this.#owner.onReady(this)
  }

  #onStreamClose(): void {
    this.#streams--
    if (this.#streams === 0) this.idleSince = this.#now()
    this.#owner.onRoom(this)
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isRetiring = true
    clearInterval(this.#pinger)
    clearTimeout(this.#pingTimer)
    const unready = this.#error ?? new Error('the node closed the connection before it spoke HTTP/2')
    this.#owner.onClosed(this, this.#isReady ? undefined : unready)
  }
}

function open(identity: PoolIdentity): ClientHttp2Session {
  const isTls = isTlsScheme(identity.scheme)
  const { host, port } = identity
  const isSocket = isSocketPath(host)
  const address = isSocket ? nodeName(identity) : formatAddress(host, port)
  const session = http2.connect(`${isTls ? 'https' : 'http'}://${address}`, {
    ...(isSocket && { path: host }),
    maxSessionMemory: MAX_SESSION_MEMORY,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    ...(isTls && tlsOptions(identity)),
  })
  session.once('connect', () => {
    // It may have been destroyed in the turn in which it connected.
    if (session.destroyed) return
    if (isTls && session.alpnProtocol !== 'h2') {
      session.destroy(new Error('the node does not offer HTTP/2 (ALPN "h2")'))
    } else session.setLocalWindowSize(SESSION_WINDOW_BYTES)
  })
  return session
}

function tlsOptions(identity: PoolIdentity): SecureClientSessionOptions {
  const { serverName = nodeName(identity), secureContext, tls } = identity
  return {
    ...(net.isIP(serverName) === 0 && { servername: serverName }),
    ...(secureContext && { secureContext: secureContext() }),
    rejectUnauthorized: tls?.verify === true,
    ALPNProtocols: ['h2'],
  }
}
