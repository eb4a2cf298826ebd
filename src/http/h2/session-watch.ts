import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Http2Limits } from './door.ts'
import { FloodGuard, type FloodKind } from './flood-guard.ts'
import { FrameBudget } from './frame-budget.ts'
import { hasGivenUp } from './given-up.ts'

/** The least that a connection without a stream is kept: an HTTP/2 client cannot be asked to close after one. */
const LEAST_IDLE_MS = 1000
/**
 * Stalled streams are gathered for so long and reset together: Node takes a reset of one for a sign of life of all, and would find the
 * next one stalled only after another whole timeout.
 */
const GATHER_MS = 100

/** Codes that the gateway itself resets streams with. */
const OWN_CODES: ReadonlySet<number> = new Set([
  constants.NGHTTP2_NO_ERROR,
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_REFUSED_STREAM,
])

/** What ends a connection from this side. */
export interface SessionEvents {
  flood(kind: FloodKind): void
  /** The client broke the protocol and was told so (GOAWAY); nothing that it says is read any more. */
  givenUp(): void
}

/** One connection's clocks and counts, from its first frame to its end. */
export class SessionWatch {
  readonly session: ServerHttp2Session
  /** To be told of the bodies that come. */
  readonly budget: FrameBudget
  readonly #limits: Http2Limits
  readonly #on: SessionEvents
  readonly #guard = new FloodGuard()
  /** Open now. */
  #streams = 0
  /** Open now, or over. */
  #served = 0
  readonly #stalled: ServerHttp2Stream[] = []
  #cutTimer: NodeJS.Timeout | undefined

  /** Both of `on` are to end the connection. */
  constructor(session: ServerHttp2Session, limits: Http2Limits, on: SessionEvents) {
    this.session = session
    this.#limits = limits
    this.#on = on
    this.budget = new FrameBudget(limits.headBytes)
    session.once('close', () => clearTimeout(this.#cutTimer))
    session.on('ping', () => this.#count('ping'))
    session.on('remoteSettings', () => this.#count('settings'))
    session.on('stream', (stream) => this.#watchStream(stream))
    const idleMs = Math.max(limits.keepAliveTimeoutMs, LEAST_IDLE_MS)
    session.setTimeout(idleMs)
    session.on('timeout', () => {
      if (this.#streams === 0) session.close()
      else session.setTimeout(idleMs)
    })
  }

  /** No stream is open, and new ones may be. */
  get isIdle(): boolean {
    return this.#streams === 0 && !this.session.closed
  }

  /** To be called once a second. */
  tick(): void {
    const { socket, destroyed } = this.session
    if (destroyed) return
    if (socket && this.budget.isSpent(socket)) this.#on.flood('frames')
    else if (hasGivenUp(this.session)) this.#on.givenUp()
  }

  #count(kind: Exclude<FloodKind, 'frames'>): void {
    if (this.#guard.isTooMany(kind, performance.now())) this.#on.flood(kind)
  }

  #watchStream(stream: ServerHttp2Stream): void {
    this.#streams++
    this.budget.stream()
    // As a connection of HTTP/1 ends after so many; streams that are open finish (GOAWAY, RFC 9113 §6.8).
    if (++this.#served >= this.#limits.keepAliveRequests && !this.session.closed) this.session.close()
    stream.once('close', () => {
      this.#streams--
      if (!OWN_CODES.has(stream.rstCode ?? 0)) this.#count('reset')
    })
    stream.setTimeout(this.#limits.sendTimeoutMs)
    // More than once: the first time the node may not have answered yet, and what it writes later starts the clock again.
    stream.on('timeout', () => {
      if (stream.writableLength === 0) return
      this.#stalled.push(stream)
      this.#cutTimer ??= setTimeout(() => this.#cutStalled(), GATHER_MS).unref()
    })
  }

  #cutStalled(): void {
    this.#cutTimer = undefined
    for (const stream of this.#stalled.splice(0)) {
      if (!stream.destroyed && stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL)
    }
  }
}
