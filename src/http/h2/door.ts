import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Logger } from '../../observe/logger.ts'
import { markLeave } from '../leave.ts'
import type { Refusal, RefusalObserver } from '../refusal.ts'
import { type CutReason, cutReasonOf } from './cut-reason.ts'
import { Request, Response } from './messages.ts'
import { SessionWatch } from './session-watch.ts'

const MAX_CONCURRENT_STREAMS = 128
/** Megabytes of frames and headers that one connection may hold. */
const MAX_SESSION_MEMORY = 4
const MAX_INVALID_FRAMES = 100
const MAX_REJECTED_STREAMS = 100
/** The pseudo headers of a request, and one header more than allowed, so that it is noticed and answered. */
const EXTRA_HEADERS = 6
/** How often connections are asked what they have read for nothing. */
const TICK_MS = 1000

/** What a connection is allowed. */
export interface Http2Limits {
  /** Of one header block. */
  readonly headBytes: number
  readonly headers: number
  /** How long a connection without a stream is kept. */
  readonly keepAliveTimeoutMs: number
  /** After so many streams it is told to open no more, and closed once those have ended. */
  readonly keepAliveRequests: number
  /** How long a client may take nothing of an answer that waits for it. */
  readonly sendTimeoutMs: number
}

/** Told of every connection that is cut, once; must not throw. */
export type CutObserver = (reason: CutReason) => void

export interface Http2DoorOptions {
  readonly logger: Logger
  readonly limits: Http2Limits
  readonly onHttp2Cut: CutObserver
  readonly onRefused: RefusalObserver
}

const UNKNOWN_METHOD: Refusal = { status: 400, reason: 'bad-request-line' }
const TOO_LARGE: Refusal = { status: 431, reason: 'header-too-large' }

const SERVED: ReadonlySet<string> = new Set(METHODS)

/** The connections of a data plane that speak HTTP/2, whichever listener they came in on. */
export class Http2Door {
  readonly #server: Http2Server<
    typeof IncomingMessage,
    typeof ServerResponse,
    typeof Request,
    typeof Response
  >
  readonly #logger: Logger
  readonly #limits: Http2Limits
  readonly #onCut: CutObserver
  readonly #watches = new Map<ServerHttp2Session, SessionWatch>()
  /** Runs while there is a connection. */
  #ticker: NodeJS.Timeout | undefined
  #isDraining = false
  /** The connection whose session is being made: the session shows no more than a stand-in for it. */
  #arriving: Duplex | undefined

  /** `route` gets every request, with a response that takes what HTTP/1's takes. */
  constructor(
    route: (request: Request, response: Response) => void,
    { logger, limits, onHttp2Cut, onRefused }: Http2DoorOptions,
  ) {
    this.#logger = logger
    this.#limits = limits
    this.#onCut = onHttp2Cut
    this.#server = createServer({
      maxSessionMemory: MAX_SESSION_MEMORY,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
      maxHeaderListPairs: limits.headers + EXTRA_HEADERS,
      settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS, maxHeaderListSize: limits.headBytes },
      Http2ServerRequest: Request,
      Http2ServerResponse: Response,
    })
    const take = (request: Request, response: Response) => {
      endUnreadBody(response.stream)
      const refusal = refusalOf(request, limits)
      if (!refusal) {
        const { endAfterHeaders, session } = request.stream
        if (!endAfterHeaders) request.bodyCount = this.#watches.get(session as ServerHttp2Session)?.budget
        route(request, response)
        return
      }
      const peerAddr = request.socket.remoteAddress ?? ''
      response.writeHead(refusal.status, ['content-length', '0']).end()
      onRefused({ ...refusal, peerAddr, request: request as unknown as IncomingMessage })
    }
    this.#server.on('session', (session) => this.#watch(session))
    this.#server.on('sessionError', (error, session) => {
      const reason = cutReasonOf(error)
      if (reason) this.#tell(session, reason)
    })
    this.#server.on('request', take)
    // The gateway says "continue" itself, once it wants the body.
    this.#server.on('checkContinue', take)
  }

  /** Connections now. */
  get size(): number {
    return this.#watches.size
  }

  /** Speaks HTTP/2 on a connection from here on; what the client has said already was put back. */
  serve(socket: Duplex): void {
    // An HTTP/1 server keeps connections whose client has said its last; nobody would end one of HTTP/2.
    socket.allowHalfOpen = false
    this.#arriving = socket
    this.#server.emit('connection', socket)
    this.#arriving = undefined
  }

  /** Tells every client to send nothing new (GOAWAY); connections close once their streams have ended. */
  startDraining(): void {
    this.#isDraining = true
    for (const session of this.#watches.keys()) session.close()
  }

  #watch(session: ServerHttp2Session): void {
    const watch = new SessionWatch(session, this.#limits, {
      flood: (kind) => this.#expel(session, kind),
      givenUp: () => {
        this.#tell(session, 'protocol-error')
        session.destroy()
      },
    })
    this.#watches.set(session, watch)
    if (this.#arriving) markLeave(this.#arriving, () => !session.destroyed && session.close())
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS).unref()
    session.once('close', () => this.#forget(session))
    session.on('stream', () => {
      if (this.#isDraining && !session.closed) session.close()
    })
  }

  #tick(): void {
    for (const watch of this.#watches.values()) {
      watch.tick()
      // One that came while a stop is under way is told by its first stream; without any it is not waited for.
      if (this.#isDraining && watch.isIdle) watch.session.close()
    }
  }

  #forget(session: ServerHttp2Session): void {
    this.#watches.delete(session)
    if (this.#watches.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  #expel(session: ServerHttp2Session, reason: CutReason): void {
    if (session.destroyed) return
    this.#tell(session, reason)
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #tell(session: ServerHttp2Session, reason: CutReason): void {
    // Its socket is gone once Node has ended it.
    const peer = session.destroyed ? undefined : session.socket.remoteAddress
    this.#logger.warn({ peer, reason }, 'an HTTP/2 connection was cut')
    this.#onCut(reason)
  }
}

/** What Node's HTTP/1 parser sees to, and that of HTTP/2 does not. */
function refusalOf({ method, rawHeaders }: Request, { headBytes }: Http2Limits): Refusal | undefined {
  if (!SERVED.has(method)) return UNKNOWN_METHOD
  return listSize(rawHeaders) > headBytes ? TOO_LARGE : undefined
}

/**
 * As SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 §6.5.2). nghttp2 holds only those clients to it that have acknowledged it, and one
 * byte may stand for a field of 4 KB.
 */
function listSize(flat: readonly string[]): number {
  let size = 16 * flat.length
  for (const part of flat) size += part.length
  return size
}

/** The answer is complete before the request is: the rest is not wanted (RFC 9113 §8.1). */
function endUnreadBody(stream: ServerHttp2Stream): void {
  if (stream.endAfterHeaders) return
  const close = () => {
    if (stream.destroyed || stream.readableEnded || stream.state.localClose !== 1) return
    stream.close(constants.NGHTTP2_NO_ERROR)
  }
  // The last frame, of a body or of trailers, goes out with the turn; a reset before it would take it back.
  stream.once('finish', () => setImmediate(close))
  stream.once('wantTrailers', () => setImmediate(close))
}
