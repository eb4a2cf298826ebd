import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** Connections that never finish what they say. */
export interface Slowloris {
  /** Those that the server has not closed yet. */
  readonly open: number
  /** Ends them all. */
  stop(): void
}

const BETWEEN_BYTES_MS = 100

/** Opens `count` connections, each of which sends the beginning of a head and then a byte now and then. Resolves once all are connected. */
export async function slowloris(
  t: Pick<TestContext, 'after'>,
  port: number,
  count: number,
): Promise<Slowloris> {
  const sockets = new Set<Socket>()
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1')
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    socket.resume()
  }
  await Promise.all([...sockets].map((socket) => once(socket, 'connect')))
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
  const timer = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('a')
  }, BETWEEN_BYTES_MS)
  const stop = () => {
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
  }
  t.after(stop)
  return {
    get open() {
      return sockets.size
    },
    stop,
  }
}
