import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { rawConnect } from '../../test/support/raw-client.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import proxyMirror from './index.ts'
import { timeoutsOf } from './schema.ts'

type Config = Record<string, unknown>

const PATIENCE_MS = 30_000

/** A node, a mirror that remembers bodies, and a gateway whose one route has both. */
async function mirrored(t: TestContext, config: Config = {}, others: Record<string, Config> = {}) {
  const node = await fakeUpstream(t, (incoming, response) => {
    incoming.resume().on('end', () => response.end('node'))
  })
  const bodies: string[] = []
  const mirror = await fakeUpstream(t, (incoming, response) => {
    let body = ''
    incoming.on('data', (chunk) => (body += chunk))
    incoming.on('end', () => {
      bodies.push(body)
      response.writeHead(500).end('ignored')
    })
  })
  const plugins = { 'proxy-mirror': { host: `http://${mirror.address}`, ...config }, ...others }
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
  })
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(gateway.proxyUrl + path, init)
    assert.deepEqual([response.status, await response.text()], [200, 'node'])
  }
  const arrived = (count: number) =>
    eventually(`${count} copies arrived`, () => bodies.length >= count, PATIENCE_MS)
  return { gateway, node, mirror, bodies, ask, arrived }
}

async function metric(gateway: Awaited<ReturnType<typeof startGateway>>, result: string): Promise<number> {
  const url = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
  const text = await (await fetch(url)).text()
  return Number(
    new RegExp(`^gatewright_mirrored_requests_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  )
}

async function countIs(gateway: Awaited<ReturnType<typeof startGateway>>, result: string, count: number) {
  await eventually(`${count} ${result}`, async () => (await metric(gateway, result)) === count, PATIENCE_MS)
}

describe('proxy-mirror', () => {
  it('sends the same method, path, query, headers and body to the mirror and ignores what it says', async (t) => {
    const { gateway, node, mirror, bodies, ask, arrived } = await mirrored(t)
    const headers = { 'x-a': 'b', 'x-forwarded-for': '6.6.6.6' }
    await ask('/orig?a=1', { method: 'POST', body: 'hello', headers })
    await arrived(1)
    const [copy] = mirror.requests
    assert.deepEqual([copy!.method, copy!.url, bodies], ['POST', '/orig?a=1', ['hello']])
    assert.equal(copy!.headers['x-a'], 'b')
    assert.equal(copy!.headers['content-length'], '5')
    assert.equal(copy!.headers.host, `127.0.0.1:${gateway.proxyPort}`)
    assert.equal(copy!.headers.connection, 'close')
    assert.equal(copy!.headers['x-forwarded-proto'], 'http')
    assert.equal(copy!.headers['x-forwarded-host'], `127.0.0.1:${gateway.proxyPort}`)
    assert.equal(copy!.headers['x-forwarded-port'], String(gateway.proxyPort))
    for (const name of ['x-real-ip', 'x-forwarded-for']) assert.equal(copy!.headers[name], undefined, name)
    assert.equal(node.requests.length, 1)
    await countIs(gateway, 'sent', 1)
  })

  it('copies what the upstream gets, rewritten and without credentials', async (t) => {
    const { mirror, ask, arrived } = await mirrored(
      t,
      {},
      {
        'proxy-rewrite': { uri: '/new', headers: { set: { 'X-Set': 'yes' }, remove: ['X-Secret'] } },
      },
    )
    await ask('/old?a=1', { headers: { 'x-secret': 's' } })
    await arrived(1)
    const { url, headers } = mirror.requests[0]!
    assert.deepEqual([url, headers['x-set'], headers['x-secret']], ['/new?a=1', 'yes', undefined])
  })

  it('has a path of its own, in place of the request’s or before it', async (t) => {
    const replaced = await mirrored(t, { path: '/mm' })
    await replaced.ask('/orig?a=1')
    await replaced.ask('/orig')
    await replaced.arrived(2)
    assert.deepEqual(replaced.mirror.requests.map(({ url }) => url).sort(), ['/mm', '/mm?a=1'])
    const prefixed = await mirrored(t, { path: '/mm', path_concat_mode: 'prefix' })
    await prefixed.ask('/orig?a=1')
    await prefixed.arrived(1)
    assert.equal(prefixed.mirror.requests[0]!.url, '/mm/orig?a=1')
  })

  it('copies a share of the requests', async (t) => {
    const { gateway, mirror, ask } = await mirrored(t, { sample_ratio: 0.5 })
    for (let i = 0; i < 60; i++) await ask('/')
    await eventually(
      'all copies are over',
      async () => (await metric(gateway, 'sent')) === mirror.requests.length,
    )
    const { length } = mirror.requests
    assert.ok(length > 10 && length < 50, `${length} of 60 at a half`)
  })

  it('sends one copy however often the upstream is tried', async (t) => {
    const { gateway, mirror, ask, arrived } = await mirrored(t)
    const node = await fakeUpstream(t, (_request, response) => response.end('node'))
    const nodes = [
      { host: '127.0.0.1', port: Number((await refusingAddress()).split(':')[1]), weight: 1, priority: 1 },
      { host: '127.0.0.1', port: node.port, weight: 1, priority: 0 },
    ]
    const plugins = { 'proxy-mirror': { host: `http://${mirror.address}` } }
    await gateway.put('routes', '1', { uri: '/*', plugins, upstream: { nodes, retries: 2 } } as never)
    await ask('/')
    await arrived(1)
    await countIs(gateway, 'sent', 1)
    assert.equal(mirror.requests.length, 1)
  })

  it('does not hold up or fail a request whose mirror refuses, is silent, or breaks off', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const broken = await rawUpstream(t, (socket) => socket.destroy())
    for (const host of [await refusingAddress(), silent, broken]) {
      const { ask } = await mirrored(t, { host: `http://${host}` })
      const startedAt = performance.now()
      await ask('/', { method: 'POST', body: 'x' })
      assert.ok(performance.now() - startedAt < 2000)
    }
  })

  it('tells of a mirror that is down once, and counts each copy', async (t) => {
    const { gateway, ask } = await mirrored(t, { host: `http://${await refusingAddress()}` })
    for (let i = 0; i < 3; i++) await ask('/')
    await countIs(gateway, 'failed', 3)
    assert.equal(gateway.logs.filter((line) => line['plugin'] === 'proxy-mirror').length, 1)
  })

  it('copies bodies of any length as they pass', async (t) => {
    const { gateway, mirror, bodies, ask, arrived } = await mirrored(t)
    const long = 'x'.repeat(8 * 1024 * 1024 + 1)
    await ask('/', { method: 'POST', body: long })
    await arrived(1)
    assert.equal(bodies[0], long)
    assert.equal(mirror.requests[0]!.headers['content-length'], String(long.length))
    await countIs(gateway, 'sent', 1)
  })

  it('copies a body of unknown length while it comes', async (t) => {
    let copied = ''
    const mirror = await fakeUpstream(t, (incoming, response) => {
      incoming.on('data', (part) => (copied += part))
      incoming.on('end', () => response.end())
    })
    const { gateway } = await mirrored(t, { host: `http://${mirror.address}` })
    const sent = request({ port: gateway.proxyPort, method: 'POST', agent: false })
    const answered = once(sent, 'response')
    sent.write('first')
    await eventually('the first part is there', () => copied === 'first', PATIENCE_MS)
    assert.equal(mirror.requests[0]!.headers['transfer-encoding'], 'chunked')
    sent.end('second')
    const [response] = await answered
    response.resume()
    await countIs(gateway, 'sent', 1)
    assert.equal(copied, 'firstsecond')
  })

  it('copies a body that another plugin has made', async (t) => {
    const template = '{"made":"{{name}}"}'
    const { mirror, bodies, ask, arrived } = await mirrored(
      t,
      {},
      { 'body-transformer': { request: { template, input_format: 'json' } } },
    )
    await ask('/', {
      method: 'POST',
      body: '{"name":"ann"}',
      headers: { 'content-type': 'application/json' },
    })
    await arrived(1)
    assert.equal(bodies[0], '{"made":"ann"}')
    assert.equal(mirror.requests[0]!.headers['content-length'], String(bodies[0].length))
  })

  it('drops the copy of a body that the mirror does not take, and the upstream gets all of it', async (t) => {
    const idle = await rawUpstream(t, (socket) => socket.pause())
    const { gateway, ask } = await mirrored(t, { host: `http://${idle}` })
    await ask('/', { method: 'POST', body: Buffer.alloc(32 * 1024 * 1024) })
    await countIs(gateway, 'slow', 1)
    assert.equal(gateway.logs.filter((line) => line['plugin'] === 'proxy-mirror').length, 1)
  })

  it('gives up the copy of a request whose client leaves before its body ends', async (t) => {
    let isCut = false
    const mirror = await fakeUpstream(t, (incoming) => incoming.on('error', () => (isCut = true)))
    const { gateway } = await mirrored(t, { host: `http://${mirror.address}` })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    await eventually('the copy is there', () => mirror.requests.length === 1, PATIENCE_MS)
    client.socket.destroy()
    await countIs(gateway, 'body', 1)
    await eventually('the mirror sees it cut', () => isCut, PATIENCE_MS)
  })

  it('does not copy more at a time than its bound', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const { gateway, ask } = await mirrored(t, { host: `http://${silent}` })
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 26 }, () => ask('/')))
    await countIs(gateway, 'busy', 4)
  })

  it('lets go of copies under way when it retires', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const mounted = mountPlugin(proxyMirror, { host: `http://${silent}` })
    await mounted.request()
    await mounted.dispose()
    assert.match(mounted.metrics.expose(), /result="failed"\} 1/)
  })

  it('gives up a copy that takes too long', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const attr = { timeout: { connect: '10ms', read: '10ms', send: '10ms' } }
    const mounted = mountPlugin(proxyMirror, { host: `http://${silent}` }, { attr })
    await mounted.request()
    await eventually('it is given up', () => /result="failed"\} 1/.test(mounted.metrics.expose()))
  })

  it('checks the certificate of a mirror with TLS unless told not to', async (t) => {
    const { key, cert } = makeCertificate({ names: ['mirror'] })
    let copies = 0
    const server = createTlsServer({ key, cert }, (_request, response) => {
      copies++
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const host = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const strict = await mirrored(t, { host })
    await strict.ask('/')
    await countIs(strict.gateway, 'failed', 1)
    assert.equal(copies, 0)
    const lax = await mirrored(t, { host, ssl_verify: false })
    await lax.ask('/')
    await countIs(lax.gateway, 'sent', 1)
    assert.equal(copies, 1)
  })

  it('looks up names', async (t) => {
    const { mirror, ask, arrived } = await mirrored(t)
    const named = await mirrored(t, { host: `http://localhost:${mirror.port}` })
    await ask('/')
    await named.ask('/')
    await named.ask('/')
    await arrived(3)
  })

  it('lets no value of a request add a line or a second request', async (t) => {
    const { gateway, mirror, arrived } = await mirrored(t, { path: '/mm', path_concat_mode: 'prefix' })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(
      'GET /a%0d%0aEvil:%201?b=%0d%0a HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n',
    )
    await client.untilClosed()
    await arrived(1)
    const { url, headers } = mirror.requests[0]!
    assert.equal(url.toLowerCase(), '/mm/a%0d%0aevil:%201?b=%0d%0a')
    assert.deepEqual([headers['evil'], headers['x-hop']], [undefined, undefined])
  })
})

describe('the configuration of proxy-mirror', () => {
  it('refuses what cannot be used', () => {
    const refused = (config: Config) => refusal(proxyMirror, config) ?? ''
    assert.match(refused({}), /property "host" is required/)
    for (const host of [
      'a.com',
      'ftp://a.com',
      'http://a.com/x',
      'http://a b',
      'http://a.com:',
      'http://:80',
    ])
      assert.match(refused({ host }), /property "host" validation failed: failed to match pattern/, host)
    for (const host of ['http://a.com', 'https://a.com:8443', 'http://[::1]:80', 'http://127.0.0.1'])
      assert.equal(refused({ host }), '', host)
    const host = 'http://a.com'
    assert.match(refused({ host, path: 'x' }), /failed to match pattern/)
    assert.match(refused({ host, path: '/x?a=1' }), /failed to match pattern/)
    assert.match(refused({ host, sample_ratio: 0 }), /to be at least/)
    assert.match(refused({ host, sample_ratio: 1.1 }), /expected 1.1 to be at most 1/)
    assert.match(refused({ host, path_concat_mode: 'x' }), /matches none of the enum values/)
  })

  it('has times in the settings, a minute each unless given', () => {
    assert.deepEqual(timeoutsOf({}), { connectMs: 60_000, totalMs: 180_000 })
    const timeout = { connect: '500ms', read: '2s', send: '1m' }
    assert.deepEqual(timeoutsOf({ timeout }), { connectMs: 500, totalMs: 62_500 })
  })
})
