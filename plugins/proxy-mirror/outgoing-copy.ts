import type { ClientRequest } from 'node:http'
import type { BodyTap } from '../../src/plugin/api.ts'
import type { Timeouts } from './schema.ts'

export const RESULTS = ['sent', 'failed', 'busy', 'slow', 'body'] as const
/**
 * What became of a copy. `busy`: too many were under way. `slow`: the mirror did not take the body as fast as it came. `body`: the
 * request ended before its body did.
 */
export type Result = (typeof RESULTS)[number]

/** Bytes that wait for mirrors, over all copies of one configuration. */
export interface Waiting {
  bytes: number
}

export interface CopyParts {
  /** Bytes of the body as announced. */
  readonly length: number | undefined
  readonly timeouts: Timeouts
  readonly waiting: Waiting
  /** Told once of each copy. */
  settle(result: Result, error?: Error): void
}

/** So many bytes of one copy may wait for the mirror, and of all: a mirror that is slower than the requests must not hold their bodies. */
const MAX_WAITING_OF_ONE = 4 * 1024 * 1024
const MAX_WAITING = 32 * 1024 * 1024

/** One copy on its way, from its head to the end of the mirror's answer. Given the body as it passes; never throws. */
export class OutgoingCopy implements BodyTap {
  readonly #request: ClientRequest
  readonly #parts: CopyParts
  readonly #connecting: NodeJS.Timeout
  #ending: NodeJS.Timeout | undefined
  #given = 0
  #waiting = 0
  #isAnswered = false
  #isOver = false

  constructor(request: ClientRequest, parts: CopyParts) {
    this.#request = request
    this.#parts = parts
    this.#connecting = this.#failAfter(parts.timeouts.connectMs, 'not connected')
    request.on('socket', (socket) => {
      socket.unref()
      socket.once('connect', () => clearTimeout(this.#connecting))
    })
    request.on('response', (response) => {
      this.#isAnswered = true
      response.on('error', () => request.destroy())
      response.resume()
    })
    request.on('upgrade', () => request.destroy())
    request.on('error', (error) => this.#isAnswered || this.giveUp('failed', error))
    request.on('close', () => this.#settle(this.#isAnswered ? 'sent' : 'failed'))
  }

  write(chunk: Uint8Array): void {
    if (this.#isOver) return
    const { waiting, length = Number.POSITIVE_INFINITY } = this.#parts
    const bytes = chunk.length
    this.#given += bytes
    if (this.#given > length) this.giveUp('body')
    // What comes in one piece lies in memory whether it is copied or not.
    else if (this.#waiting > 0 && this.#waiting + bytes > MAX_WAITING_OF_ONE) this.giveUp('slow')
    else if (waiting.bytes > 0 && waiting.bytes + bytes > MAX_WAITING) this.giveUp('slow')
    else {
      this.#wait(bytes)
      this.#request.write(chunk, () => this.#isOver || this.#wait(-bytes))
    }
  }

  end(isWhole: boolean): void {
    if (this.#isOver) return
    const { length, timeouts } = this.#parts
    if (!isWhole || this.#given !== (length ?? this.#given)) {
      this.giveUp('body')
      return
    }
    this.#ending = this.#failAfter(timeouts.totalMs, 'no whole answer')
    this.#request.end()
  }

  giveUp(result: Result, error?: Error): void {
    this.#settle(result, error)
    this.#request.destroy()
  }

  #failAfter(ms: number, what: string): NodeJS.Timeout {
    return setTimeout(() => this.#request.destroy(new Error(`${what} within ${ms} ms`)), ms).unref()
  }

  #wait(bytes: number): void {
    this.#waiting += bytes
    this.#parts.waiting.bytes += bytes
  }

  #settle(result: Result, error?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#wait(-this.#waiting)
    clearTimeout(this.#connecting)
    clearTimeout(this.#ending)
    this.#parts.settle(result, error)
  }
}
