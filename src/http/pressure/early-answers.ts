import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Node's HTTP server as it serves one connection: what its parser calls with each head, and the answer that has the connection. */
export interface ServedSocket extends Socket {
  readonly parser?: { onIncoming?: ((request: IncomingMessage, isKept: boolean) => number) | null } | null
  readonly _httpMessage?: unknown
  [owed]?: string | undefined
  [isWatched]?: true
}

/** All bytes of the answer to a request, or undefined: it is served as any other. */
export type EarlyAnswer = (request: IncomingMessage) => string | undefined

const owed = Symbol('the answer that is not written yet')
const isWatched = Symbol('answers early')
/** What Node's parser is told of a request with nothing special about its body. */
const BODY_AS_ANNOUNCED = 0

/**
 * Answers requests before Node makes a response for them, and all of a turn of the event loop together: the first spares half of the gateway's own
 * work for a refusal, the second half of the system's, which wakes the client once and not for each (docs/reference/benchmarks.md). Only plain
 * requests of HTTP/1.1, on a connection that owes nothing else and stays open; what Node keeps of an idle connection stays as it is. Where Node's
 * server is not as expected, every request is served as any other.
 */
export class EarlyAnswers {
  readonly #owing: ServedSocket[] = []

  /** Asks `answer` for each further request of the connection. Whoever gives one calls {@link write} at the end of the turn. */
  watch(socket: ServedSocket, answer: EarlyAnswer): void {
    const { parser } = socket
    const serve = parser?.onIncoming
    if (typeof serve !== 'function' || socket[isWatched]) return
    socket[isWatched] = true
    parser!.onIncoming = (request, isKept) => {
      // The client did not wait for the answer; the next one must not come before it.
      writeOwed(socket)
      const bytes = isKept && isPlain(request) && isIdle(socket) ? answer(request) : undefined
      if (bytes === undefined) return serve.call(parser, request, isKept)
      socket[owed] = bytes
      this.#owing.push(socket)
      return BODY_AS_ANNOUNCED
    }
  }

  /** Writes what was answered since the last time. */
  write(): void {
    for (const socket of this.#owing) writeOwed(socket)
    this.#owing.length = 0
  }
}

function writeOwed(socket: ServedSocket): void {
  const bytes = socket[owed]
  if (bytes === undefined) return
  socket[owed] = undefined
  if (socket.writable) socket.write(bytes, 'latin1')
}

/** Nothing is owed to its client, nor waits for it. */
function isIdle(socket: ServedSocket): boolean {
  return !socket._httpMessage && socket.writable && socket.writableLength === 0
}

/** Without a body, and without a wish for another protocol or another form of answer. */
function isPlain({ method, httpVersionMinor, rawHeaders }: IncomingMessage): boolean {
  if (method === 'HEAD' || method === 'CONNECT' || httpVersionMinor !== 1) return false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (LENGTHS.has(name.length) && UNPLAIN.has(name.toLowerCase())) return false
  }
  return true
}

const UNPLAIN: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect', 'upgrade'])
/** Spares most names the change of case. */
const LENGTHS: ReadonlySet<number> = new Set([...UNPLAIN].map(({ length }) => length))
