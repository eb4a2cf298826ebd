import type { ServerResponse } from 'node:http'
import type { Response } from '../plugin/context/context.ts'
import type { OpenTunnel } from './open-tunnels.ts'

/** A comment, which clients drop, and the blank line that ends it (HTML, "Server-sent events"). */
const LAST_WORDS = ': the gateway stops\n\n'

const LF = 10
const CR = 13
const COLON = 58

/** Whether an answer is a stream of events whose bytes the client reads as they are here. */
export function isEventStream({ status, headers }: Response): boolean {
  if (status !== 200 || headers.has('content-encoding') || headers.has('content-length')) return false
  return /^text\/event-stream\b/i.test(headers.get('content-type') ?? '')
}

/**
 * Server-sent events on their way to a client. When the process stops, the answer ends as a whole one does, after the event that is under way;
 * clients then connect anew, to another gateway.
 */
export class EventStream implements OpenTunnel {
  readonly #response: ServerResponse
  #isLineStart = true
  /** Of the line under way. */
  #isComment = false
  /** Lines since the last blank one that are no comments. */
  #isEventOpen = false
  #endsInReturn = false
  #isGoingAway = false
  #isOver = false

  constructor(response: ServerResponse) {
    this.#response = response
  }

  /** The client has been told that this was the last of it: what else the node says is dropped. */
  get isOver(): boolean {
    return this.#isOver
  }

  goAway(): void {
    this.#isGoingAway = true
    this.#endBetweenEvents()
  }

  /** What has just been written. */
  take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#read(byte)
    if (this.#isGoingAway) this.#endBetweenEvents()
  }

  #read(byte: number): void {
    const isSecondOfTwo = byte === LF && this.#endsInReturn
    this.#endsInReturn = byte === CR
    if (isSecondOfTwo) return
    if (byte === LF || byte === CR) {
      this.#isEventOpen = !this.#isLineStart && (this.#isEventOpen || !this.#isComment)
      this.#isLineStart = true
      return
    }
    if (this.#isLineStart) this.#isComment = byte === COLON
    this.#isLineStart = false
  }

  #endBetweenEvents(): void {
    if (this.#isOver || !this.#response.headersSent || !this.#isLineStart || this.#isEventOpen) return
    this.#isOver = true
    this.#response.end(LAST_WORDS)
  }
}
