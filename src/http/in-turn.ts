import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHandler } from './handle.ts'

/** Requests that one connection may have sent ahead of the answer that it waits for. */
const MAX_AHEAD = 64

const ahead = Symbol('requests ahead')

type CountedSocket = Socket & { [ahead]?: number }

/** Whether the client has sent it before the answer to another one, which has the connection. */
export function isAhead(response: ServerResponse): boolean {
  return response.socket === null
}

/**
 * Lets requests that were sent ahead begin one after the other. Node begins pipelined ones at once and holds back their answers: a
 * client could have any number of them worked on, and one that leaves is never told of for those that had no socket yet.
 */
export function takeInTurn(handle: RequestHandler, request: IncomingMessage, response: ServerResponse): void {
  const socket: CountedSocket = request.socket
  const waiting = (socket[ahead] ?? 0) + 1
  if (waiting > MAX_AHEAD) {
    socket.destroy()
    return
  }
  socket[ahead] = waiting
  // Given the socket when its turn comes; it never comes on a connection that is gone.
  response.once('socket', () => {
    socket[ahead]! -= 1
    handle(request, response)
  })
}
