import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'

/** A gateway before a node that answers each request with these bytes; `close` ends the connection after them. */
async function gatewayBefore(t: TestContext, bytes: string, close = false): Promise<TestGateway> {
  const node = await rawUpstream(t, (socket) => {
    socket.on('data', (data) => {
      const isSound = data.toString().startsWith('GET /sound ')
      socket.write(isSound ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound' : bytes, 'latin1')
      if (close) socket.end()
    })
  })
  return startGateway(t, { routes: { 1: { uri: '/*', upstream: { nodes: { [node]: 1 } } } } })
}

const OK = 'HTTP/1.1 200 OK\r\n'

const BAD_GATEWAY: readonly (readonly [what: string, bytes: string])[] = [
  ['garbage', 'garbage\r\n\r\n'],
  ['another protocol', 'SSH-2.0-x\r\n\r\n'],
  [
    'Content-Length and Transfer-Encoding',
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['two lengths', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
  ['a folded header', `${OK}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
  ['NUL in a header', `${OK}A: b\0\r\nContent-Length: 0\r\n\r\n`],
  ['a bare LF in a header', `${OK}A: b\nC: d\r\nContent-Length: 0\r\n\r\n`],
  ['a coding that nobody asked for', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
  ['interim responses without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)],
  ['a header of a megabyte', `${OK}A: ${'a'.repeat(1_000_000)}\r\n\r\n`],
  ['chunks that are none, at once', `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
]

describe('an upstream that misbehaves', () => {
  for (const [what, bytes] of BAD_GATEWAY) {
    it(`with ${what} gives 502, and the next request is answered`, async (t) => {
      const gateway = await gatewayBefore(t, bytes)
      const answer = await fetch(`${gateway.proxyUrl}/bad`)
      assert.equal(answer.status, 502)
      assert.equal(await answer.text(), '{"error_msg":"502 Bad Gateway"}\n')
      assert.equal(await (await fetch(`${gateway.proxyUrl}/sound`)).text(), 'sound')
    })
  }

  for (const [what, bytes] of [
    ['by length', `${OK}Content-Length: 10\r\n\r\npart`],
    ['in chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`],
  ] as const) {
    it(`with a body ${what} that ends too early is cut, not completed`, async (t) => {
      const gateway = await gatewayBefore(t, bytes, true)
      const client = await rawConnect(t, gateway.proxyPort)
      client.send('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n')
      const text = await client.untilClosed()
      if (text !== '') {
        assert.match(text, /part/)
        assert.doesNotMatch(text, /\r\n0\r\n/)
      }
    })
  }

  it('with chunks that break off later is cut, not completed', async (t) => {
    const node = await rawUpstream(t, (socket) => {
      socket.once('data', () => {
        socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`)
        setTimeout(() => socket.write('zz\r\n'), 20)
      })
    })
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [node]: 1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 200 .*part/s)
    assert.doesNotMatch(text, /\r\n0\r\n/)
  })

  for (const [what, bytes, method] of [
    ['a second response', `${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 4\r\n\r\nevil`, 'GET'],
    ['the body of a 204', `HTTP/1.1 204 No Content\r\n\r\n${OK}Content-Length: 4\r\n\r\nevil`, 'GET'],
    ['the body of a 304', `HTTP/1.1 304 Not Modified\r\n\r\n${OK}Content-Length: 4\r\n\r\nevil`, 'GET'],
    ['the body of a HEAD', `${OK}Content-Length: 44\r\n\r\n${OK}Content-Length: 4\r\n\r\nevil`, 'HEAD'],
  ] as const) {
    it(`with ${what} never reaches another client with it`, async (t) => {
      const gateway = await gatewayBefore(t, bytes)
      for (let i = 0; i < 5; i++) {
        const first = await fetch(`${gateway.proxyUrl}/bad`, { method })
        assert.ok([200, 204, 304].includes(first.status))
        assert.doesNotMatch(await first.text(), /evil/)
        assert.equal(await (await fetch(`${gateway.proxyUrl}/sound`)).text(), 'sound')
      }
    })
  }

  it('that answers before it has read the body is relayed, and the connection of the client goes on', async (t) => {
    const node = await rawUpstream(t, (socket) => {
      socket.once('data', (data) => {
        if (data.toString().startsWith('GET')) return void socket.write(`${OK}Content-Length: 5\r\n\r\nsound`)
        socket.pause()
        socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig')
      })
    })
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [node]: 1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    const chunk = 'x'.repeat(1024 * 1024)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${16 * chunk.length}\r\n\r\n`)
    for (let i = 0; i < 8; i++) client.send(chunk)
    await client.until(/^HTTP\/1\.1 413 .*big$/s)
    for (let i = 0; i < 8; i++) client.send(chunk)
    client.send('GET /sound HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/big.*HTTP\/1\.1 200 OK.*sound$/s)
  })
})
