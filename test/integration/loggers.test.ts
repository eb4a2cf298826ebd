import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type FakeUpstream, fakeUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { datagramSink, eventually, httpSink, streamSink } from '../support/log-sinks.ts'

/** A logger, and what of its sink a test needs to know. */
interface Stage {
  readonly config: Record<string, unknown>
  /** Paths of the requests that arrived so far. */
  arrived(): string[]
}

const pathOf = (text: string) => (JSON.parse(text) as { path: string }).path
const pathsOf = (text: string) => (JSON.parse(text) as { path: string }[]).map(({ path }) => path)
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

const LOGGERS: Readonly<Record<string, (t: TestContext) => Promise<Stage>>> = {
  'file-logger': async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'loggers-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const path = join(directory, 'requests.log')
    return { config: { path }, arrived: () => linesOf(readFileSync(path, 'utf8')).map(pathOf) }
  },
  'http-logger': async (t) => {
    const { port, received } = await httpSink(t)
    return {
      config: { uri: `http://127.0.0.1:${port}/` },
      arrived: () => received.flatMap(({ body }) => pathsOf(body)),
    }
  },
  'loki-logger': async (t) => {
    const { port, received } = await httpSink(t)
    return {
      config: { endpoint_addrs: [`http://127.0.0.1:${port}`] },
      arrived: () => received.flatMap(({ body }) => loggedIn(body)),
    }
  },
  syslog: async (t) => {
    const { port, texts } = await streamSink(t)
    return {
      config: { host: '127.0.0.1', port },
      arrived: () => texts.flatMap(linesOf).map((line) => pathOf(line.slice(line.indexOf('{')))),
    }
  },
  'tcp-logger': async (t) => {
    const { port, texts } = await streamSink(t)
    return { config: { host: '127.0.0.1', port }, arrived: () => texts.flatMap(pathsOf) }
  },
  'udp-logger': async (t) => {
    const { port, texts } = await datagramSink(t)
    return { config: { host: '127.0.0.1', port }, arrived: () => texts.flatMap(pathsOf) }
  },
}

function loggedIn(push: string): string[] {
  const { streams } = JSON.parse(push) as { streams: { values: [string, string][] }[] }
  return streams.flatMap(({ values }) => values.map(([, text]) => pathOf(text)))
}

async function gatewayWith(
  t: TestContext,
  plugins: Record<string, Record<string, unknown>>,
  handler?: Parameters<typeof fakeUpstream>[1],
): Promise<{ gateway: TestGateway; upstream: FakeUpstream }> {
  const upstream = await fakeUpstream(t, handler)
  const route = { uri: '/*', plugins, upstream: { nodes: { [upstream.address]: 1 } } }
  const gateway = await startGateway(t, { routes: { 1: route } })
  return { gateway, upstream }
}

const FORMAT = { log_format: { path: '$uri' } }

async function metricsOf(gateway: TestGateway): Promise<string> {
  const { port } = gateway.addresses.metrics!
  return (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
}

describe('a gateway that stops while requests come', () => {
  for (const [name, makeStage] of Object.entries(LOGGERS)) {
    it(`has ${name} deliver the entry of every request that was answered`, async (t) => {
      const stage = await makeStage(t)
      const { gateway } = await gatewayWith(t, { [name]: { ...stage.config, ...FORMAT, batch_max_size: 7 } })
      const answered: string[] = []
      const clients = Array.from({ length: 4 }, (_, client) => keepAsking(gateway, `/${client}`, answered))
      await eventually('100 answers', () => answered.length >= 100)
      await gateway.stop()
      await Promise.all(clients)
      const missing = () => {
        const arrived = new Set(stage.arrived())
        return answered.filter((path) => !arrived.has(path))
      }
      // What was handed over may still be on its way through the sink.
      await eventually('all entries', () => missing().length === 0).catch(() =>
        assert.deepEqual(missing(), []),
      )
      const arrived = stage.arrived()
      assert.equal(new Set(arrived).size, arrived.length, 'no entry arrives twice')
    })
  }
})

async function putLogger(gateway: TestGateway, name: string, config: Record<string, unknown>): Promise<void> {
  const { status } = await gateway.admin('PATCH', 'routes/1', { plugins: { [name]: config } })
  assert.equal(status, 200)
}

/** Asks one request after the other until the gateway is gone, and notes the paths of those that were answered whole. */
async function keepAsking(gateway: TestGateway, prefix: string, answered: string[]): Promise<void> {
  for (let i = 0; ; i++) {
    const path = `${prefix}/${i}`
    if (!(await isAnswered(gateway.proxyPort, path))) return
    answered.push(path)
  }
}

function isAnswered(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode === 200))
      response.on('error', () => resolve(false))
    })
    // The gateway is gone: what this client waits for.
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

/** Where a logger sends its entries, for an address on which nobody listens. */
const DEAD: Readonly<Record<string, (address: string) => Record<string, unknown>>> = {
  'http-logger': (address) => ({ uri: `http://${address}/` }),
  'loki-logger': (address) => ({ endpoint_addrs: [`http://${address}`] }),
  syslog: (address) => ({ host: '127.0.0.1', port: Number(address.split(':')[1]) }),
  'tcp-logger': (address) => ({ host: '127.0.0.1', port: Number(address.split(':')[1]) }),
}

describe('a sink that is dead', () => {
  for (const [name, configFor] of Object.entries(DEAD)) {
    it(`costs ${name} entries, which are counted and told once, and no request`, async (t) => {
      const patience = { batch_max_size: 10, max_retry_count: 5, retry_delay: 3600 }
      const config = { ...configFor(await refusingAddress()), ...patience }
      const { gateway, upstream } = await gatewayWith(t, { [name]: config })
      const { status } = await gateway.admin('PUT', `plugin_metadata/${name}`, { max_pending_entries: 20 })
      assert.equal(status, 201)
      for (let i = 0; i < 60; i++) assert.equal((await fetch(gateway.proxyUrl)).status, 200)
      assert.equal(upstream.requests.length, 60)
      const text = await metricsOf(gateway)
      assert.match(text, new RegExp(`gatewright_batch_pending_entries\\{name="${name}"\\} 20\n`))
      assert.match(
        text,
        new RegExp(`gatewright_batch_dropped_entries_total\\{name="${name}",reason="full"\\} 40\n`),
      )
      assert.equal(gateway.logs.filter(({ batch }) => batch === name).length, 1)
    })
  }
})

describe('entries with bodies', () => {
  const EVERYTHING = { include_req_body: true, include_resp_body: true, max_resp_body_bytes: 1000 }

  it('leave a streamed body, both ways, as it was', async (t) => {
    const sink = await httpSink(t)
    const { gateway } = await gatewayWith(
      t,
      { 'http-logger': { uri: `http://127.0.0.1:${sink.port}/`, batch_max_size: 1, ...EVERYTHING } },
      (incoming, response) => incoming.pipe(response.writeHead(200, { 'Content-Type': 'text/plain' })),
    )
    const body = 'streamed '.repeat(50_000)
    const answer = await fetch(gateway.proxyUrl, { method: 'POST', body })
    assert.equal((await answer.text()) === body, true)
    const { request: asked, response } = await eventually(
      'an entry',
      () => sink.received[0] && JSON.parse(sink.received[0].body),
    )
    assert.equal(asked.body === body, true)
    assert.equal(response.body, body.slice(0, 1000))
    assert.equal(response.size > body.length, true)
  })

  it('keep the length that the upstream announced', async (t) => {
    const sink = await httpSink(t)
    const { gateway } = await gatewayWith(
      t,
      { 'http-logger': { uri: `http://127.0.0.1:${sink.port}/`, batch_max_size: 1, ...EVERYTHING } },
      (_incoming, response) => void response.writeHead(200, { 'Content-Length': 5 }).end('hello'),
    )
    const answer = await fetch(gateway.proxyUrl)
    assert.equal(answer.headers.get('content-length'), '5')
    assert.equal(await answer.text(), 'hello')
  })
})

describe('a configuration that goes', () => {
  it('sends what it had, and the next one begins anew', async (t) => {
    const [first, second] = [await httpSink(t), await httpSink(t)]
    const to = (port: number) => ({ uri: `http://127.0.0.1:${port}/`, ...FORMAT })
    const { gateway } = await gatewayWith(t, { 'http-logger': to(first.port) })
    await fetch(`${gateway.proxyUrl}/old`)
    await putLogger(gateway, 'http-logger', to(second.port))
    await eventually('the old entry', () => first.received.length === 1)
    assert.deepEqual(pathsOf(first.received[0]!.body), ['/old'])
    await fetch(`${gateway.proxyUrl}/new`)
    await gateway.stop()
    assert.deepEqual(
      second.received.flatMap(({ body }) => pathsOf(body)),
      ['/new'],
    )
  })
})
