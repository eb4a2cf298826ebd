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
import { FloodGuard, type FloodKind } from './flood-guard.ts'
import { Request, Response } from './messages.ts'

const MAX_CONCURRENT_STREAMS = 128
/** Megabytes of frames and headers that one connection may hold. */
const MAX_SESSION_MEMORY = 4
const MAX_INVALID_FRAMES = 100
const MAX_REJECTED_STREAMS = 100
/** The pseudo headers of a request, and one header more than allowed, so that it is noticed and answered. */
const EXTRA_HEADERS = 6
/** The least that a connection without a stream is kept: an HTTP/2 client cannot be asked to close after one. */
const LEAST_IDLE_MS = 1000

/** What a connection is allowed. */
export interface Http2Limits {
  /** Of one header block. */
  readonly headBytes: number
  readonly headers: number
  /** How long a connection without a stream is kept. */
  readonly keepAliveTimeoutMs: number
  /** How long a client may take nothing of an answer that waits for it. */
  readonly sendTimeoutMs: number
}

/** Codes that the gateway itself resets streams with. */
const OWN_CODES: ReadonlySet<number> = new Set([
  constants.NGHTTP2_NO_ERROR,
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_REFUSED_STREAM,
])

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
  readonly #sessions = new Set<ServerHttp2Session>()
  #isDraining = false

  /** `route` gets every request, with a response that takes what HTTP/1's takes. */
  constructor(
    route: (request: Request, response: Response) => void,
    { logger, limits }: { logger: Logger; limits: Http2Limits },
  ) {
    this.#logger = logger
    this.#limits = limits
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
      if (SERVED.has(request.method)) route(request, response)
      else response.writeHead(400, ['content-length', '0']).end()
    }
    this.#server.on('session', (session) => this.#watch(session))
    this.#server.on('request', take)
    // The gateway says "continue" itself, once it wants the body.
    this.#server.on('checkContinue', take)
  }

  /** Connections now. */
  get size(): number {
    return this.#sessions.size
  }

  /** Speaks HTTP/2 on a connection from here on; what the client has said already was put back. */
  serve(socket: Duplex): void {
    this.#server.emit('connection', socket)
  }

  /** Tells every client to send nothing new (GOAWAY); connections close once their streams have ended. */
  startDraining(): void {
    this.#isDraining = true
    for (const session of this.#sessions) session.close()
  }

  #watch(session: ServerHttp2Session): void {
    const { keepAliveTimeoutMs, sendTimeoutMs } = this.#limits
    const guard = new FloodGuard()
    let streams = 0
    const count = (kind: FloodKind) => {
      if (guard.isTooMany(kind, performance.now())) this.#expel(session, kind)
    }
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    session.on('ping', () => count('ping'))
    session.on('remoteSettings', () => count('settings'))
    session.setTimeout(Math.max(keepAliveTimeoutMs, LEAST_IDLE_MS), () => {
      if (streams === 0) session.close()
    })
    session.on('stream', (stream) => {
      streams++
      stream.once('close', () => {
        streams--
        if (!OWN_CODES.has(stream.rstCode ?? 0)) count('reset')
      })
      stream.setTimeout(sendTimeoutMs, () => {
        if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL)
      })
      if (this.#isDraining && !session.closed) session.close()
    })
  }

  #expel(session: ServerHttp2Session, kind: FloodKind): void {
    if (session.destroyed) return
    this.#logger.warn({ peer: session.socket?.remoteAddress, kind }, 'an HTTP/2 client floods; it is cut off')
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
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
