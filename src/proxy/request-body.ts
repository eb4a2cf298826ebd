import type { IncomingMessage } from 'node:http'
import { BodyGoneError, BodyTooLargeError, type ClientBody } from '../plugin/context/client-body.ts'
import type { BodyTap } from '../plugin/definition.ts'
import type { BodyConsumer, OutgoingBody } from '../upstream/transport.ts'
import { isGrpc } from './grpc-status.ts'
import { passableTrailers } from './trailers.ts'

/** How much of a body is kept for another attempt; what is longer can be sent only once. */
const REPLAY_BYTES = 64 * 1024
/** A timer asked for more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** How long a body may take before its rate counts. */
const RATE_GRACE_MS = 10_000

/** How much of a client's body is waited for; fixed for the process (docs/reference/limits.md). */
export interface BodyLimits {
  /** Longest gap between two parts. */
  readonly stallMs: number
  /** How long, in all, the rest of a body that nobody wants any more is read and dropped before its connection is cut. */
  readonly discardMs: number
  /** Longest body; counted as it streams. */
  readonly bytes: number
  /** Least bytes per second, 0 for any; time during which the node takes nothing does not count. */
  readonly minRate: number
  /** How long a body may take before its rate counts; 10 s unless told. */
  readonly rateGraceMs?: number
}

/** nginx's timeout, no limit, any rate. */
const NO_LIMITS: BodyLimits = {
  stallMs: 60_000,
  discardMs: 60_000,
  bytes: Number.MAX_SAFE_INTEGER,
  minRate: 0,
}

/** What a body asks of the request that it belongs to. */
export interface BodyOwner {
  /** The client waits to be asked for its body (`Expect: 100-continue`), and now it is wanted. Called once at most. */
  onBodyWanted(): void
  /** The client was waited for, and sent nothing for too long. */
  onBodyStalled(): void
  /** More came than is allowed; nothing more of it is handed on. */
  onBodyTooLarge(): void
  /** The body comes more slowly than is allowed; told at every part of it. */
  onBodyTooSlow(): void
}

/** A client's body on its way to a node. It is read only once an attempt asks for it, and as fast as the node takes it. */
export class RequestBody implements OutgoingBody, ClientBody {
  readonly length: number | undefined
  /** Bytes read from the client so far. */
  bytesRead = 0
  readonly #request: IncomingMessage
  readonly #owner: BodyOwner
  #limits: BodyLimits
  /** Whether the client still waits to be asked for it: then the body may come, or the next request in its place. */
  isHeldBack: boolean
  #kept: Buffer[] = []
  /** Bodies up to this are kept whole. */
  #keptBytes = REPLAY_BYTES
  #isWholeKept = true
  /** A plugin has read of it and no attempt has: all of that has to be kept, however long. */
  #isPromised = false
  /** The last plugin's reading; one waits for the other. */
  #collecting: Promise<unknown> | undefined
  #giveUpCollecting: ((reason: Error) => void) | undefined
  #isReading = false
  #hasEnded = false
  #isDiscarded = false
  #consumer: BodyConsumer | undefined
  #tap: BodyTap | undefined
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  #pausedAt = 0

  /** `length` is what the head announces, `undefined` for a chunked body. */
  constructor(
    request: IncomingMessage,
    owner: BodyOwner,
    { length, limits = NO_LIMITS }: { length: number | undefined; limits?: BodyLimits },
  ) {
    this.#request = request
    this.#owner = owner
    this.#limits = limits
    this.length = length
    // HTTP/1.0 knows no interim answer. Expectations but this one were refused when the head was read.
    this.isHeldBack = request.headers.expect !== undefined && request.httpVersionMinor > 0
  }

  /** Whether another attempt can be given the body from its start. */
  get isReplayable(): boolean {
    return this.#isWholeKept
  }

  attach(consumer: BodyConsumer): void {
    this.#consumer = consumer
    let isRoomLeft = true
    for (const chunk of this.#kept) isRoomLeft = consumer.onChunk(chunk) && isRoomLeft
    this.#isPromised = false
    if (this.bytesRead > this.#keptBytes) this.forget()
    if (this.#hasEnded) consumer.onEnd(trailersOf(this.#request))
    else if (!this.#isReading) this.#read()
    else if (isRoomLeft) this.resume()
  }

  resume(): void {
    if (this.#hasEnded) return
    this.#timer?.refresh()
    this.#unpause()
  }

  detach(): void {
    this.#consumer = undefined
    if (this.#isReading && !this.#hasEnded) this.#pause()
  }

  async collect(maxBytes: number): Promise<Buffer> {
    const read = () => this.#readWhole(maxBytes)
    const reading = this.#collecting ? this.#collecting.then(read, read) : read()
    this.#collecting = reading
    return reading
  }

  whole(): Buffer | undefined {
    return this.#hasEnded && this.#isWholeKept ? Buffer.concat(this.#kept) : undefined
  }

  tap(tap: BodyTap): void {
    for (const chunk of this.#kept) tap.write(chunk)
    this.#tap = tap
    if (this.#hasEnded || this.#isDiscarded) this.#endTap()
  }

  limit(bytes: number): void {
    this.#limits = { ...this.#limits, bytes }
  }

  /**
   * The exchange is over: what still comes is dropped for a while, so that the client can read the answer and send a next request.
   * What is kept stays until {@link forget}.
   */
  discard(): void {
    clearTimeout(this.#timer)
    this.#consumer = undefined
    this.#isDiscarded = true
    this.#endTap()
    this.#giveUpCollecting?.(new BodyGoneError())
    const request = this.#request
    if (request.readableEnded || request.destroyed) return
    this.#timer = setTimeout(() => request.socket.destroy(), this.#limits.discardMs).unref()
    const stop = () => clearTimeout(this.#timer)
    request.once('end', stop).once('close', stop).resume()
  }

  /** Nothing of it is needed any more, by other attempts or by anybody else. */
  forget(): void {
    this.#isWholeKept = false
    this.#kept = []
  }

  #readWhole(maxBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#giveUpCollecting = undefined
        if (!this.#isDiscarded) this.detach()
        end()
      }
      const giveUp = (reason: Error) => settle(() => reject(reason))
      if (this.#isDiscarded) return giveUp(new BodyGoneError())
      if (Math.max(this.length ?? 0, this.bytesRead) > maxBytes)
        return giveUp(new BodyTooLargeError(maxBytes))
      if (this.#hasEnded) return resolve(Buffer.concat(this.#kept))
      this.#isPromised = true
      this.#keptBytes = Math.max(this.#keptBytes, maxBytes)
      this.#giveUpCollecting = giveUp
      this.#consumer = {
        onChunk: () => {
          if (this.bytesRead <= maxBytes) return true
          giveUp(new BodyTooLargeError(maxBytes))
          return false
        },
        onEnd: () => settle(() => resolve(Buffer.concat(this.#kept))),
      }
      if (this.#isReading) this.resume()
      else this.#read()
    })
  }

  #read(): void {
    this.#isReading = true
    if (this.isHeldBack) {
      this.isHeldBack = false
      this.#owner.onBodyWanted()
    }
    this.#startedAt = performance.now()
    this.#timer = setTimeout(() => this.#onTimeout(), this.#limits.stallMs).unref()
    this.#request.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#request.on('end', () => {
      clearTimeout(this.#timer)
      this.#hasEnded = true
      this.#endTap()
      this.#consumer?.onEnd(trailersOf(this.#request))
    })
  }

  #onData(chunk: Buffer): void {
    this.bytesRead += chunk.length
    if (this.bytesRead > this.#limits.bytes) {
      this.forget()
      if (this.#consumer) this.#owner.onBodyTooLarge()
      return
    }
    if (this.#isDiscarded) this.forget()
    else if (this.#isWholeKept) this.#keep(chunk)
    this.#timer?.refresh()
    this.#tap?.write(chunk)
    if (this.#consumer?.onChunk(chunk) === false) this.#pause()
    else if (this.#isTooSlow()) this.#owner.onBodyTooSlow()
  }

  #isTooSlow(): boolean {
    const { minRate, rateGraceMs = RATE_GRACE_MS } = this.#limits
    if (minRate === 0 || !this.#consumer) return false
    const countedMs = performance.now() - this.#startedAt - rateGraceMs
    return countedMs > 0 && this.bytesRead * 1000 < countedMs * minRate
  }

  #pause(): void {
    this.#request.pause()
    this.#pausedAt ||= performance.now()
  }

  /** What the node kept waiting is not the client's time. */
  #unpause(): void {
    if (this.#pausedAt > 0) this.#startedAt += performance.now() - this.#pausedAt
    this.#pausedAt = 0
    this.#request.resume()
  }

  #onTimeout(): void {
    // While it is paused it is the node that keeps everyone waiting, and the attempt has its own timeout for that.
    if (this.#consumer && !this.#request.isPaused()) this.#owner.onBodyStalled()
  }

  #keep(chunk: Buffer): void {
    if (this.#isPromised || this.bytesRead <= this.#keptBytes) this.#kept.push(chunk)
    else this.forget()
  }

  #endTap(): void {
    const tap = this.#tap
    this.#tap = undefined
    tap?.end(this.#hasEnded)
  }
}

/** The body of a request, or `undefined` when its head announces none. */
export function bodyOf(
  request: IncomingMessage,
  owner: BodyOwner,
  limits: BodyLimits = NO_LIMITS,
): RequestBody | undefined {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined)
    return new RequestBody(request, owner, { length: undefined, limits: limitsFor(request, limits) })
  const length = headers['content-length']
  return length === undefined
    ? undefined
    : new RequestBody(request, owner, { length: Number(length), limits })
}

/** A gRPC client may be silent while it listens; how long is for the deadline it sent and the timeouts toward the node to say. */
function limitsFor({ headers }: IncomingMessage, limits: BodyLimits): BodyLimits {
  return isGrpc(headers['content-type']) ? { ...limits, stallMs: LONGEST_TIMER_MS, minRate: 0 } : limits
}

function trailersOf({ rawTrailers }: IncomingMessage): readonly string[] | undefined {
  return rawTrailers.length > 0 ? passableTrailers(rawTrailers) : undefined
}
