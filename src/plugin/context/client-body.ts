import type { BodyTap } from '../definition.ts'

/** The client's body as a request context hands it out. */
export interface ClientBody {
  /** Bytes that the head announces, `undefined` for a chunked body. */
  readonly length: number | undefined
  /**
   * The whole body; it goes on to the upstream all the same. Rejects with {@link BodyTooLargeError} when it is longer than
   * `maxBytes`, and with {@link BodyGoneError} when the client leaves or is given up.
   */
  collect(maxBytes: number): Promise<Buffer>
  /** All of it, once it has come whole and as long as it is kept; not to be changed. */
  whole(): Buffer | undefined
  /** Shows it to `tap` as it is read: first what has been read already. One tap at most. Must be called before the body is sent. */
  tap(tap: BodyTap): void
  /** Longest body from now on, instead of the listener's limit. */
  limit(bytes: number): void
}

/** A body is longer than allowed. The runner answers 413 for a phase that lets it escape. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'

  constructor(maxBytes: number) {
    super(`the body of the request is longer than ${maxBytes} bytes`)
  }
}

/** A body will never be complete: nobody is there to be answered. */
export class BodyGoneError extends Error {
  override readonly name = 'BodyGoneError'

  constructor() {
    super('the client left before the whole body had come')
  }
}
