import type { IncomingMessage } from 'node:http'
import type { BodyConsumer, OutgoingBody } from '../upstream/transport.ts'

/** How much of a body is kept for another attempt; what is longer can be sent only once. */
const REPLAY_BYTES = 64 * 1024

/** A client's body on its way to a node. It is read only once an attempt asks for it, and as fast as the node takes it. */
export class RequestBody implements OutgoingBody {
  readonly length: number | undefined
  /** Bytes read from the client so far. */
  bytesRead = 0
  readonly #request: IncomingMessage
  readonly #onFirstRead: () => void
  #kept: Buffer[] = []
  #isWholeKept = true
  #isReading = false
  #hasEnded = false
  #consumer: BodyConsumer | undefined

  /** `onFirstRead` is called before the first byte is asked for: the moment to answer `Expect: 100-continue`. */
  constructor(request: IncomingMessage, length: number | undefined, onFirstRead: () => void) {
    this.#request = request
    this.length = length
    this.#onFirstRead = onFirstRead
  }

  /** Whether another attempt can be given the body from its start. */
  get isReplayable(): boolean {
    return this.#isWholeKept
  }

  attach(consumer: BodyConsumer): void {
    this.#consumer = consumer
    let isRoomLeft = true
    for (const chunk of this.#kept) isRoomLeft = consumer.onChunk(chunk) && isRoomLeft
    if (this.#hasEnded) consumer.onEnd()
    else if (!this.#isReading) this.#read()
    else if (isRoomLeft) this.#request.resume()
  }

  resume(): void {
    if (!this.#hasEnded) this.#request.resume()
  }

  detach(): void {
    this.#consumer = undefined
    if (this.#isReading && !this.#hasEnded) this.#request.pause()
  }

  #read(): void {
    this.#isReading = true
    this.#onFirstRead()
    this.#request.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#request.on('end', () => {
      this.#hasEnded = true
      this.#consumer?.onEnd()
    })
  }

  #onData(chunk: Buffer): void {
    this.bytesRead += chunk.length
    if (this.#isWholeKept) this.#keep(chunk)
    if (this.#consumer?.onChunk(chunk) === false) this.#request.pause()
  }

  #keep(chunk: Buffer): void {
    if (this.bytesRead <= REPLAY_BYTES) {
      this.#kept.push(chunk)
      return
    }
    this.#isWholeKept = false
    this.#kept = []
  }
}

/** The body of a request, or `undefined` when its head announces none. */
export function bodyOf(request: IncomingMessage, onFirstRead: () => void): RequestBody | undefined {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined) return new RequestBody(request, undefined, onFirstRead)
  const length = headers['content-length']
  if (length === undefined) return undefined
  return new RequestBody(request, Number(length), onFirstRead)
}
