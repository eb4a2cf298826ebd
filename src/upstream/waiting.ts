import { type OutgoingRequest, type ResponseSink, type Sending, TransportError } from './transport.ts'

/** What an attempt brings to the queue of a pool. */
export interface WaitingAttempt {
  readonly request: OutgoingRequest
  readonly sink: ResponseSink
}

/** The queue of one pool, and what it says and does when an attempt has waited for all of its connect timeout. */
export interface WaitingRoom<A extends WaitingAttempt> {
  readonly queue: Set<Waiting<A>>
  /** `no connection became free`: the time is added. */
  readonly lateBecause: string
  onLate?(connectMs: number): void
}

/** An attempt in the queue, first come first served; its connect timeout runs meanwhile. */
export class Waiting<A extends WaitingAttempt> implements Sending {
  readonly attempt: A
  readonly #room: WaitingRoom<A>
  readonly #timer: NodeJS.Timeout
  #sending: Sending | undefined

  constructor(attempt: A, room: WaitingRoom<A>) {
    this.attempt = attempt
    this.#room = room
    this.#timer = setTimeout(() => this.#onTimeout(), attempt.request.connectMs).unref()
    room.queue.add(this)
  }

  /** Its turn has come: it leaves the queue before `open` sends it. A throw of `open` fails the attempt. */
  begin(open: (attempt: A) => Sending): void {
    this.#leave()
    try {
      this.#sending = open(this.attempt)
    } catch (error) {
      // A head that cannot be written; nothing of it was sent.
      this.fail(new TransportError('protocol', (error as Error).message, { isUnsent: true }))
    }
  }

  fail(error: TransportError): void {
    this.#leave()
    this.attempt.sink.onError(error)
  }

  resume(sink: ResponseSink): void {
    this.#sending?.resume(sink)
  }

  abort(sink: ResponseSink): void {
    this.#leave()
    this.#sending?.abort(sink)
  }

  #leave(): void {
    clearTimeout(this.#timer)
    this.#room.queue.delete(this)
  }

  #onTimeout(): void {
    const { connectMs } = this.attempt.request
    const message = `${this.#room.lateBecause} within ${connectMs} ms`
    this.fail(new TransportError('connect-timeout', message, { isUnsent: true }))
    this.#room.onLate?.(connectMs)
  }
}

/** Tells the sink at the next turn: the caller of `send` does not hold its {@link Sending} yet. */
export function failLater(sink: ResponseSink, error: TransportError): Sending {
  const told = setImmediate(() => sink.onError(error))
  return { resume: () => {}, abort: () => clearImmediate(told) }
}
