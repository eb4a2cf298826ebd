import type { Socket } from 'node:net'

const count = Symbol('requests of the connection')

type CountedSocket = object & { [count]?: number }

/** Counts a request of its connection, and says whether it is to be the last. */
export function isLastRequest(socket: Socket & CountedSocket, allowed: number): boolean {
  const requests = (socket[count] ?? 0) + 1
  socket[count] = requests
  return requests >= allowed
}

/** Whether the next request would be the last. */
export function isNextLast(socket: Socket & CountedSocket, allowed: number): boolean {
  return (socket[count] ?? 0) + 1 >= allowed
}

/** The next request is to be the last, however many were allowed. */
export function endAfterNext(socket: CountedSocket): void {
  socket[count] = Number.POSITIVE_INFINITY
}
