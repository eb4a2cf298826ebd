import net from 'node:net'
import tls from 'node:tls'
import { connectOptions } from '../../lib/socket-path.ts'
import type { PoolIdentity } from '../pool-registry.ts'
import { nodeName } from '../spec.ts'
import {
  type BodyConsumer,
  type OutgoingRequest,
  type ResponseHead,
  type ResponseSink,
  type Sending,
  TransportError,
} from '../transport.ts'
import { giveBuffer, READ_BUFFER_BYTES, takeBuffer } from './read-buffers.ts'
import { writeLastChunk } from './request-head.ts'
import { MalformedResponseError } from './response-head.ts'
import { type ParserSink, ResponseParser } from './response-parser.ts'

/** Plain sockets of the process read into one buffer, but for the rest of a body that one read does not bring. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)

/** What a connection tells the pool it belongs to. */
export interface ConnectionOwner {
  /** The exchange is over and the connection can serve again. */
  onIdle(connection: Connection): void
  /** Closed, for whatever reason; called once. */
  onClosed(connection: Connection): void
}

/** One socket to a node, one exchange at a time: no pipelining. */
export class Connection implements ParserSink, BodyConsumer, Sending {
  readonly #owner: ConnectionOwner
  readonly #socket: net.Socket
  readonly #parser = new ResponseParser(this)
  #request: OutgoingRequest | undefined
  #sink: ResponseSink | undefined
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  #phase: 'connecting' | 'sending' | 'reading' = 'connecting'
  #isBodySent = true
  /** The node takes the body slower than the client gives it. */
  #isBlocked = false
  #hasAnswerBytes = false
  #isPaused = false
  /** What plain reads go to while a long body comes: its bytes may be kept by the sink as long as it pauses. */
  #ownBuffer: Buffer | undefined
  #mayKeep = false
  #isClosed = false
  /** It stood open when the exchange began, so that the node may have closed it meanwhile. */
  #wasOpen = false
  /** Exchanges completed. */
  served = 0
  /** Monotonic ms of the moment it became idle; kept by the pool. */
  idleSince = 0

  /** `maySwitch`: for one request that asks for another protocol; the socket can be handed over then. */
  constructor(identity: PoolIdentity, owner: ConnectionOwner, maySwitch = false) {
    this.#owner = owner
    this.#socket = this.#open(identity, maySwitch)
    this.#socket.setNoDelay(true)
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('end', () => this.#onSocketEnd())
    this.#socket.on('close', () => this.#fail(new Error('the node closed the connection')))
    this.#socket.on('drain', () => this.#onDrain())
  }

  /** Sends a request on an idle or new connection; `head` is what it looks like on the wire. */
  start(request: OutgoingRequest, head: string, sink: ResponseSink): void {
    this.#request = request
    this.#sink = sink
    this.#hasAnswerBytes = false
    this.#isBlocked = false
    this.#isBodySent = request.body === undefined
    this.#parser.expect(request.method, request.upgrade !== undefined)
    this.#wasOpen = !this.#socket.connecting
    this.#socket.write(head, 'latin1')
    if (this.#socket.connecting) this.#watch('connecting', request.connectMs)
    else this.#onReady()
  }

  resume(sink: ResponseSink): void {
    if (!this.#isPaused || this.#sink !== sink) return
    this.#isPaused = false
    this.#armTimer()
    this.#socket.resume()
  }

  abort(sink: ResponseSink): void {
    if (this.#sink !== sink) return
    this.#sink = undefined
    this.#destroy()
  }

  /** Closes an idle connection. */
  close(): void {
    this.#destroy()
  }

  onChunk(chunk: Uint8Array): boolean {
    // A chunk of no bytes would be read as the end of the body.
    if (chunk.length === 0) return true
    const hasLength = this.#request?.body?.length !== undefined
    const isRoomLeft = hasLength ? this.#socket.write(chunk) : this.#writeChunk(chunk)
    this.#isBlocked = !isRoomLeft && this.#socket.writableLength > 0
    this.#armTimer()
    return !this.#isBlocked
  }

  /** End of the request's body. */
  onEnd(trailers: readonly string[] = []): void {
    if (this.#request?.body?.length === undefined) this.#socket.write(writeLastChunk(trailers), 'latin1')
    this.#isBodySent = true
    if (this.#phase === 'sending') this.#watch('reading', this.#request!.readMs)
  }

  onEarlyHints(headers: readonly string[]): void {
    this.#sink?.onEarlyHints(headers)
  }

  onHead(head: ResponseHead): void {
    this.#sink?.onHead(head)
  }

  onBody(bytes: Buffer): void {
    if (this.#sink?.onData(bytes, this.#mayKeep) === false) this.#isPaused = true
  }

  onMessageEnd(mayReuse: boolean, trailers: readonly string[] | undefined): void {
    const sink = this.#sink
    const wasBodySent = this.#isBodySent
    this.#giveUpBuffer()
    this.#request?.body?.detach()
    this.#sink = undefined
    this.#request = undefined
    this.#isPaused = false
    this.served++
    if (mayReuse && wasBodySent && !this.#isClosed) this.#owner.onIdle(this)
    else this.#destroy()
    sink?.onEnd(trailers)
  }

  onSwitch(head: ResponseHead, protocol: string | undefined, rest: Buffer): void {
    const upgrade = this.#request!.upgrade!
    if (protocol === undefined || !isAmong(protocol, upgrade.protocol)) {
      throw new MalformedResponseError(
        `101 to ${JSON.stringify(protocol)} where ${upgrade.protocol} was asked for`,
      )
    }
    const socket = this.#socket
    this.#sink = undefined
    this.#letGo()
    // What else listens to it does nothing any more: there is no sink and nothing to destroy.
    socket.pause()
    socket.removeAllListeners('data')
    if (rest.length > 0) socket.unshift(rest)
    upgrade.onSwitched(head, protocol, socket)
  }

  #writeChunk(chunk: Uint8Array): boolean {
    this.#socket.cork()
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    this.#socket.write(chunk)
    const isRoomLeft = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return isRoomLeft
  }

  #open(identity: PoolIdentity, maySwitch: boolean): net.Socket {
    const place = connectOptions(identity)
    if (identity.scheme === 'http' && maySwitch) {
      const socket = net.connect({ ...place, allowHalfOpen: true }, () => this.#onReady())
      return this.#readByEvents(socket)
    }
    if (identity.scheme === 'http') {
      const onread = {
        buffer: () => this.#nextBuffer(),
        callback: (size: number, buffer: Uint8Array) => this.#onPlainRead(size, buffer as Buffer),
      }
      return net.connect({ ...place, onread }, () => this.#onReady())
    }
    const serverName = identity.serverName ?? nodeName(identity)
    const socket = tls.connect({
      ...place,
      ...(net.isIP(serverName) === 0 && { servername: serverName }),
      ...(identity.secureContext && { secureContext: identity.secureContext() }),
      rejectUnauthorized: identity.tls?.verify === true,
      ALPNProtocols: ['http/1.1'],
      ...(maySwitch && HALF_OPEN),
    })
    socket.on('secureConnect', () => this.#onReady())
    return this.#readByEvents(socket)
  }

  #readByEvents(socket: net.Socket): net.Socket {
    return socket.on('data', (chunk: Buffer) => {
      if (!this.#onRead(chunk, true)) socket.pause()
    })
  }

  #onPlainRead(size: number, buffer: Buffer): boolean {
    return this.#onRead(buffer.subarray(0, size), buffer !== readBuffer)
  }

  /** Asked before the first read and after each one. */
  #nextBuffer(): Buffer {
    if (!this.#sink || !this.#parser.isInBody) return readBuffer
    this.#ownBuffer ??= takeBuffer()
    return this.#ownBuffer
  }

  /** While the connection is paused, the sink may still have bytes in the buffer. */
  #giveUpBuffer(): void {
    if (this.#ownBuffer && !this.#isPaused) giveBuffer(this.#ownBuffer)
    this.#ownBuffer = undefined
  }

  #onReady(): void {
    const request = this.#request
    if (!request) {
      // It was opened for a request to come.
      if (!this.#isClosed) this.#owner.onIdle(this)
      return
    }
    if (!request.body) {
      this.#watch('reading', request.readMs)
      return
    }
    this.#watch('sending', request.sendMs)
    request.body.attach(this)
  }

  /** Returns false to stop reading. */
  #onRead(bytes: Buffer, mayKeep: boolean): boolean {
    if (this.#isClosed) return false
    this.#hasAnswerBytes = true
    this.#mayKeep = mayKeep
    try {
      this.#parser.push(bytes)
    } catch (error) {
      this.#fail(error as Error, 'protocol')
      return false
    }
    if (this.#sink) {
      this.#armTimer()
      this.#sink.onLull()
    }
    return !this.#isPaused
  }

  #onDrain(): void {
    this.#isBlocked = false
    if (this.#isBodySent) return
    this.#armTimer()
    this.#request?.body?.resume()
  }

  #onSocketEnd(): void {
    if (this.#parser.end()) return
    this.#fail(new Error('the node closed the connection'))
  }

  /** Starts the clock of a phase; every sign of progress starts it anew. */
  #watch(phase: 'connecting' | 'sending' | 'reading', ms: number): void {
    this.#phase = phase
    if (this.#timer && this.#timerMs === ms) {
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#timerMs = ms
    this.#timer = setTimeout(() => this.#onTimeout(), ms)
    this.#timer.unref()
  }

  #armTimer(): void {
    this.#timer?.refresh()
  }

  #onTimeout(): void {
    // An idle connection keeps its timer, so that the next exchange only has to refresh it.
    // It is not cleared while the node has to wait for the client, either: a cleared timer cannot be refreshed.
    if (!this.#sink || this.#isPaused || (this.#phase === 'sending' && !this.#isBlocked)) return
    const kind = TIMEOUT_KIND[this.#phase]
    this.#fail(new Error(`no progress within ${this.#timerMs} ms while ${this.#phase}`), kind)
  }

  #fail(error: Error, kind?: TransportError['kind']): void {
    const sink = this.#sink
    this.#sink = undefined
    const isUnsent = this.#socket.connecting || this.#phase === 'connecting'
    const isStaleConnection = this.#wasOpen && !this.#hasAnswerBytes && kind === undefined
    this.#destroy()
    if (!sink) return
    const cause = kind ?? (isUnsent ? 'connect' : 'reset')
    sink.onError(new TransportError(cause, error.message, { isUnsent, isStaleConnection }))
  }

  #destroy(): void {
    if (this.#isClosed) return
    this.#socket.destroy()
    this.#letGo()
  }

  #letGo(): void {
    this.#isClosed = true
    this.#giveUpBuffer()
    clearTimeout(this.#timer)
    this.#request?.body?.detach()
    this.#request = undefined
    this.#owner.onClosed(this)
  }
}

/** Whether a node switched to one of the protocols in a list, names compared without case (RFC 9110 §7.8). */
function isAmong(protocol: string, asked: string): boolean {
  const lower = protocol.toLowerCase()
  return asked.split(',').some((one) => one.trim().toLowerCase() === lower)
}

/** Known to `tls.connect`, and not to its types. */
const HALF_OPEN = { allowHalfOpen: true }

const TIMEOUT_KIND = {
  connecting: 'connect-timeout',
  sending: 'send-timeout',
  reading: 'read-timeout',
} as const
