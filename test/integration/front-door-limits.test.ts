import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'
import { slowloris } from '../support/slowloris.ts'
import { eventually } from '../support/watch-recording.ts'

async function limited(t: TestContext, settings: NonNullable<StartOptions['settings']>) {
  let aborted = 0
  const upstream = await fakeUpstream(t, (request, response) => {
    request.on('aborted', () => aborted++).on('error', () => {})
    request.resume().on('end', () => response.end('ok'))
  })
  const gateway = await startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } } },
    { settings },
  )
  return { upstream, gateway, aborted: () => aborted }
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

describe('client_max_body_size', () => {
  it('refuses a longer length with 413 before anything is read or sent', async (t) => {
    const { upstream, gateway } = await limited(t, { 'nginx_config.http.client_max_body_size': '1k' })
    const { status, headers } = await rawRequest(
      gateway.proxyPort,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n${'a'.repeat(1025)}`,
    )
    assert.deepEqual([status, headers['connection']], [413, 'close'])
    assert.equal(upstream.requests.length, 0)
  })

  it('lets a body of just that length pass', async (t) => {
    const { gateway } = await limited(t, { 'nginx_config.http.client_max_body_size': '1k' })
    const response = await fetch(gateway.proxyUrl, { method: 'POST', body: 'a'.repeat(1024) })
    assert.equal(response.status, 200)
  })

  it('cuts chunks while they stream: 413 for the client, no end for the node', async (t) => {
    const { upstream, gateway, aborted } = await limited(t, {
      'nginx_config.http.client_max_body_size': 1024,
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.send(`200\r\n${'a'.repeat(512)}\r\n`)
    await eventually('the node hears of it', () => upstream.requests.length === 1)
    client.send(`201\r\n${'a'.repeat(513)}\r\n`.repeat(40))
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 413 /)
    assert.match(text, /connection: close/i)
    await eventually('the attempt was given up', () => aborted() === 1)
  })
})

describe('a client that is slow', () => {
  it('with its headers is answered 408 and gone', async (t) => {
    const { gateway } = await limited(t, { 'nginx_config.http.client_header_timeout': '200ms' })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 408 .*connection: close/is)
  })

  it('with its body is answered 408 and gone', async (t) => {
    const { gateway, aborted } = await limited(t, { 'nginx_config.http.client_body_timeout': '100ms' })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 408 .*connection: close/is)
    await eventually('the attempt was given up', () => aborted() === 1)
  })

  it('with a body that was answered early is cut after client_body_timeout, and served on when it comes in time', async (t) => {
    const gateway = await startGateway(
      t,
      {},
      { settings: { 'nginx_config.http.client_body_timeout': '400ms' } },
    )
    const [late, inTime] = [await rawConnect(t, gateway.proxyPort), await rawConnect(t, gateway.proxyPort)]
    const startedAt = performance.now()
    for (const client of [late, inTime]) {
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
      await client.until(/^HTTP\/1\.1 404 /)
    }
    // Its bytes do not extend the time.
    const drip = setInterval(() => late.isClosed || late.send('d'), 100)
    t.after(() => clearInterval(drip))
    inTime.send('defghijGET /next HTTP/1.1\r\nHost: a\r\n\r\n')
    await inTime.until(/HTTP\/1\.1 404 [\s\S]*HTTP\/1\.1 404 /)
    await eventually('the late one is cut', () => late.isClosed)
    assert.ok(performance.now() - startedAt >= 390, 'it was cut before its time')
    assert.equal(inTime.isClosed, false)
  })

  it('to take its response is cut', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => {
      response.write(Buffer.alloc(64 * 1024 * 1024))
    })
    const gateway = await startGateway(
      t,
      { routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } } },
      { settings: { 'nginx_config.http.send_timeout': '300ms' } },
    )
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await client.until(/^HTTP\/1\.1 200/)
    client.socket.pause()
    await eventually('the gateway has no connection left', async () => {
      const { port } = gateway.addresses.metrics!
      const text = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
      return /^gatewright_client_connections 0$/m.test(text)
    })
  })

  it('in great number does not keep the others from being served, and is gone within its time', async (t) => {
    const { gateway } = await limited(t, {
      'nginx_config.http.client_header_timeout': '1500ms',
      'nginx_config.http.real_ip_from': [],
    })
    const count = Number(process.env['SLOWLORIS'] ?? 500)
    const slow = await slowloris(t, gateway.proxyPort, count)
    for (let i = 0; i < 100; i++) assert.equal((await fetch(gateway.proxyUrl)).status, 200)
    await eventually('all of them are gone', () => slow.open === 0, 15_000)
  })
})

describe('a connection', () => {
  it('is closed after keepalive_requests', async (t) => {
    const { gateway } = await limited(t, { 'nginx_config.http.keepalive_requests': 3 })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET.repeat(5))
    const text = await client.untilClosed()
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3)
    assert.match(text, /connection: close/i)
  })

  it('is closed when it idles for keepalive_timeout', async (t) => {
    const { gateway } = await limited(t, { 'nginx_config.http.keepalive_timeout': '100ms' })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await client.until(/ok/)
    await client.untilClosed()
  })

  it('is closed at once with a keepalive_timeout of 0', async (t) => {
    const { gateway } = await limited(t, { 'nginx_config.http.keepalive_timeout': 0 })
    assert.equal((await rawRequest(gateway.proxyPort, GET)).headers['connection'], 'close')
  })

  it('too many is closed, of all clients or of one, and counted', async (t) => {
    for (const [key, reason] of [
      ['max_connections', 'total'],
      ['max_connections_per_client', 'per-client'],
    ] as const) {
      const { gateway } = await limited(t, {
        [`gatewright.limits.${key}`]: 2,
        'nginx_config.http.real_ip_from': [],
      })
      const clients = [await rawConnect(t, gateway.proxyPort), await rawConnect(t, gateway.proxyPort)]
      for (const client of clients) client.send(GET)
      for (const client of clients) await client.until(/ok/)
      const third = await rawConnect(t, gateway.proxyPort)
      assert.equal(await third.untilClosed(), '')
      const { port } = gateway.addresses.metrics!
      const text = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
      assert.match(text, new RegExp(`gatewright_refused_connections_total\\{reason="${reason}"\\} 1`))
      clients[0]!.socket.destroy()
      await eventually('there is room again', async () => {
        const next = await rawConnect(t, gateway.proxyPort)
        next.send(GET)
        return next.until(/ok/).then(
          () => true,
          () => false,
        )
      })
    }
  })
})

describe('the access log', () => {
  it('has a line for what was refused, as far as it could be read', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-refused-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'access.log')
    const { gateway } = await limited(t, { 'gatewright.log.access_log': file })
    await rawRequest(gateway.proxyPort, 'TRACE /traced HTTP/1.1\r\nHost: a\r\n\r\n')
    await rawRequest(gateway.proxyPort, 'garbage\r\n\r\n')
    await gateway.stop()
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    assert.match(lines[0]!, / a "TRACE \/traced HTTP\/1\.1" 405 /)
    assert.match(lines[1]!, / - "- - HTTP\/-" 400 /)
  })
})
