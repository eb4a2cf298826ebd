import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { rawConnect } from '../support/raw-client.ts'
import { handshake } from '../support/tls-client.ts'
import { eventually } from '../support/watch-recording.ts'

interface Stage {
  readonly gateway: TestGateway
  /** Answers to requests for `/held`, in order; others are answered `ok`. */
  readonly held: ServerResponse[]
  /** Connections that were let go, by reason. */
  drained(reason: 'duration' | 'certificate'): Promise<number>
}

const SHOP = makeCertificate({ names: ['shop.test'] })

async function stage(t: TestContext, settings: Readonly<Record<string, unknown>> = {}): Promise<Stage> {
  const held: ServerResponse[] = []
  const upstream = await fakeUpstream(t, (request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end('ok')
  })
  const gateway = await startGateway(
    t,
    {
      routes: { all: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
      ssls: { shop: { snis: ['shop.test'], ...SHOP } },
    },
    { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }], ...settings } },
  )
  return {
    gateway,
    held,
    drained: async (reason) => {
      const { port } = gateway.addresses.metrics!
      const text = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
      const found = new RegExp(`gatewright_drained_connections_total\\{reason="${reason}"\\} (\\d+)`).exec(
        text,
      )
      return Number(found?.[1] ?? 0)
    },
  }
}

/** A connection over TLS on which requests are sent by hand. */
async function overTls(t: TestContext, { tlsPort }: TestGateway) {
  const socket: TLSSocket = await handshake(tlsPort, { servername: 'shop.test' })
  t.after(() => socket.destroy())
  let text = ''
  let isClosed = false
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.once('close', () => {
    isClosed = true
  })
  return {
    send: (path: string) => void socket.write(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`),
    /** The next whole answer. */
    answer: async () => {
      await eventually('an answer has come', () => /\r\n\r\n(.*\r\n)?(ok|late)/s.test(text), 20_000)
      const answer = text
      text = ''
      return answer
    },
    get isClosed() {
      return isClosed
    },
  }
}

describe('a connection over TLS whose certificate is another one by now', () => {
  it('serves its next request, and ends with the answer to that', async (t) => {
    const { gateway, drained } = await stage(t)
    const client = await overTls(t, gateway)
    client.send('/1')
    assert.doesNotMatch(await client.answer(), /connection: close/i)
    await gateway.put('ssls', 'shop', { snis: ['shop.test'], ...makeCertificate({ names: ['new'] }) })
    assert.equal(await drained('certificate'), 0)
    client.send('/2')
    assert.match(await client.answer(), /^HTTP\/1\.1 200.*connection: close/is)
    await eventually('it is closed', () => client.isClosed, 30_000)
    assert.equal(await drained('certificate'), 1)
  })

  it('gets a GOAWAY with its next stream, and the streams that are open finish', async (t) => {
    const { gateway, held } = await stage(t)
    const options = { servername: 'shop.test', rejectUnauthorized: false }
    const session = await connectHttp2(t, `https://127.0.0.1:${gateway.tlsPort}`, options)
    const slow = ask(session, { ':path': '/held', ':authority': 'shop.test' })
    await eventually('it is at the node', () => held.length === 1, 30_000)
    await gateway.put('ssls', 'shop', { snis: ['shop.test'], ...makeCertificate({ names: ['new'] }) })
    const goaway = once(session, 'goaway')
    const closed = once(session, 'close')
    assert.equal((await ask(session, { ':path': '/', ':authority': 'shop.test' })).body, 'ok')
    assert.equal((await goaway)[0], http2.constants.NGHTTP2_NO_ERROR)
    held[0]!.end('late')
    assert.equal((await slow).body, 'late')
    await closed
  })

  it('ends when the ssl is gone, and when a nearer one stands in its place', async (t) => {
    const { gateway } = await stage(t)
    await gateway.put('ssls', 'shop', { snis: ['*.test'], ...SHOP })
    const client = await overTls(t, gateway)
    await gateway.put('ssls', 'own', { snis: ['shop.test'], ...makeCertificate({ names: ['own'] }) })
    client.send('/1')
    assert.match(await client.answer(), /connection: close/i)
    const other = await overTls(t, gateway)
    await gateway.admin('DELETE', 'ssls/own')
    await gateway.admin('DELETE', 'ssls/shop')
    other.send('/1')
    assert.match(await other.answer(), /connection: close/i)
  })

  it('stays when the ssl changed in all but its certificate, or another one changed', async (t) => {
    const { gateway, drained } = await stage(t)
    const client = await overTls(t, gateway)
    await gateway.put('ssls', 'shop', { snis: ['shop.test', 'b.test'], labels: { a: 'b' }, ...SHOP })
    await gateway.put('ssls', 'other', { snis: ['c.test'], ...makeCertificate({ names: ['c'] }) })
    for (const path of ['/1', '/2']) {
      client.send(path)
      assert.doesNotMatch(await client.answer(), /connection: close/i)
    }
    assert.equal(await drained('certificate'), 0)
  })
})

describe('limits.max_connection_duration_ms', () => {
  const SHORT = { 'gatewright.limits.max_connection_duration_ms': 300 }

  it('ends a connection with the answer that is under way', async (t) => {
    const { gateway, held, drained } = await stage(t, SHORT)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('it is at the node', () => held.length === 1, 30_000)
    await eventually('its time is over', async () => (await drained('duration')) === 1, 20_000)
    held[0]!.end('late')
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 200.*connection: close.*late/is)
  })

  it('ends an idle connection with its next answer, over TLS too', async (t) => {
    const { gateway, drained } = await stage(t, SHORT)
    const client = await overTls(t, gateway)
    await eventually('its time is over', async () => (await drained('duration')) === 1, 20_000)
    assert.equal(client.isClosed, false)
    client.send('/1')
    assert.match(await client.answer(), /connection: close/i)
    await eventually('it is closed', () => client.isClosed, 30_000)
  })

  it('sends GOAWAY to clients of HTTP/2, whose streams finish', async (t) => {
    // Long enough for the first request to be there on a machine that is busy.
    const { gateway, held } = await stage(t, { 'gatewright.limits.max_connection_duration_ms': 1500 })
    const session = http2.connect(gateway.proxyUrl)
    t.after(() => session.destroy())
    const goaway = once(session, 'goaway')
    const slow = ask(session, { ':path': '/held' })
    assert.equal((await goaway)[0], http2.constants.NGHTTP2_NO_ERROR)
    await eventually('it is at the node', () => held.length === 1, 30_000)
    held[0]!.end('late')
    assert.equal((await slow).body, 'late')
  })

  it('is off by default', async (t) => {
    const { gateway, drained } = await stage(t)
    const client = await overTls(t, gateway)
    client.send('/1')
    assert.doesNotMatch(await client.answer(), /connection: close/i)
    assert.equal(await drained('duration'), 0)
  })
})
