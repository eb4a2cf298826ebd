import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream, rawUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import {
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  literal,
  requestBlock,
} from '../../support/http2-frames.ts'
import { rawConnect, rawRequest } from '../../support/raw-client.ts'
import { eventually } from '../../support/watch-recording.ts'
import { startStage } from '../front-door/stage.ts'

describe('classes of faults that belong to no one product (reliability.md §2.3)', () => {
  it('class h2-framing: a path with blanks or line ends, a length that lies, TE and Transfer-Encoding reach no node', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      { routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
      { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } },
    )
    const odd: readonly Buffer[] = [
      requestBlock('/a b'),
      requestBlock('/a\r\nX-Evil: 1'),
      requestBlock('/x HTTP/1.1'),
      Buffer.concat([requestBlock('/l'), literal('content-length', '5')]),
      Buffer.concat([requestBlock('/t'), literal('transfer-encoding', 'chunked')]),
      Buffer.concat([requestBlock('/c'), literal('connection', 'x')]),
      Buffer.concat([requestBlock('/te'), literal('te', 'gzip')]),
      Buffer.concat([requestBlock('/v'), literal('x', 'a\r\nX-Evil: 1')]),
      Buffer.concat([requestBlock('/n'), literal('X-Upper', 'a')]),
    ]
    const client = await connectFrames(t, gateway.proxyPort)
    for (const [index, payload] of odd.entries()) {
      const flags = END_HEADERS | END_STREAM
      await client.send(frame(FRAME.headers, { flags, stream: 1 + 2 * index, payload }))
    }
    const all = () => client.isClosed || client.resets.length + client.answered.size >= odd.length
    await eventually('all are refused', all)
    for (const { url, headers, rawHeaders } of node.requests) {
      assert.doesNotMatch(url, /\s/)
      assert.doesNotMatch(rawHeaders.join('\n'), /evil/i)
      assert.deepEqual([headers.connection === 'x', headers.te], [false, undefined], url)
      assert.ok(!['/l', '/t', '/c'].includes(url), `${url} reached the node`)
    }
  })

  it('class websocket-smuggling: a handshake that the node refuses opens no tunnel for what is behind it', async (t) => {
    let heard = ''
    const node = await rawUpstream(t, (socket) => {
      socket.on('data', (data) => {
        heard += data.toString('latin1')
        socket.write(
          'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n',
        )
      })
    })
    const gateway = await startGateway(t, {
      routes: {
        ws: { uri: '/ws', enable_websocket: true, upstream: { nodes: { [node]: 1 } } },
        locked: { uri: '/locked', plugins: { 'key-auth': {} }, upstream: { nodes: { [node]: 1 } } },
      },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(
      'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1337\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nGET /locked HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    await client.until(/^HTTP\/1\.1 426 /)
    client.send('GET /locked HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(
      'the connection has ended or the rest was refused',
      () => client.isClosed || / 401 /.test(client.text),
    )
    assert.doesNotMatch(heard, /locked/)
  })

  it('class websocket-smuggling: Upgrade: h2c is never passed on', async (t) => {
    const stage = await startStage(t)
    await stage.exchange(
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n',
    )
    for (const { headers } of stage.received)
      assert.deepEqual([headers.upgrade, headers['http2-settings']], [undefined, undefined])
  })

  it('class method-tricks: a header that names another method changes nothing about the decision', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const gateway = await startGateway(t, {
      routes: {
        read: { uri: '/*', methods: ['GET'], upstream },
        write: { uri: '/*', methods: ['POST', 'DELETE'], plugins: { 'key-auth': {} }, upstream },
      },
    })
    for (const name of ['X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method']) {
      const head = `Host: a\r\nConnection: close\r\n${name}: GET\r\n\r\n`
      assert.equal((await rawRequest(gateway.proxyPort, `DELETE /x HTTP/1.1\r\n${head}`)).status, 401)
    }
    assert.equal(node.requests.length, 0)
  })

  it('class prototype-pollution: names of JavaScript in query, cookies, headers and documents stay data', async (t) => {
    const stage = await startStage(t)
    const target = '/x?__proto__[polluted]=1&constructor.prototype.polluted=1&__proto__=1'
    const head = 'Host: a\r\nConnection: close\r\nCookie: __proto__=1; constructor=1\r\n__proto__: 1\r\n'
    assert.deepEqual((await stage.exchange(`GET ${target} HTTP/1.1\r\n${head}\r\n`)).statuses, [200])
    const document = JSON.parse(
      '{"uri":"/p","labels":{"__proto__":"polluted"},"__proto__":{"polluted":"1"}}',
    ) as object
    await stage.gateway.admin('PUT', 'routes/constructor', document)
    await stage.gateway.admin('PATCH', 'routes/__proto__', document)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  it('class ssrf: no request makes the gateway resolve or dial what is not a node', async (t) => {
    const evil = await fakeUpstream(t)
    const stage = await startStage(t)
    for (const host of [evil.address, `a@${evil.address}`, 'localhost', '169.254.169.254'])
      await stage.exchange(
        `GET /x HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Host: ${evil.address}\r\nConnection: close\r\n\r\n`,
      )
    assert.equal(evil.requests.length, 0)
  })

  it('class plugin-schema: a configuration that its plugin refuses comes in by no way', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const sound = { uri: '/a', upstream, plugins: { 'key-auth': {} } }
    const store = new MemoryStore({ logger: createLogger('silent') })
    const gateway = await startGateway(t, { routes: { 1: sound } }, { store })
    const bad = { 'key-auth': { header: 7 } }
    const hidden = JSON.parse('{"key-auth":{"__proto__":{"header":"x"},"header":7}}')
    const ways: readonly (readonly [string, string, unknown])[] = [
      ['PUT', 'routes/1', { ...sound, plugins: bad }],
      ['PUT', 'routes/1?force=true', { ...sound, plugins: bad }],
      ['PUT', 'routes/1', { ...sound, plugins: hidden }],
      ['PUT', 'routes/1', { ...sound, plugins: { 'key-auth': { _meta: { disable: 'no' } } } }],
      ['PUT', 'routes/1', { ...sound, plugins: { 'key-auth': { _meta: { filter: 7 } } } }],
      ['PATCH', 'routes/1', { plugins: bad }],
      ['PATCH', 'routes/1/plugins', bad],
      ['PATCH', 'routes/1/plugins/key-auth', { header: 7 }],
      ['PATCH', 'routes/1/plugins/key-auth/header', 7],
      ['PUT', 'plugin_configs/1', { plugins: bad }],
      ['PUT', 'consumer_groups/1', { plugins: bad }],
      ['PUT', 'services/1', { upstream, plugins: bad }],
      ['PUT', 'global_rules/1', { plugins: bad }],
    ]
    for (const [method, path, body] of ways) {
      const { status } = await gateway.admin(method, path, body)
      assert.ok(status === 400 || status === 404, `${method} ${path} was answered ${status}`)
    }
    await store.put('/apisix/routes/2', JSON.stringify({ ...sound, uri: '/b', plugins: bad }))
    await store.put('/apisix/routes/1', JSON.stringify({ ...sound, plugins: bad }))
    await eventually('both are set aside', () =>
      ['routes/1', 'routes/2'].every((name) => gateway.logs.some(({ resource }) => resource === name)),
    )
    assert.equal((await fetch(`${gateway.proxyUrl}/a`)).status, 401)
    assert.equal((await fetch(`${gateway.proxyUrl}/b`)).status, 404)
    assert.equal(node.requests.length, 0)
  })

  it('class path-spelling (Kong 3.0): a path is matched in one form however it is spelled, and reaches the node as it was', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const routes = {
      all: { uri: '/*', upstream },
      plain: { uri: '/a b/*', upstream, plugins: { 'key-auth': {} } },
      letters: { uri: '/caf\u00e9/*', upstream, plugins: { 'key-auth': {} } },
    }
    const gateway = await startGateway(t, { routes })
    const ask = async (path: string) => {
      const head = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
      return (await rawRequest(gateway.proxyPort, head)).status
    }
    for (const path of ['/a%20b/x', '/%61%20b/x', '/c%61f%C3%A9/x', '/caf%c3%a9/x', '/x/../caf%C3%A9/x'])
      assert.equal(await ask(path), 401, path)
    for (const path of ['/a%2520b/x', '/a+b/x', '/caf%25C3%25A9/x', '/%7Euser/%41?q=%20']) {
      assert.equal(await ask(path), 200, path)
      assert.equal(node.requests.at(-1)?.url, path)
    }
  })
})
