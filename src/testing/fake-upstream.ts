import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A node under the test's control. */
export interface FakeUpstream {
  /** `127.0.0.1:PORT`, as a node's key. */
  readonly address: string
  readonly port: number
  /** Every request that arrived, in order. */
  readonly requests: readonly ReceivedRequest[]
  /** Connections accepted so far. */
  readonly connections: number
  close(): Promise<void>
}

export interface ReceivedRequest {
  readonly method: string
  /** The request target as it stood on the wire. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
}

const answerOk: RequestListener = (_request, response) => void response.end('ok')

/** Starts an HTTP server on a free port, closed when the test ends. Without a handler it answers `ok`. */
export async function fakeUpstream(
  t: Pick<TestContext, 'after'>,
  handler: (request: IncomingMessage, response: ServerResponse) => void = answerOk,
): Promise<FakeUpstream> {
  const requests: ReceivedRequest[] = []
  let connections = 0
  const server = createServer((request, response) => {
    const { method = '', url = '', headers, rawHeaders } = request
    requests.push({ method, url, headers, rawHeaders })
    handler(request, response)
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.after(close)
  return {
    address: `127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return connections
    },
    close,
  }
}

/** A node that speaks whatever bytes the test writes; `onConnection` gets each socket. Returns its address. */
export async function rawUpstream(
  t: Pick<TestContext, 'after'>,
  onConnection: (socket: Socket) => void,
): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // The gateway may cut the connection at any moment; that is what such tests are about.
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  )
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The address of a port on which nothing listens, and nobody else can for as long as the process lives. */
export async function refusingAddress(): Promise<string> {
  const server = createTcpServer((socket) => socket.unref())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  // A port of which a connection begins has no listener, and nobody else gets it as long as the connection is there.
  const holder = connect(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => holder.once('connect', resolve).once('error', reject))
  holder.unref()
  server.unref()
  return `127.0.0.1:${holder.localPort}`
}
