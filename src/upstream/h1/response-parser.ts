import type { ResponseHead } from '../transport.ts'
import {
  MalformedResponseError,
  type ParsedHead,
  parseResponseHead,
  parseTrailerLine,
  without,
} from './response-head.ts'

/** What a parser tells, in order. Bytes are lent for the call. */
export interface ParserSink {
  /** 103, an interim answer. */
  onEarlyHints(headers: readonly string[]): void
  onHead(head: ResponseHead): void
  onBody(bytes: Buffer): void
  /** The message is complete; `mayReuse` tells whether its connection can serve again. `trailers` is flat, absent without any. */
  onMessageEnd(mayReuse: boolean, trailers: readonly string[] | undefined): void
  /**
   * 101: what follows is another protocol, and nothing more is told. `rest` is what has arrived of it. Only after a request that
   * asked for that; may throw to refuse it.
   */
  onSwitch(head: ResponseHead, protocol: string | undefined, rest: Buffer): void
}

type Step =
  | 'idle'
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  | 'until-close'

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const NO_BYTES = Buffer.alloc(0)
const CHUNK_SIZE = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/

/** Bounds on what a node may send before it is given up (reliability.md §2.3). */
const MAX_HEAD_BYTES = 64 * 1024
const MAX_LINE_BYTES = 16 * 1024
const MAX_TRAILER_LINES = 64
/** Of all trailers together. */
const MAX_TRAILER_BYTES = 16 * 1024
const MAX_INTERIM_RESPONSES = 16

/**
 * Reads the responses of one HTTP/1.x connection (RFC 9112). Strict: what could be read in two ways is an error, and bytes that
 * belong to no request are an error, so that no client is ever given another's answer.
 */
export class ResponseParser {
  readonly #sink: ParserSink
  #step: Step = 'idle'
  #isHeadRequest = false
  #maySwitch = false
  #remaining = 0
  #mayReuse = true
  #isComplete = false
  #interim = 0
  #trailers: string[] | undefined
  #trailerBytes = 0
  /** An unfinished head or line, copied out of the lent buffer. */
  #held: Buffer = NO_BYTES

  constructor(sink: ParserSink) {
    this.#sink = sink
  }

  /** Whether a response is due or under way. */
  get isBusy(): boolean {
    return this.#step !== 'idle'
  }

  /** Whether more bytes of a body are to come. */
  get isInBody(): boolean {
    return this.#step !== 'idle' && this.#step !== 'head'
  }

  /** A request has been sent: its response is next. `maySwitch`: it asked for another protocol. */
  expect(method: string, maySwitch = false): void {
    this.#step = 'head'
    this.#isHeadRequest = method === 'HEAD'
    this.#maySwitch = maySwitch
    this.#mayReuse = true
    this.#interim = 0
    this.#trailers = undefined
    this.#trailerBytes = 0
  }

  /** Takes what a read brought. Throws {@link MalformedResponseError}; the parser is of no use then. */
  push(chunk: Buffer): void {
    let bytes = chunk
    if (this.#held.length > 0) {
      bytes = Buffer.concat([this.#held, chunk])
      this.#held = NO_BYTES
    }
    let at = 0
    while (at < bytes.length) {
      const next = this.#consume(bytes, at)
      if (next === undefined) {
        this.#held = Buffer.from(bytes.subarray(at))
        return
      }
      at = next
      if (this.#isComplete) {
        this.#tellEnd(at < bytes.length)
        return
      }
    }
  }

  /** The connection has ended. Returns whether that completes a message whose length only its end could tell. */
  end(): boolean {
    if (this.#step !== 'until-close') return false
    this.#finish()
    this.#tellEnd(false)
    return true
  }

  /** Consumes from `at`; returns where it stopped, or `undefined` when more bytes are needed first. */
  #consume(bytes: Buffer, at: number): number | undefined {
    switch (this.#step) {
      case 'idle':
        throw new MalformedResponseError('bytes that belong to no request')
      case 'head':
        return this.#head(bytes, at)
      case 'length':
      case 'chunk-data':
        return this.#body(bytes, at)
      case 'until-close':
        this.#sink.onBody(bytes.subarray(at))
        return bytes.length
      default:
        return this.#line(bytes, at)
    }
  }

  #head(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf(HEAD_END, at)
    if ((end === -1 ? bytes.length : end) - at > MAX_HEAD_BYTES) {
      throw new MalformedResponseError(`response head above ${MAX_HEAD_BYTES} bytes`)
    }
    if (end === -1) return undefined
    const head = parseResponseHead(bytes.toString('latin1', at, end))
    if (head.status === 101 && this.#maySwitch) {
      this.#switch(head, bytes.subarray(end + HEAD_END.length))
      return bytes.length
    }
    if (head.status < 200) this.#interimResponse(head)
    else this.#finalResponse(head)
    return end + HEAD_END.length
  }

  #interimResponse({ status, headers }: ParsedHead): void {
    if (status === 101) throw new MalformedResponseError('101 without an upgrade that was asked for')
    if (++this.#interim > MAX_INTERIM_RESPONSES)
      throw new MalformedResponseError('too many interim responses')
    if (status === 103) this.#sink.onEarlyHints(headers)
  }

  #switch({ status, reason, headers, upgrade }: ParsedHead, rest: Buffer): void {
    this.#step = 'idle'
    const own = without(headers, ['content-length', 'trailer'])
    this.#sink.onSwitch({ status, reason, headers: own, bodyLength: 0 }, upgrade, rest)
  }

  #finalResponse(head: ParsedHead): void {
    const { status, reason } = head
    const isFramed204 = status === 204 && (head.isChunked || head.bodyLength !== undefined)
    // A 204 that announces a body may send it too, and those bytes would be taken for the next answer.
    this.#mayReuse = head.mayReuse && !isFramed204
    const hasNoBody = this.#isHeadRequest || status === 204 || status === 304
    const bodyLength = hasNoBody ? 0 : head.isChunked ? undefined : head.bodyLength
    this.#step = bodyLength !== undefined ? 'length' : head.isChunked ? 'chunk-size' : 'until-close'
    if (this.#step === 'until-close') this.#mayReuse = false
    this.#remaining = bodyLength ?? 0
    const headers = this.#ownHeaders(head, isFramed204)
    const isUntilClose = this.#step === 'until-close'
    this.#sink.onHead({ status, reason, headers, bodyLength, ...(isUntilClose && { isUntilClose }) })
    if (bodyLength === 0) this.#finish()
  }

  #ownHeaders({ headers, hasAnnouncedTrailers }: ParsedHead, isFramed204: boolean): string[] {
    const own = isFramed204 ? without(headers, ['content-length']) : headers
    // Only chunks leave room for trailers.
    return hasAnnouncedTrailers && this.#step !== 'chunk-size' ? without(own, ['trailer']) : own
  }

  #body(bytes: Buffer, at: number): number {
    const end = Math.min(at + this.#remaining, bytes.length)
    this.#remaining -= end - at
    this.#sink.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    if (this.#remaining === 0) {
      if (this.#step === 'length') this.#finish()
      else this.#step = 'chunk-end'
    }
    return end
  }

  #line(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf(LINE_END, at)
    if ((end === -1 ? bytes.length : end) - at > MAX_LINE_BYTES) {
      throw new MalformedResponseError(`chunk or trailer line above ${MAX_LINE_BYTES} bytes`)
    }
    if (end === -1) return undefined
    this.#onLine(bytes.toString('latin1', at, end))
    return end + LINE_END.length
  }

  #onLine(line: string): void {
    if (this.#step === 'chunk-end') {
      if (line !== '') throw new MalformedResponseError('no line end after a chunk')
      this.#step = 'chunk-size'
    } else if (this.#step === 'trailers') {
      if (line === '') this.#finish()
      else this.#trailer(line)
    } else {
      const size = CHUNK_SIZE.exec(line)
      if (!size) throw new MalformedResponseError(`bad chunk size ${JSON.stringify(line.slice(0, 40))}`)
      this.#remaining = Number.parseInt(size[1]!, 16)
      this.#step = this.#remaining === 0 ? 'trailers' : 'chunk-data'
    }
  }

  #trailer(line: string): void {
    this.#trailers ??= []
    this.#trailerBytes += line.length
    if (this.#trailers.length >= 2 * MAX_TRAILER_LINES || this.#trailerBytes > MAX_TRAILER_BYTES) {
      throw new MalformedResponseError('too many trailers')
    }
    parseTrailerLine(line, this.#trailers)
  }

  #finish(): void {
    this.#step = 'idle'
    this.#isComplete = true
  }

  /**
   * Told only when nothing of this read is left to be read: the sink may send the next request at once, and bytes behind this
   * response must never become its answer.
   */
  #tellEnd(hasMoreBytes: boolean): void {
    this.#isComplete = false
    this.#sink.onMessageEnd(this.#mayReuse && !hasMoreBytes, this.#trailers)
  }
}
