import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHandler } from '../handle.ts'
import type { AdmissionLimit } from './admission-limit.ts'
import { EarlyAnswers } from './early-answers.ts'
import type { TurnAway } from './turn-away.ts'

export interface OverloadGateOptions {
  readonly limit: Pick<AdmissionLimit, 'isLimiting' | 'admits' | 'wroteRefusals'>
  readonly away: TurnAway
  /** Told of every request that is refused. */
  readonly onRefused: (request: IncomingMessage) => void
}

/** What a connection is allowed. */
export interface ConnectionUse {
  /** Whether it may stay open after one more answer. */
  mayStay(socket: Socket): boolean
  /** One more request was answered on it. */
  count(socket: Socket): void
}

/**
 * Lets in what the limit lets in, and refuses the rest as cheaply as it can. While the limit works, what came in one turn of the event loop is decided
 * on as it is read; at the end of the turn the refusals are written, and only then the others begin: whoever is refused waits for no work but that of
 * the turn before.
 */
export class OverloadGate {
  readonly #options: OverloadGateOptions
  readonly #early = new EarlyAnswers()
  #admitted: (() => void)[] = []
  #isTurnOpen = false
  /** Let in before it had a response, and on its way. */
  #letIn: IncomingMessage | undefined

  constructor(options: OverloadGateOptions) {
    this.#options = options
  }

  /** Lets `begin` have those requests that the limit lets in. */
  guarded(begin: RequestHandler): RequestHandler {
    const { limit } = this.#options
    return (request, response) => {
      if (this.#letIn === request) this.#letIn = undefined
      else if (!limit.admits()) {
        this.#refuse(request, response)
        return
      }
      if (!limit.isLimiting) {
        begin(request, response)
        return
      }
      this.#admitted.push(() => this.#begin(begin, request, response))
      this.#openTurn()
    }
  }

  /** As long as the limit works, further requests of this connection are refused before a response is made for them. */
  watch(socket: Socket, use: ConnectionUse): void {
    const { limit, away, onRefused } = this.#options
    if (!limit.isLimiting) return
    this.#early.watch(socket, (request) => {
      const answer = limit.isLimiting && use.mayStay(socket) && away.recent(performance.now())
      if (!answer) return undefined
      if (limit.admits()) {
        this.#letIn = request
        return undefined
      }
      use.count(socket)
      onRefused(request)
      this.#openTurn()
      return answer
    })
  }

  /** Writes the refusals of this turn now: connections may be closed before its end. */
  flush(): void {
    this.#early.write()
  }

  #refuse(request: IncomingMessage, response: ServerResponse): void {
    const { away, onRefused } = this.#options
    away.answer(request, response)
    onRefused(request)
  }

  #openTurn(): void {
    if (this.#isTurnOpen) return
    this.#isTurnOpen = true
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    const admitted = this.#admitted
    this.#isTurnOpen = false
    this.#admitted = []
    const beganMs = performance.now()
    this.#early.write()
    this.#options.limit.wroteRefusals(performance.now() - beganMs)
    for (const begin of admitted) begin()
  }

  /** Its client may not have waited for the end of the turn; of HTTP/2 it is the stream that says so. */
  #begin(begin: RequestHandler, request: IncomingMessage, response: ServerResponse): void {
    if (request.socket.destroyed) this.#refuse(request, response)
    else begin(request, response)
  }
}
