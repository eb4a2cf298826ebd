import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws'

/** A node that speaks WebSocket. */
export interface WebSocketUpstream {
  /** `127.0.0.1:PORT`, as a node's key. */
  readonly address: string
  /** The handshakes that arrived, in order. */
  readonly requests: readonly IncomingMessage[]
  /** The connections that it has accepted. */
  readonly sockets: readonly WebSocket[]
}

const echo = (socket: WebSocket): void => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

/** Starts a WebSocket server on a free port, closed when the test ends. Without `onOpen` it sends back what it is told. */
export async function webSocketUpstream(
  t: Pick<TestContext, 'after'>,
  onOpen: (socket: WebSocket, request: IncomingMessage) => void = echo,
  { tls, ...options }: ServerOptions & { tls?: { cert: string; key: string } } = {},
): Promise<WebSocketUpstream> {
  const requests: IncomingMessage[] = []
  const sockets: WebSocket[] = []
  const refuse: RequestListener = (_request, response) => void response.writeHead(426).end('Upgrade Required')
  const http = tls ? createSecureServer(tls, refuse) : createServer(refuse)
  const server = new WebSocketServer({ server: http, ...options })
  server.on('connection', (socket, request) => {
    requests.push(request)
    sockets.push(socket)
    socket.on('error', () => socket.terminate())
    onOpen(socket, request)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        for (const socket of server.clients) socket.terminate()
        server.close()
        http.close(() => resolve())
        http.closeAllConnections()
      }),
  )
  return { address: `127.0.0.1:${(http.address() as AddressInfo).port}`, requests, sockets }
}

/** A WebSocket client and what became of it. */
export interface WebSocketClient {
  readonly socket: WebSocket
  readonly messages: readonly Buffer[]
  /** Resolves when it is open; rejects with what stood in the way. */
  readonly open: Promise<void>
  /** The answer that was not 101. */
  readonly refusal: Promise<{ status: number; headers: IncomingMessage['headers']; body: string }>
  readonly closed: Promise<{ code: number; reason: string }>
}

/** Connects to a URL; ended when the test ends. */
export function webSocketClient(
  t: Pick<TestContext, 'after'>,
  url: string,
  { protocols = [], ...options }: ClientOptions & { protocols?: string[]; servername?: string } = {},
): WebSocketClient {
  const socket = new WebSocket(url, protocols, options)
  t.after(() => socket.terminate())
  const messages: Buffer[] = []
  socket.on('message', (data) => messages.push(data as Buffer))
  const open = new Promise<void>((resolve, reject) => {
    socket.on('open', resolve)
    socket.on('error', reject)
  })
  const refusal = new Promise<Awaited<WebSocketClient['refusal']>>((resolve) => {
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
  })
  const closed = new Promise<Awaited<WebSocketClient['closed']>>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  // Not every test asks how it began.
  open.catch(() => undefined)
  return { socket, messages, open, refusal, closed }
}

/** The head of a WebSocket handshake, for clients that write bytes. */
export function handshake(path = '/ws', lines: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: gateway.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...lines,
    '\r\n',
  ].join('\r\n')
}

/** Answers a handshake on a raw socket once its head is complete, then gives the socket away. */
export function acceptRaw(socket: Socket, onSwitched: (head: string) => void, protocol = 'websocket'): void {
  let head = ''
  const read = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    if (!head.includes('\r\n\r\n')) return
    socket.off('data', read)
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
    onSwitched(head)
  }
  socket.on('data', read)
}
