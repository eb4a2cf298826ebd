import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** All sockets that this process opens or accepts from now on until the test ends. */
export interface SocketWatch {
  /** Those that it opened to a port. */
  openedTo(port: number): Socket[]
  /** Those that it accepted at a port. */
  acceptedAt(port: number): Socket[]
}

/** Watches the sockets of the gateway in this process, which a test cannot reach otherwise. */
export function watchSockets(t: Pick<TestContext, 'after'>): SocketWatch {
  const opened: Socket[] = []
  const accepted: Socket[] = []
  const channels = { 'net.client.socket': opened, 'net.server.socket': accepted }
  for (const [channel, sockets] of Object.entries(channels)) {
    const remember = (message: unknown) => void sockets.push((message as { socket: Socket }).socket)
    subscribe(channel, remember)
    t.after(() => unsubscribe(channel, remember))
  }
  return {
    openedTo: (port) => opened.filter((socket) => socket.remotePort === port),
    acceptedAt: (port) => accepted.filter((socket) => socket.localPort === port),
  }
}
