import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** The connections of one listener whose TLS handshake is not over yet: nobody waits for them when the listener stops. */
export class PendingHandshakes implements Iterable<Socket> {
  /** By the client's address and port: Node does not show which connection a TLS socket is made of. */
  readonly #byPeer = new Map<string, Socket>()

  /** A connection has come in. It is forgotten when it closes. */
  add(socket: Socket): void {
    const peer = peerOf(socket)
    this.#byPeer.set(peer, socket)
    socket.once('close', () => {
      // Its port may belong to another one by now.
      if (this.#byPeer.get(peer) === socket) this.#byPeer.delete(peer)
    })
  }

  /** The handshake of this one is over. */
  delete(socket: TLSSocket): void {
    this.#byPeer.delete(peerOf(socket))
  }

  [Symbol.iterator](): Iterator<Socket> {
    return this.#byPeer.values()
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
