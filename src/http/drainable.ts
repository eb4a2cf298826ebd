import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** How often idle connections are closed while a server drains. */
const SWEEP_MS = 100

/** A server that can stop without losing a request. */
export class Drainable {
  readonly server: Server
  readonly #sockets = new Set<Socket>()

  /** To be called before the server accepts. */
  constructor(server: Server) {
    this.server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /**
   * Stops accepting, lets requests in flight end until `cut` is aborted, then cuts them; resolves with how many connections were cut,
   * when every request has been ended.
   */
  async drain(cut: AbortSignal): Promise<number> {
    const { server } = this
    if (!server.listening) return 0
    let forced = 0
    const sweep = setInterval(() => this.#sweep(), SWEEP_MS)
    const force = () => {
      forced = this.#sockets.size
      for (const socket of this.#sockets) socket.destroy()
    }
    try {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      if (cut.aborted) force()
      else cut.addEventListener('abort', force, { once: true })
      await closed
      // The server counts connections, not their events: until those were told, requests are not ended.
      do await nextTurn()
      while (this.#sockets.size > 0)
      return forced
    } finally {
      cut.removeEventListener('abort', force)
      clearInterval(sweep)
    }
  }

  /** Node counts a connection that has sent nothing yet as busy; by the first sweep its request would have arrived. */
  #sweep(): void {
    this.server.closeIdleConnections()
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }
}
