import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer as createHttp1Server,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import http2, { type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { watchSockets } from '../support/socket-watch.ts'
import { eventually } from '../support/watch-recording.ts'

const KIB = 1024
const PEERS = 3
/** Above what the kernel keeps for two connections. */
const BODY_BYTES = 14 * 1024 * KIB
/** No power of two, so that reads and chunks never coincide. */
const CHUNK_BYTES = 100_003

/** What the gateway may hold of one body that is not taken: what one read brings, or the window of an HTTP/2 stream. */
const LIMIT_BYTES: Readonly<Record<Protocol, number>> = { 'HTTP/1.1': 192 * KIB, 'HTTP/2': 512 * KIB }

type Protocol = 'HTTP/1.1' | 'HTTP/2'
const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2']

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Starts a node that speaks one protocol; returns its port. */
async function startNode(t: TestContext, protocol: Protocol, handler: Handler): Promise<number> {
  const sockets = new Set<Socket>()
  const sessions = new Set<ServerHttp2Session>()
  const server =
    protocol === 'HTTP/1.1'
      ? createHttp1Server(handler)
      : http2.createServer(handler as never).on('session', (session) => sessions.add(session))
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}

async function gatewayTo(t: TestContext, protocol: Protocol, port: number): Promise<TestGateway> {
  const scheme = protocol === 'HTTP/1.1' ? 'http' : 'grpc'
  return startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: { scheme, nodes: { [`127.0.0.1:${port}`]: 1 } } } } },
    { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } },
  )
}

/** Sends a request on a connection of its own; `body` is what to write to, the answer is not read until the caller does. */
async function open(
  t: TestContext,
  { gateway, protocol, method }: { gateway: TestGateway; protocol: Protocol; method: string },
): Promise<{ readonly body: Writable; readonly answer: Promise<Readable> }> {
  if (protocol === 'HTTP/2') {
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':method': method, ':path': '/' }, { endStream: method === 'GET' })
    stream.on('error', () => {})
    return { body: stream, answer: once(stream, 'response').then(() => stream) }
  }
  const outgoing = httpRequest({ port: gateway.proxyPort, method, agent: false })
  t.after(() => outgoing.destroy())
  outgoing.on('error', () => {})
  const answer = once(outgoing, 'response').then(([response]) => response as Readable)
  if (method === 'GET') outgoing.end()
  return { body: outgoing, answer }
}

/** Writes a body that differs for each sender as fast as it is taken; returns its digest. */
function pour(target: Writable, seed: number): string {
  const hash = createHash('sha1')
  const chunks = Array.from({ length: Math.ceil(BODY_BYTES / CHUNK_BYTES) }, (_, index) => {
    const chunk = Buffer.alloc(CHUNK_BYTES, `${seed}:${index};`)
    hash.update(chunk)
    return chunk
  })
  const more = (): void => {
    for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) {
      if (!target.write(chunk)) return void target.once('drain', more)
    }
    target.end()
  }
  more()
  return hash.digest('hex')
}

async function digestOf(body: Readable): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of body) hash.update(chunk)
  return hash.digest('hex')
}

async function standsStill(count: () => number): Promise<void> {
  let before = -1
  let calm = 0
  await eventually('it stands still', async () => {
    calm = count() === before && before > 0 ? calm + 1 : 0
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 25))
    return calm === 8
  })
}

function sum(sockets: readonly Socket[], bytes: (socket: Socket) => number): number {
  return sockets.reduce((total, socket) => total + bytes(socket), 0)
}

/** What came in at some sockets and did not leave by others: what this process holds. */
function heldBetween(from: () => readonly Socket[], to: () => readonly Socket[]): () => number {
  return () =>
    sum(from(), ({ bytesRead }) => bytesRead) -
    sum(to(), ({ bytesWritten, writableLength }) => bytesWritten - writableLength)
}

for (const protocol of PROTOCOLS) {
  for (const nodeProtocol of PROTOCOLS) {
    describe(`a body between a client of ${protocol} and a node of ${nodeProtocol}`, () => {
      it('is not read ahead of clients that read nothing, and is whole once they do', async (t) => {
        const sockets = watchSockets(t)
        const digests: string[] = []
        const port = await startNode(t, nodeProtocol, (_request, response) => {
          digests.push(pour(response, digests.length))
        })
        const gateway = await gatewayTo(t, nodeProtocol, port)
        const fromNode = () => sockets.openedTo(port)
        const held = heldBetween(fromNode, () => sockets.acceptedAt(gateway.proxyPort))
        const clients = []
        for (let i = 0; i < PEERS; i++) clients.push(await open(t, { gateway, protocol, method: 'GET' }))
        const answers = await Promise.all(clients.map(({ answer }) => answer))
        await standsStill(() => sum(fromNode(), ({ bytesRead }) => bytesRead))
        assert.ok(held() < PEERS * LIMIT_BYTES[nodeProtocol], `${held()} bytes are held for ${PEERS} clients`)
        const received = await Promise.all(answers.map(digestOf))
        assert.deepEqual(received.toSorted(), digests.toSorted())
        assert.equal(new Set(received).size, PEERS)
      })

      it('is not read ahead of a node that takes nothing, and is whole once it does', async (t) => {
        const sockets = watchSockets(t)
        const received: Promise<string>[] = []
        let isReading = false
        const waiting: (() => void)[] = []
        const port = await startNode(t, nodeProtocol, (request, response) => {
          const read = () => {
            const digest = digestOf(request)
            received.push(digest)
            void digest.then(() => response.end('read'))
          }
          if (isReading) read()
          else waiting.push(read)
        })
        const gateway = await gatewayTo(t, nodeProtocol, port)
        const fromClients = () => sockets.acceptedAt(gateway.proxyPort)
        const held = heldBetween(fromClients, () => sockets.openedTo(port))
        const sent: string[] = []
        const answers: Promise<Readable>[] = []
        for (let i = 0; i < PEERS; i++) {
          const { body, answer } = await open(t, { gateway, protocol, method: 'POST' })
          sent.push(pour(body, i))
          answers.push(answer)
        }
        await standsStill(() => sum(fromClients(), ({ bytesRead }) => bytesRead))
        assert.ok(held() < PEERS * LIMIT_BYTES[protocol], `${held()} bytes are held for ${PEERS} uploads`)
        isReading = true
        for (const read of waiting) read()
        await Promise.all(answers.map(async (answer) => (await answer).resume()))
        assert.deepEqual((await Promise.all(received)).toSorted(), sent.toSorted())
      })
    })
  }
}
