import { createSocket } from 'node:dgram'
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { Certificate } from './certificates.ts'

type Closing = Pick<TestContext, 'after'>

/** A sink over TCP or TLS: every connection's text, once it has ended. */
export interface StreamSinkServer {
  readonly port: number
  /** Texts of connections that have ended, whole or not, in that order. */
  readonly texts: readonly string[]
  close(): Promise<void>
}

/** Listens on a free port, or on `port`, closed when the test ends. `isDeaf`: accepts connections and never reads. */
export async function streamSink(
  t: Closing,
  options: { readonly tls?: Certificate; readonly isDeaf?: boolean; readonly port?: number } = {},
): Promise<StreamSinkServer> {
  const texts: string[] = []
  const sockets = new Set<Socket>()
  const onConnection = (socket: Socket) => {
    sockets.add(socket)
    // A client that refuses the certificate, or is cut, is what some tests are about.
    socket.on('error', () => socket.destroy())
    if (options.isDeaf) {
      socket.on('close', () => sockets.delete(socket))
      return
    }
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('close', () => {
      sockets.delete(socket)
      if (chunks.length > 0) texts.push(Buffer.concat(chunks).toString())
    })
  }
  const server = options.tls
    ? createTlsServer({ cert: options.tls.cert, key: options.tls.key }, onConnection)
    : createServer(onConnection)
  const close = () => {
    for (const socket of sockets) socket.destroy()
    return closed(server)
  }
  t.after(close)
  return { port: await listen(server, options.port), texts, close }
}

export interface DatagramSinkServer {
  readonly port: number
  readonly texts: readonly string[]
}

/** Listens for datagrams on a free port, closed when the test ends. */
export async function datagramSink(t: Closing): Promise<DatagramSinkServer> {
  const texts: string[] = []
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
  socket.on('message', (message) => void texts.push(message.toString()))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  return { port: socket.address().port, texts }
}

export interface ReceivedBatch {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface HttpSinkServer {
  readonly port: number
  readonly received: readonly ReceivedBatch[]
  /** What is answered from now on; 0 stands for no answer at all. */
  answerWith(status: number): void
  close(): Promise<void>
}

/** An HTTP sink on a free port, or on `port`, closed when the test ends; answers 200 until told otherwise. */
export async function httpSink(
  t: Closing,
  options: { readonly tls?: Certificate; readonly port?: number } = {},
): Promise<HttpSinkServer> {
  const received: ReceivedBatch[] = []
  let status = 200
  const onRequest = async (
    request: import('node:http').IncomingMessage,
    response: import('node:http').ServerResponse,
  ) => {
    const body = Buffer.concat(await request.toArray()).toString()
    received.push({ url: request.url ?? '', headers: request.headers, body })
    if (status > 0) response.writeHead(status).end('said the sink')
  }
  const server = options.tls
    ? createHttpsServer({ cert: options.tls.cert, key: options.tls.key }, onRequest)
    : createHttpServer(onRequest)
  const close = () => {
    server.closeAllConnections()
    return closed(server)
  }
  t.after(close)
  return {
    port: await listen(server, options.port),
    received,
    answerWith: (next) => {
      status = next
    },
    close,
  }
}

/** Waits until `read` gives something, 20 s at most. */
export async function eventually<T>(what: string, read: () => T | undefined | false): Promise<T> {
  const end = Date.now() + 20_000
  for (;;) {
    const value = read()
    if (value !== undefined && value !== false) return value
    if (Date.now() > end) throw new Error(`${what} did not happen within 20 s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
