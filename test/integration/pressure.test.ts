import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n'

/** Computes so long in each request. */
const busy = definePlugin<{ ms: number }>({
  name: 'busy',
  priority: 1,
  schema: { type: 'object', properties: { ms: { type: 'number' } } },
  compile: ({ ms }) => ({ rewrite: () => hold(ms) }),
})

function hold(ms: number): undefined {
  const end = performance.now() + ms
  while (performance.now() < end);
}

async function stage(t: TestContext, pressure: Record<string, number>, route: object = {}) {
  const upstream = await fakeUpstream(t, (_request, response) => response.end('hello'))
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-log-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const accessLog = join(folder, 'access.log')
  const settings = Object.fromEntries(
    Object.entries(pressure).map(([key, value]) => [`gatewright.pressure.${key}`, value]),
  )
  const gateway = await startGateway(
    t,
    {
      routes: {
        1: { uri: '/*', enable_websocket: true, upstream: { nodes: { [upstream.address]: 1 } }, ...route },
      },
    },
    {
      settings: {
        ...settings,
        'gatewright.log.access_log': accessLog,
        'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }],
      },
      plugins: { busy: async () => ({ default: busy }) },
    },
  )
  return { gateway, upstream, accessLog }
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url)
  await response.arrayBuffer()
  return response.status
}

async function metric({ addresses }: TestGateway, series: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${addresses.metrics!.port}/apisix/prometheus/metrics`)
  const line = (await response.text()).split('\n').find((text) => text.startsWith(`${series} `))
  return Number(line?.slice(series.length) ?? 0)
}

function refusals(gateway: TestGateway, reason: string): Promise<number> {
  return metric(gateway, `gatewright_refused_requests_total{reason="${reason}"}`)
}

/** A gateway that uses more memory than it may, and refuses. */
async function exhausted(t: TestContext) {
  const staged = await stage(t, { max_rss_bytes: 1, sample_interval_ms: 10 })
  await eventually('requests are refused', async () => (await statusOf(staged.gateway.proxyUrl)) === 503)
  return staged
}

describe('a gateway that uses too much memory', () => {
  it('refuses every request of the proxy, on connections that are kept', async (t) => {
    const { gateway, upstream } = await exhausted(t)
    const before = upstream.requests.length
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`${GET}\r\n`)
    const answer = await client.until(/503 Service Unavailable"}\n$/)
    assert.match(answer, /^HTTP\/1\.1 503 Service Unavailable\r\n/)
    assert.match(answer, /\r\nRetry-After: 1\r\n/)
    assert.match(answer, /\r\nServer: Gatewright\r\n/)
    assert.doesNotMatch(answer, /Connection: close/)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
    client.send(`${GET}Connection: close\r\n\r\n`)
    const all = await client.untilClosed()
    assert.equal(all.match(/HTTP\/1\.1 503 /g)?.length, 3)
    assert.equal(upstream.requests.length, before)
  })

  it('closes the connection of a body that would have to be read', async (t) => {
    const { gateway } = await exhausted(t)
    for (const body of [
      'Content-Length: 100000',
      'Transfer-Encoding: chunked',
      'Content-Length: 5\r\nExpect: 100-continue',
    ]) {
      const { status, headers } = await rawRequest(
        gateway.proxyPort,
        `POST / HTTP/1.1\r\nHost: a\r\n${body}\r\n\r\n`,
      )
      assert.deepEqual([status, headers['connection'], headers['retry-after']], [503, 'close', '1'], body)
    }
  })

  it('refuses HTTP/2 and upgrades too', async (t) => {
    const { gateway } = await exhausted(t)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const answer = await ask(session, { ':path': '/' })
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'])
    const upgrade = `${GET}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`
    assert.equal((await rawRequest(gateway.proxyPort, upgrade)).status, 503)
  })

  it('answers on all other listeners, and stays ready', async (t) => {
    const { gateway } = await exhausted(t)
    const { status, control } = gateway.addresses
    assert.equal((await gateway.admin('GET', 'routes/1')).status, 200)
    assert.equal(await statusOf(`http://127.0.0.1:${status!.port}/status/ready`), 200)
    assert.equal(await statusOf(`http://127.0.0.1:${control!.port}/v1/schema`), 200)
    assert.equal(await metric(gateway, 'gatewright_overloaded_processes'), 1)
  })

  it('counts what it refuses, has a line of the access log for each and one of its own log for all', async (t) => {
    const { gateway, accessLog } = await exhausted(t)
    const before = await refusals(gateway, 'rss')
    for (let i = 0; i < 3; i++)
      await rawRequest(gateway.proxyPort, `GET /counted HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.equal(await refusals(gateway, 'rss'), before + 3)
    await gateway.stop()
    const lines = (await readFile(accessLog, 'utf8')).split('\n')
    assert.equal(lines.filter((line) => line.includes('"GET /counted HTTP/1.1" 503')).length, 3)
    assert.equal(gateway.logs.filter(({ reason }) => reason === 'rss').length, 0)
  })
})

describe('a gateway whose event loop is held', () => {
  it('refuses requests until it is not, and stays ready', async (t) => {
    const { gateway } = await stage(t, { max_event_loop_delay_ms: 40, sample_interval_ms: 500 })
    await eventually('it serves', async () => (await statusOf(gateway.proxyUrl)) === 200)
    await eventually('it refuses', async () => {
      // A sample may end between the hold and the request, on a busy machine.
      hold(2000)
      return (await statusOf(gateway.proxyUrl)) === 503
    })
    assert.ok((await refusals(gateway, 'event-loop-delay')) > 0)
    assert.equal(await statusOf(`http://127.0.0.1:${gateway.addresses.status!.port}/status/ready`), 200)
    await eventually('it serves again', async () => (await statusOf(gateway.proxyUrl)) === 200)
  })

  it('is not impressed where it has no limit', async (t) => {
    const { gateway } = await stage(t, {})
    hold(1500)
    for (let i = 0; i < 20; i++) assert.equal(await statusOf(gateway.proxyUrl), 200)
  })
})

describe('a gateway that gets more requests than it can work off', () => {
  it('serves some, refuses the others, and serves all again afterwards', async (t) => {
    const { gateway, upstream } = await stage(t, { overload_delay_ms: 50 }, { plugins: { busy: { ms: 4 } } })
    const clients = await Promise.all(Array.from({ length: 150 }, () => rawConnect(t, gateway.proxyPort)))
    const answered = (count: number) =>
      clients.every(({ text }) => (text.match(/HTTP\/1\.1 \d/g)?.length ?? 0) >= count)
    for (let round = 1; round <= 4; round++) {
      for (const client of clients) client.send(`${GET}\r\n`)
      await eventually('all have an answer', () => answered(round))
    }
    const texts = clients.map(({ text }) => text).join('')
    const refused = texts.match(/HTTP\/1\.1 503 /g)?.length ?? 0
    const served = texts.match(/HTTP\/1\.1 200 /g)?.length ?? 0
    assert.equal(refused + served, 600)
    assert.ok(refused > 100, `${refused} of 600 were refused`)
    assert.equal(upstream.requests.length, served)
    assert.equal(await refusals(gateway, 'overload'), refused)
    await eventually(
      'nothing is limited',
      async () => (await metric(gateway, 'gatewright_overloaded_processes')) === 0,
    )
    assert.equal(await statusOf(gateway.proxyUrl), 200)
  })

  it('does not mind thousands that wait for a slow upstream', async (t) => {
    const slow = await fakeUpstream(t, () => {})
    const { gateway } = await stage(t, { overload_delay_ms: 200 })
    await gateway.put('routes', 'slow', { uri: '/slow', upstream: { nodes: { [slow.address]: 1 } } })
    const waiting = await Promise.all(Array.from({ length: 500 }, () => rawConnect(t, gateway.proxyPort)))
    for (const client of waiting) client.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('they wait', () => slow.requests.length === 500)
    for (let i = 0; i < 50; i++) assert.equal(await statusOf(gateway.proxyUrl), 200)
    assert.equal(await refusals(gateway, 'overload'), 0)
  })
})
