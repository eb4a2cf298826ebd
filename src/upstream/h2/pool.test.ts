import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { outgoing, ProbeBody, ProbeSink } from '../../../test/support/transport-probe.ts'
import type { PoolIdentity } from '../pool-registry.ts'
import { Http2Pool, type Http2PoolLimits } from './pool.ts'

type Handler = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void

interface Node {
  readonly port: number
  readonly sessions: ServerHttp2Session[]
}

async function startNode(t: TestContext, handler: Handler, settings: http2.Settings = {}): Promise<Node> {
  const sessions: ServerHttp2Session[] = []
  const server = http2.createServer({ settings })
  server.on('session', (session) => void sessions.push(session.on('error', () => {})))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    handler(stream, headers)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sessions }
}

function openPool(
  t: TestContext,
  port: number,
  { limits, keepalive }: { limits?: Http2PoolLimits; keepalive?: Partial<PoolIdentity['keepalive']> } = {},
): Http2Pool {
  const pool = new Http2Pool(
    {
      scheme: 'grpc',
      host: '127.0.0.1',
      port,
      serverName: undefined,
      tls: undefined,
      keepalive: { size: 320, idleMs: 60_000, requests: 1000, ...keepalive },
    },
    () => performance.now(),
    limits,
  )
  t.after(() => pool.close())
  return pool
}

async function until(isDone: () => boolean): Promise<void> {
  const end = Date.now() + 5000
  while (!isDone()) {
    if (Date.now() > end) throw new Error('it did not come about within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

describe('Http2Pool', () => {
  it('sends a request on a stream and tells head, body and trailers of the answer', async (t) => {
    const seen: http2.IncomingHttpHeaders[] = []
    const { port } = await startNode(t, (stream, headers) => {
      seen.push(headers)
      stream.respond({ ':status': 201, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end('hello')
    })
    const sink = new ProbeSink()
    openPool(t, port).send(
      outgoing({ target: '/a?b', headers: ['Host', 'h.test', 'X-A', '1', 'x-a', '2'] }),
      sink,
    )
    await sink.over
    assert.equal(sink.error, undefined)
    assert.equal(sink.head?.status, 201)
    assert.deepEqual(sink.head?.headers.slice(0, 4), ['set-cookie', 'a=1', 'set-cookie', 'b=2'])
    assert.equal(sink.body, 'hello')
    assert.deepEqual(sink.trailers, ['grpc-status', '0'])
    assert.equal(seen[0]?.[':authority'], 'h.test')
    assert.equal(seen[0]?.[':path'], '/a?b')
    assert.equal(seen[0]?.['te'], 'trailers')
    assert.equal(seen[0]?.['x-a'], '1, 2')
  })

  it('sends body and trailers of the request, and many requests on one connection', async (t) => {
    const { port, sessions } = await startNode(t, (stream) => {
      let body = ''
      let trailer: unknown
      stream.on('trailers', (trailers) => (trailer = trailers['x-end']))
      stream.on('data', (chunk) => (body += chunk))
      stream.on('end', () => {
        stream.respond()
        stream.end(`${body} ${trailer}`)
      })
    })
    const pool = openPool(t, port)
    const sinks = Array.from({ length: 20 }, () => new ProbeSink())
    for (const sink of sinks) {
      const body = new ProbeBody(['one ', 'two'])
      const give = body.attach.bind(body)
      body.attach = (consumer) =>
        give({ onChunk: (chunk) => consumer.onChunk(chunk), onEnd: () => consumer.onEnd(['x-end', 'yes']) })
      pool.send(outgoing({ method: 'POST', body }), sink)
    }
    await Promise.all(sinks.map((sink) => sink.over))
    assert.deepEqual(new Set(sinks.map(({ body }) => body)), new Set(['one two yes']))
    assert.equal(sessions.length, 1)
  })

  it('opens another session when the node takes no more streams, and lets attempts wait when there are enough', async (t) => {
    const held: ServerHttp2Stream[] = []
    const node = await startNode(t, (stream) => void held.push(stream), { maxConcurrentStreams: 1 })
    const pool = openPool(t, node.port, { limits: { sessions: 2, waiting: 1 } })
    const sinks = [new ProbeSink(), new ProbeSink(), new ProbeSink(), new ProbeSink()]
    pool.send(outgoing(), sinks[0]!)
    await until(() => held.length === 1)
    pool.send(outgoing(), sinks[1]!)
    await until(() => held.length === 2)
    pool.send(outgoing(), sinks[2]!)
    assert.deepEqual(pool.size, { sessions: 2, streams: 2, waiting: 1 })
    pool.send(outgoing(), sinks[3]!)
    assert.equal((await sinks[3]!.over).error?.kind, 'queue-full')
    held[0]!.respond({ ':status': 200 }, { endStream: true })
    await until(() => held.length === 3)
    for (const stream of held.slice(1)) stream.respond({ ':status': 200 }, { endStream: true })
    for (const sink of sinks.slice(0, 3)) assert.equal((await sink.over).isEnded, true)
  })

  it('lets streams finish after a GOAWAY and sends what follows on a new session', async (t) => {
    const held: ServerHttp2Stream[] = []
    const { port, sessions } = await startNode(t, (stream) => void held.push(stream))
    const pool = openPool(t, port)
    const first = new ProbeSink()
    pool.send(outgoing(), first)
    await until(() => held.length === 1)
    sessions[0]!.close()
    let second = new ProbeSink()
    pool.send(outgoing(), second)
    await until(() => {
      // Sent before the GOAWAY was read: refused, and known to be unsent.
      if (second.error?.isUnsent) {
        second = new ProbeSink()
        pool.send(outgoing(), second)
      }
      return sessions.length === 2 && held.length === 2
    })
    for (const stream of held) {
      stream.respond()
      stream.end('done')
    }
    assert.equal((await first.over).body, 'done')
    assert.equal((await second.over).body, 'done')
  })

  it('tells refused streams as unsent, resets and ends of the connection as resets', async (t) => {
    const { port, sessions } = await startNode(t, (stream, { ':path': path }) => {
      if (path === '/refuse') stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      else if (path === '/reset') stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
      else sessions.at(-1)!.destroy()
    })
    const pool = openPool(t, port)
    const attempt = async (target: string) => {
      const sink = new ProbeSink()
      pool.send(outgoing({ target }), sink)
      const { error } = await sink.over
      return [error?.kind, error?.isUnsent]
    }
    assert.deepEqual(await attempt('/refuse'), ['reset', true])
    assert.deepEqual(await attempt('/reset'), ['reset', false])
    assert.deepEqual(await attempt('/cut'), ['reset', false])
  })

  it('fails with the reason when nothing listens, when the node speaks another protocol and when it says nothing', async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      if (mode === 'http1') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    let mode = 'http1'
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const kindOf = async (connectMs: number) => {
      const sink = new ProbeSink()
      openPool(t, port).send(outgoing({ connectMs }), sink)
      const { error } = await sink.over
      return [error?.kind, error?.isUnsent]
    }
    assert.deepEqual(await kindOf(5000), ['connect', true])
    mode = 'silent'
    assert.deepEqual(await kindOf(50), ['connect-timeout', true])
    server.close()
    await until(() => !server.listening)
    assert.deepEqual(await kindOf(5000), ['connect', true])
  })

  it('gives up a node that goes silent, before and within the answer', async (t) => {
    const { port } = await startNode(t, (stream, { ':path': path }) => {
      if (path === '/half') stream.respond()
    })
    const pool = openPool(t, port)
    for (const target of ['/none', '/half']) {
      const sink = new ProbeSink()
      pool.send(outgoing({ target, readMs: 40 }), sink)
      assert.equal((await sink.over).error?.kind, 'read-timeout')
    }
  })

  it('stops reading while the client is slow and goes on when asked', async (t) => {
    const whole = 4 * 1024 * 1024
    const { port } = await startNode(t, (stream) => {
      stream.respond()
      stream.end(Buffer.alloc(whole))
    })
    const sink = new ProbeSink()
    sink.isSlow = true
    const sending = openPool(t, port).send(outgoing({ readMs: 30 }), sink)
    await until(() => sink.bytes > 0)
    await new Promise((resolve) => setTimeout(resolve, 80))
    assert.ok(sink.bytes < whole / 2, `${sink.bytes} were given to one who asked for a pause`)
    assert.equal(sink.error, undefined)
    sink.isSlow = false
    sending.resume(sink)
    await sink.over
    assert.equal(sink.bytes, whole)
  })

  it('reads the body of the request no faster than the node takes it', async (t) => {
    const streams: ServerHttp2Stream[] = []
    const { port } = await startNode(t, (stream) => void streams.push(stream.pause()))
    const sink = new ProbeSink()
    const body = new ProbeBody(Array.from({ length: 200 }, () => Buffer.alloc(16 * 1024)))
    openPool(t, port).send(outgoing({ method: 'POST', body }), sink)
    await until(() => streams.length === 1 && body.given > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.ok(body.given < 100, `${body.given} chunks went to a node that reads nothing`)
    streams[0]!.on('end', () => streams[0]!.respond({ ':status': 200 }, { endStream: true }))
    streams[0]!.resume()
    assert.equal((await sink.over).head?.status, 200)
    assert.equal(body.given, 200)
  })

  it('resets the stream of an attempt that is given up', async (t) => {
    const codes: (number | undefined)[] = []
    const { port } = await startNode(t, (stream) => void stream.on('close', () => codes.push(stream.rstCode)))
    const pool = openPool(t, port)
    const sink = new ProbeSink()
    const sending = pool.send(outgoing(), sink)
    await until(() => pool.size.streams === 1)
    sending.abort(sink)
    await until(() => codes.length === 1)
    assert.deepEqual(codes, [http2.constants.NGHTTP2_CANCEL])
    assert.equal(sink.error, undefined)
  })

  it('closes sessions that are idle for too long, that served enough, and all when it is closed', async (t) => {
    const { port } = await startNode(t, (stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    const ask = async (pool: Http2Pool) => {
      const sink = new ProbeSink()
      pool.send(outgoing(), sink)
      assert.equal((await sink.over).head?.status, 200)
    }
    const idle = openPool(t, port, { keepalive: { idleMs: 0 } })
    await ask(idle)
    await until(() => idle.size.sessions === 0)
    const once = openPool(t, port, { keepalive: { requests: 1 } })
    await ask(once)
    await until(() => once.size.sessions === 0)
    const closed = openPool(t, port)
    await ask(closed)
    closed.close()
    await until(() => closed.size.sessions === 0)
  })

  it('refuses headers that would break a line', async (t) => {
    const pool = openPool(t, 1)
    assert.throws(() => pool.send(outgoing({ headers: ['x', 'a\r\nb'] }), new ProbeSink()), TypeError)
    assert.throws(() => pool.send(outgoing({ target: '/a b' }), new ProbeSink()), TypeError)
  })
})
