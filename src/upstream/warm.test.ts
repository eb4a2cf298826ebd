import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { outgoing, ProbeSink } from '../../test/support/transport-probe.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../testing/fake-upstream.ts'
import { Http1Pool } from './h1/pool.ts'
import { Http2Pool } from './h2/pool.ts'
import { identityOf, type PoolIdentity, PoolRegistry } from './pool-registry.ts'
import { readUpstream, type UpstreamSpec } from './spec.ts'
import { NO_WARMING } from './transport.ts'

const now = () => performance.now()

function identity(address: string, change: Partial<PoolIdentity> = {}): PoolIdentity {
  const [host = '', port] = address.split(':')
  return {
    ...{ scheme: 'http', host, port: Number(port), serverName: undefined, tls: undefined },
    keepalive: { size: 320, idleMs: 60_000, requests: 1000 },
    ...change,
  }
}

function http1(t: TestContext, address: string, change?: Partial<PoolIdentity>): Http1Pool {
  const pool = new Http1Pool(identity(address, change), now)
  t.after(() => pool.close())
  return pool
}

async function http2Node(t: TestContext) {
  let sessions = 0
  const server = http2.createServer()
  const open = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => {
    sessions++
    open.add(session)
  })
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 })
    stream.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of open) session.destroy()
    server.close()
  })
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get sessions() {
      return sessions
    },
  }
}

function ask(pool: Http1Pool | Http2Pool): Promise<ProbeSink> {
  const sink = new ProbeSink()
  pool.send(outgoing(), sink)
  return sink.over
}

describe('connections opened ahead', () => {
  it('carry the first requests, which open none', async (t) => {
    const node = await fakeUpstream(t)
    const pool = http1(t, node.address)
    assert.equal(await pool.warm(3).opened, 3)
    assert.deepEqual(pool.size, { open: 3, idle: 3, waiting: 0 })
    const answers = await Promise.all([ask(pool), ask(pool), ask(pool)])
    assert.deepEqual(
      answers.map(({ body }) => body),
      ['ok', 'ok', 'ok'],
    )
    assert.equal(node.connections, 3)
  })

  it('are no more than may be kept, and those that are open count', async (t) => {
    const node = await fakeUpstream(t)
    const pool = http1(t, node.address, { keepalive: { size: 2, idleMs: 60_000, requests: 1000 } })
    assert.equal(await pool.warm(1).opened, 1)
    assert.equal(await pool.warm(5).opened, 1)
    assert.equal(pool.size.idle, 2)
  })

  it('to a node that refuses are none', async (t) => {
    const pool = http1(t, await refusingAddress())
    assert.equal(await pool.warm(2).opened, 0)
    assert.deepEqual(pool.size, { open: 0, idle: 0, waiting: 0 })
  })

  it('are given up in the middle of their handshakes', async (t) => {
    const address = await rawUpstream(t, () => undefined)
    const pool = http1(t, address, { scheme: 'https', serverName: 'a' })
    const warming = pool.warm(2)
    assert.equal(pool.size.open, 2)
    warming.giveUp()
    assert.equal(await warming.opened, 0)
    assert.equal(pool.size.open, 0)
  })

  it('that the node has closed meanwhile are known as such, so that a request is sent again', async (t) => {
    const sockets: Socket[] = []
    const address = await rawUpstream(t, (socket) => {
      sockets.push(socket)
      // The node closes when the request arrives: this side could not know.
      socket.once('data', () => socket.destroy())
    })
    const pool = http1(t, address)
    await pool.warm(1).opened
    const { error } = await ask(pool)
    assert.equal(error?.isStaleConnection, true)
    const fresh = await ask(pool)
    assert.equal(fresh.error?.isStaleConnection, false)
  })

  it('are one session of HTTP/2, however many are asked for', async (t) => {
    const node = await http2Node(t)
    const pool = new Http2Pool(identity(node.address, { scheme: 'grpc' }), now)
    t.after(() => pool.close())
    assert.equal(await pool.warm(4).opened, 1)
    assert.equal(await pool.warm(4).opened, 0)
    assert.equal((await ask(pool)).body, 'ok')
    assert.equal(node.sessions, 1)
  })

  it('of HTTP/2 are given up while the node says nothing', async (t) => {
    const address = await rawUpstream(t, () => undefined)
    const pool = new Http2Pool(identity(address, { scheme: 'grpc' }), now)
    t.after(() => pool.close())
    const warming = pool.warm(1)
    warming.giveUp()
    assert.equal(await warming.opened, 0)
    await eventually('its session is gone', () => pool.size.sessions === 0)
  })
})

describe('all nodes', () => {
  const spec = (change: object): UpstreamSpec => readUpstream({ nodes: { 'a.test:1': 1 }, ...change })
  const registry = () => {
    const warmed: string[] = []
    const pools = new PoolRegistry(({ host, serverName = '' }) => ({
      send: () => assert.fail('nothing is sent'),
      warm: (count) => {
        warmed.push(`${host} ${serverName} ${count}`)
        return { ...NO_WARMING, opened: Promise.resolve(count) }
      },
      close: () => undefined,
    }))
    const add = (host: string, of: UpstreamSpec) =>
      pools.acquire(identityOf({ host, port: 1, weight: 1, priority: 0, domain: 'a.test' }, of))
    return { pools, warmed, add }
  }

  it('get connections, but not over TLS where the name comes with the request', async () => {
    const { pools, warmed, add } = registry()
    add('10.0.0.1', spec({}))
    add('10.0.0.2', spec({ scheme: 'https' }))
    add('10.0.0.3', spec({ scheme: 'https', pass_host: 'node' }))
    add('10.0.0.4', spec({ scheme: 'https', pass_host: 'rewrite', upstream_host: 'b.test' }))
    assert.equal(await pools.warm(2, new AbortController().signal), 6)
    assert.deepEqual(warmed, ['10.0.0.1  2', '10.0.0.3 a.test 2', '10.0.0.4 b.test 2'])
  })

  it('get a thousand at the most together', async () => {
    const { pools, add } = registry()
    for (let node = 0; node < 40; node++) add(`10.0.1.${node}`, spec({}))
    assert.equal(await pools.warm(100, new AbortController().signal), 1000)
  })
})
