import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants } from 'node:http2'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import {
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameConnection,
  frame,
  literal,
} from '../support/http2-frames.ts'
import { eventually } from '../support/watch-recording.ts'

const H2C = { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] }

function routeTo(address: string): Resources {
  return { routes: { all: { uri: '/*', upstream: { nodes: { [address]: 1 } } } } }
}

describe('an HTTP/2 connection after keepalive_requests streams', () => {
  const limited = (requests: number) => ({
    settings: { ...H2C, 'nginx_config.http.keepalive_requests': requests },
  })

  it('is told to open no more, lets those under way finish, and is closed', async (t) => {
    const held: (() => void)[] = []
    const node = await fakeUpstream(t, (request, response) => {
      if (request.url === '/now') response.end('now')
      else held.push(() => response.end('held'))
    })
    const gateway = await startGateway(t, routeTo(node.address), limited(3))
    const session = await connectHttp2(t, gateway.proxyUrl)
    const closed = once(session, 'close')
    const goaway = once(session, 'goaway')
    const slow = ask(session, { ':path': '/held' })
    assert.equal((await ask(session, { ':path': '/now' })).body, 'now')
    assert.equal(session.closed, false)
    const last = ask(session, { ':method': 'POST', ':path': '/held' }, 'body')
    const [code, lastStream] = await goaway
    assert.deepEqual([code, lastStream], [constants.NGHTTP2_NO_ERROR, 5])
    await eventually('both are at the node', () => held.length === 2)
    for (const answer of held) answer()
    assert.deepEqual([(await slow).body, (await last).body], ['held', 'held'])
    await closed
    const next = await connectHttp2(t, gateway.proxyUrl)
    assert.equal((await ask(next, { ':path': '/now' })).body, 'now')
  })

  it('never serves in part what a client opened before it knew', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, routeTo(node.address), limited(5))
    const session = await connectHttp2(t, gateway.proxyUrl)
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => ask(session, { ':path': `/${index}` })),
    )
    const served = all.filter((one) => one.status === 'fulfilled').map(({ value }) => value.body)
    assert.deepEqual(served, Array(5).fill('ok'))
    assert.equal(node.requests.length, 5)
  })
})

describe('an HTTP/2 connection of a client that was answered while it sent', () => {
  it('outlives the time in which the rest of a body is read', async (t) => {
    const gateway = await startGateway(
      t,
      {},
      { settings: { ...H2C, 'nginx_config.http.client_body_timeout': '100ms' } },
    )
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':path': '/', ':method': 'POST' })
    stream.write('a beginning')
    const [head] = await once(stream.resume(), 'response')
    assert.equal(head[':status'], 404)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal((await ask(session, { ':path': '/' })).status, 404)
  })
})

describe('the host of an HTTP/2 request', () => {
  const BLOCK_START = Buffer.concat([literal(':method', 'GET'), literal(':scheme', 'http')])

  /** Says a request with these fields on stream 1, and waits until something came of it. */
  async function say(connection: FrameConnection, fields: readonly (readonly [string, string])[]) {
    const named = [[':path', '/'], ...fields] as const
    const payload = Buffer.concat([BLOCK_START, ...named.map(([name, value]) => literal(name, value))])
    await connection.send(frame(FRAME.headers, { flags: END_HEADERS | END_STREAM, stream: 1, payload }))
    await eventually(
      'the request came to something',
      () => connection.answered.has(1) || connection.resets.length > 0 || connection.isClosed,
    )
  }

  it('is :authority, else Host', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, routeTo(node.address), { settings: H2C })
    for (const [fields, host] of [
      [[[':authority', 'a.test']], 'a.test'],
      [[['host', 'b.test']], 'b.test'],
      [
        [
          [':authority', 'a.test'],
          ['host', 'b.test'],
        ],
        'a.test',
      ],
    ] as const) {
      const connection = await connectFrames(t, gateway.proxyPort)
      await say(connection, fields)
      assert.deepEqual([...connection.answered], [1])
      assert.equal(node.requests.at(-1)!.headers.host, host)
    }
  })

  it('must be there, once and not empty: what has none never reaches a node', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, routeTo(node.address), { settings: H2C })
    for (const fields of [
      [],
      [[':authority', '']],
      [['host', '']],
      [
        [':authority', ''],
        ['host', 'a.test'],
      ],
      [
        [':authority', ''],
        ['host', ''],
      ],
      [
        ['host', 'a.test'],
        ['host', 'b.test'],
      ],
      [
        [':authority', 'a.test'],
        [':authority', 'b.test'],
      ],
    ] as [string, string][][]) {
      const connection = await connectFrames(t, gateway.proxyPort)
      await say(connection, fields)
      // nghttp2 resets most of them; what it lets through is answered by the front door.
      const isRefused =
        connection.resets.includes(constants.NGHTTP2_PROTOCOL_ERROR) || connection.answered.has(1)
      assert.ok(isRefused, JSON.stringify(fields))
      assert.equal(node.requests.length, 0, JSON.stringify(fields))
    }
  })
})
