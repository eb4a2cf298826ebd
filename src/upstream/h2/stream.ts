import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import {
  type BodyConsumer,
  type FailureKind,
  type OutgoingRequest,
  type ResponseSink,
  type Sending,
  TransportError,
} from '../transport.ts'
import { fieldBlock } from './request-headers.ts'
import { readFields, readHead } from './response-headers.ts'
import type { Session } from './session.ts'

/** Interim answers that are read before a node is taken to be out of its mind. */
const MAX_INTERIM = 32
const EARLY_HINTS = 103

/** Headers, flags, and the header block as a flat list, which Node's types leave out. */
type HeadEvent = readonly [
  headers: IncomingHttpHeaders & IncomingHttpStatusHeader,
  flags: unknown,
  raw: string[],
]

/** One attempt on a stream of its own. */
export class Exchange implements BodyConsumer, Sending {
  readonly #request: OutgoingRequest
  readonly #session: Session
  readonly #stream: ClientHttp2Stream
  readonly #hadServed: boolean
  #sink: ResponseSink | undefined
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  #trailers: string[] | undefined
  #requestTrailers: readonly string[] = []
  #interim = 0
  #hasHead = false
  /** The node takes the body slower than the client gives it. */
  #isBlocked = false
  #isPaused = false

  /** Throws on headers that cannot be sent. */
  constructor(
    session: Session,
    { request, headers }: { request: OutgoingRequest; headers: OutgoingHttpHeaders },
    sink: ResponseSink,
  ) {
    const { body } = request
    this.#request = request
    this.#session = session
    this.#sink = sink
    this.#hadServed = session.served > 0
    this.#stream = session.request(headers, {
      endStream: body === undefined,
      waitForTrailers: body !== undefined && body.length === undefined,
    })
    this.#listen()
    this.#watch(request.readMs)
    body?.attach(this)
  }

  resume(sink: ResponseSink): void {
    if (!this.#isPaused || this.#sink !== sink) return
    this.#isPaused = false
    this.#timer?.refresh()
    this.#stream.resume()
  }

  abort(sink: ResponseSink): void {
    if (this.#sink !== sink) return
    this.#finish()
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  onChunk(chunk: Uint8Array): boolean {
    if (this.#stream.destroyed || this.#stream.writableEnded) return true
    this.#isBlocked = !this.#stream.write(chunk)
    this.#watch(this.#isBlocked ? this.#request.sendMs : this.#request.readMs)
    return !this.#isBlocked
  }

  /** End of the request's body. */
  onEnd(trailers: readonly string[] = []): void {
    this.#requestTrailers = trailers
    if (!this.#stream.destroyed) this.#stream.end()
  }

  #listen(): void {
    const stream = this.#stream
    stream.on('headers', (...event) => this.#onInterim(event as unknown as HeadEvent))
    stream.once('response', (...event) => this.#onResponse((event as unknown as HeadEvent)[2]))
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.once('trailers', (...event: unknown[]) => {
      this.#trailers = readFields((event as unknown as HeadEvent)[2])
    })
    stream.once('wantTrailers', () => this.#sendTrailers())
    stream.on('drain', () => this.#onDrain())
    stream.once('end', () => this.#onStreamEnd())
    // What went wrong is judged by the code that the stream was closed with.
    stream.on('error', () => {})
    stream.once('close', () => this.#onClose())
  }

  #onInterim([headers, , raw]: HeadEvent): void {
    this.#heard()
    if (++this.#interim > MAX_INTERIM) this.#fail('protocol', 'the node sends interim answers without end')
    else if (headers[':status'] === EARLY_HINTS) this.#sink?.onEarlyHints(readFields(raw))
  }

  #onResponse(raw: string[]): void {
    this.#heard()
    const sink = this.#sink
    if (!sink) return
    const head = readHead(raw, this.#request.method)
    this.#hasHead = true
    sink.onHead(head)
    // Once what came with the head has been told.
    setImmediate(() => this.#sink?.onLull())
  }

  #onData(chunk: Buffer): void {
    this.#heard()
    if (this.#sink?.onData(chunk, true) !== false) return
    this.#isPaused = true
    this.#stream.pause()
  }

  #sendTrailers(): void {
    if (!this.#stream.destroyed) this.#stream.sendTrailers(fieldBlock(this.#requestTrailers))
  }

  #onDrain(): void {
    this.#isBlocked = false
    this.#watch(this.#request.readMs)
    if (this.#sink) this.#request.body?.resume()
  }

  #onStreamEnd(): void {
    // A stream that is reset ends too; the whole answer came only with the node's own end of it.
    if (!this.#hasHead || this.#stream.aborted || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR) return
    const sink = this.#finish()
    sink?.onEnd(this.#trailers)
    // The rest of a body that the node did not wait for.
    if (!this.#stream.writableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #onClose(): void {
    const { rstCode } = this.#stream
    const { error } = this.#session
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      this.#fail('reset', 'the node refused the stream', { isUnsent: true, isStaleConnection: true })
    } else if (
      rstCode === constants.NGHTTP2_PROTOCOL_ERROR ||
      rstCode === constants.NGHTTP2_COMPRESSION_ERROR
    ) {
      this.#fail('protocol', `the stream broke HTTP/2 (code ${rstCode})`)
    } else if (error || this.#session.isUsable === false) {
      const isStaleConnection = this.#hadServed && !this.#hasHead
      this.#fail('reset', error?.message ?? 'the node closed the connection', { isStaleConnection })
    } else this.#fail('reset', `the node reset the stream (code ${rstCode ?? 'none'})`)
  }

  /** Starts the clock anew with another span; every sign of progress, from either side, starts it anew too. */
  #watch(ms: number): void {
    if (!this.#sink) return
    if (this.#timer && this.#timerMs === ms) {
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#timerMs = ms
    this.#timer = setTimeout(() => this.#onTimeout(), ms).unref()
  }

  #heard(): void {
    this.#session.noteHeard()
    this.#timer?.refresh()
  }

  #onTimeout(): void {
    // The node waits for the client.
    if (this.#isPaused) return
    const kind = this.#isBlocked ? 'send-timeout' : 'read-timeout'
    this.#fail(kind, `no progress within ${this.#timerMs} ms`)
    this.#session.probe()
  }

  #fail(
    kind: FailureKind,
    message: string,
    flags: { isUnsent?: boolean; isStaleConnection?: boolean } = {},
  ): void {
    const sink = this.#finish()
    if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_CANCEL)
    sink?.onError(new TransportError(kind, message, flags))
  }

  /** From here on nothing is told any more; the sink, the first time. */
  #finish(): ResponseSink | undefined {
    const sink = this.#sink
    this.#sink = undefined
    clearTimeout(this.#timer)
    if (sink) this.#request.body?.detach()
    return sink
  }
}
