import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

/** How often idle connections are closed while a server drains. */
const SWEEP_MS = 100

/** A server that can stop without losing a request. */
export class Drainable {
  readonly server: Server
  readonly #sockets = new Set<Socket>()
  /** Those of HTTP/1 over TLS, as they are once their handshake is over. */
  readonly #secured = new Set<Socket>()
  readonly #handshakes: Iterable<Socket>

  /** To be called before the server accepts. `handshakes`: its connections that have not agreed on TLS yet. */
  constructor(server: Server, handshakes: Iterable<Socket> = []) {
    this.server = server
    this.#handshakes = handshakes
    server.on('connection', (socket) => keep(this.#sockets, socket))
    server.on('secureConnection', (socket: TLSSocket) => {
      // Sessions of HTTP/2 are told to end by GOAWAY.
      if (socket.alpnProtocol !== 'h2') keep(this.#secured, socket)
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

  /**
   * Node counts a connection that has sent nothing yet as busy; by the first sweep its request would have arrived, and a handshake
   * would be over.
   */
  #sweep(): void {
    this.server.closeIdleConnections()
    for (const sockets of [this.#sockets, this.#secured]) {
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    }
    for (const socket of this.#handshakes) socket.destroy()
  }
}

function keep(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
}
