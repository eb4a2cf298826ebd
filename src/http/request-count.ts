import type { Socket } from 'node:net'

const count = Symbol('requests of the connection')

type CountedSocket = Socket & { [count]?: number }

/** Counts a request of its connection, and says whether it is to be the last. */
export function isLastRequest(socket: CountedSocket, allowed: number): boolean {
  const requests = (socket[count] ?? 0) + 1
  socket[count] = requests
  return requests >= allowed
}
