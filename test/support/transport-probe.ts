import type {
  BodyConsumer,
  OutgoingBody,
  OutgoingRequest,
  ResponseHead,
  ResponseSink,
  TransportError,
} from '../../src/upstream/transport.ts'

const PATIENCE_MS = 5000

/** Remembers what an attempt tells, and can play a slow client. */
export class ProbeSink implements ResponseSink {
  head: ResponseHead | undefined
  body = ''
  bytes = 0
  lulls = 0
  isEnded = false
  error: TransportError | undefined
  readonly hints: (readonly string[])[] = []
  trailers: readonly string[] | undefined
  /** Answers every chunk with "no more for now". */
  isSlow = false
  /** Resolves when the attempt is over; rejects when it is not for too long. */
  readonly over: Promise<this>
  #settle!: (self: this) => void

  constructor() {
    this.over = new Promise((resolve, reject) => {
      const late = () => reject(new Error(`the attempt is not over after ${PATIENCE_MS} ms`))
      const timer = setTimeout(late, PATIENCE_MS).unref()
      this.#settle = (self) => {
        clearTimeout(timer)
        resolve(self)
      }
    })
    // Not every test asks.
    this.over.catch(() => {})
  }

  onEarlyHints(headers: readonly string[]): void {
    this.hints.push(headers)
  }

  onHead(head: ResponseHead): void {
    this.head = head
  }

  onData(chunk: Buffer, _mayKeep = false): boolean {
    this.bytes += chunk.length
    if (this.bytes < 65_536) this.body += chunk.toString('latin1')
    return !this.isSlow
  }

  onLull(): void {
    this.lulls++
  }

  onEnd(trailers?: readonly string[]): void {
    this.isEnded = true
    this.trailers = trailers
    this.#settle(this)
  }

  onError(error: TransportError): void {
    this.error = error
    this.#settle(this)
  }
}

/** A body that gives its chunks as long as there is room, and then one more for each `resume`. */
export class ProbeBody implements OutgoingBody {
  readonly length: number | undefined
  /** Chunks that were taken. */
  given = 0
  attached = 0
  isDetached = false
  readonly #chunks: readonly Uint8Array[]
  #consumer: BodyConsumer | undefined

  constructor(chunks: readonly (string | Uint8Array)[], length?: number) {
    this.#chunks = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
    this.length = length
  }

  attach(consumer: BodyConsumer): void {
    this.attached++
    this.#consumer = consumer
    this.#give()
  }

  resume(): void {
    this.#give()
  }

  detach(): void {
    this.#consumer = undefined
    this.isDetached = true
  }

  #give(): void {
    while (this.#consumer && this.given < this.#chunks.length) {
      this.given++
      if (!this.#consumer.onChunk(this.#chunks[this.given - 1]!)) return
    }
    this.#consumer?.onEnd()
    this.#consumer = undefined
  }
}

/** A GET without body and with long timeouts, changed as the test needs. */
export function outgoing(change: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    target: '/',
    headers: ['Host', 'node'],
    body: undefined,
    connectMs: 5000,
    sendMs: 5000,
    readMs: 5000,
    needsFreshConnection: false,
    ...change,
  }
}
