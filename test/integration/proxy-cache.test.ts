import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

const MEMORY = { cache_strategy: 'memory', cache_zone: 'memory_cache' }
const LARGE = 'x'.repeat(300_000)

type Handler = (request: IncomingMessage, response: ServerResponse) => void

interface StageOptions {
  readonly cache?: Record<string, unknown>
  readonly plugins?: Record<string, Record<string, unknown>>
  readonly start?: StartOptions
}

async function stage(t: TestContext, handler: Handler, options: StageOptions = {}) {
  const upstream = await fakeUpstream(t, handler)
  return { upstream, ...(await stageAt(t, upstream.address, options)) }
}

async function stageAt(t: TestContext, address: string, { cache = MEMORY, plugins, start }: StageOptions) {
  const gateway = await startGateway(t, {}, start)
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: { 'proxy-cache': cache, ...plugins },
    upstream: { type: 'roundrobin', nodes: { [address]: 1 } },
  })
  const ask = (path = '/', init?: RequestInit) => fetch(`${gateway.proxyUrl}${path}`, init)
  const word = async (path = '/', init?: RequestInit) => {
    const response = await ask(path, init)
    await response.text()
    return response.headers.get('apisix-cache-status')
  }
  return { gateway, ask, word }
}

/** Answers held back until the test says so. */
class Gate {
  readonly waiting: ServerResponse[] = []
  handler: Handler = (_, response) => void this.waiting.push(response)

  async arrived(count: number): Promise<void> {
    await eventually(`${count} requests at the node`, () => this.waiting.length === count)
  }
}

/** The bodies, in the order in which they were asked for. */
const texts = (responses: Promise<Response>[]) =>
  Promise.all(responses.map(async (one) => (await one).text()))

describe('proxy-cache', () => {
  it('leaves the length of what it stores as it is, and lets other plugins at what it gives', async (t) => {
    const { upstream, ask } = await stage(t, (_, response) => response.end('text'), {
      plugins: { 'response-rewrite': { headers: { set: { 'X-Word': '$sent_http_apisix_cache_status' } } } },
    })
    for (const word of ['MISS', 'HIT']) {
      const response = await ask()
      assert.equal(response.headers.get('apisix-cache-status'), word)
      assert.equal(response.headers.get('x-word'), word)
      assert.equal(response.headers.get('content-length'), '4')
      assert.equal(await response.text(), 'text')
    }
    assert.equal(upstream.requests.length, 1)
  })

  it('keeps consumers apart', async (t) => {
    const gateway = await startGateway(t)
    const upstream = await fakeUpstream(t, ({ headers }, response) => {
      response.end(`for ${headers['x-consumer-username']}`)
    })
    for (const name of ['jack', 'jane']) {
      await gateway.put('consumers', name, { username: name, plugins: { 'key-auth': { key: name } } })
    }
    const plugins = { 'key-auth': {}, 'proxy-cache': MEMORY }
    await gateway.put('routes', '1', { uri: '/*', plugins, upstream: { nodes: { [upstream.address]: 1 } } })
    const ask = (apikey: string) => fetch(gateway.proxyUrl, { headers: { apikey } })
    for (const word of ['MISS', 'HIT']) {
      for (const name of ['jack', 'jane']) {
        const response = await ask(name)
        assert.equal(response.headers.get('apisix-cache-status'), word)
        assert.equal(await response.text(), `for ${name}`)
      }
    }
    assert.equal((await fetch(gateway.proxyUrl)).status, 401)
  })

  it('answers a HEAD from the cache, and the next request on the connection', async (t) => {
    for (const cache of [MEMORY, {}]) {
      const { gateway, word } = await stage(t, (_, response) => response.end(LARGE), { cache })
      await word()
      await eventually('the answer is stored', async () => (await word()) === 'HIT')
      const connection = await rawConnect(t, gateway.proxyPort)
      const head = `HEAD / HTTP/1.1\r\nHost: 127.0.0.1:${gateway.proxyPort}\r\n`
      connection.send(`${head}\r\n${head}Connection: close\r\n\r\n`)
      const text = await connection.untilClosed()
      const heads = text.match(/HTTP\/1\.1 200 OK/g)
      assert.equal(heads?.length, 2)
      assert.equal(text.match(/Status: HIT/g)?.length, 2)
      assert.equal(text.match(/content-length: 300000/gi)?.length, 2)
      assert.ok(text.length < 2000)
    }
  })

  it('is purged with a request of its own method', async (t) => {
    const { ask, word } = await stage(t, (_, response) => response.end('text'))
    assert.deepEqual([await word('/a'), await word('/a')], ['MISS', 'HIT'])
    const purge = async () => ask('/a', { method: 'PURGE' })
    const purged = await purge()
    assert.deepEqual([purged.status, await purged.text()], [200, ''])
    assert.equal((await purge()).status, 404)
    assert.equal(await word('/a'), 'MISS')
  })
})

describe('proxy-cache on disk', () => {
  it('answers small and large from files, also after a restart', async (t) => {
    const directory = (await stage(t, (_, response) => response.end())).gateway.directory
    const start = { settings: { 'apisix.proxy_cache.zones': [zoneIn(`${directory}/zone`)] } }
    const handler: Handler = ({ url }, response) => {
      response.setHeader('Cache-Control', 'max-age=600')
      response.end(url === '/large' ? LARGE : 'small')
    }
    const upstream = await fakeUpstream(t, handler)
    const first = await stageAt(t, upstream.address, { cache: {}, start })
    for (const path of ['/small', '/large']) {
      assert.equal(await first.word(path), 'MISS')
      await eventually(`${path} is stored`, async () => (await first.word(path)) === 'HIT')
      assert.equal(await (await first.ask(path)).text(), path === '/large' ? LARGE : 'small')
    }
    await first.gateway.stop()
    const asked = upstream.requests.length
    const second = await stageAt(t, upstream.address, { cache: {}, start })
    await eventually('the files are found', async () => (await second.word('/large')) === 'HIT')
    assert.equal(await (await second.ask('/large')).text(), LARGE)
    assert.ok(upstream.requests.length <= asked + 2)
  })

  it('goes on without its folder, with a count and a line in the log', async (t) => {
    const start = { settings: { 'apisix.proxy_cache.zones': [zoneIn('/proc/nowhere')] } }
    const { gateway, word } = await stage(t, (_, response) => response.end('ok'), { cache: {}, start })
    assert.deepEqual([await word(), await word()], ['MISS', 'MISS'])
    const metrics = gateway.addresses.metrics!
    const text = await (await fetch(`http://127.0.0.1:${metrics.port}/apisix/prometheus/metrics`)).text()
    assert.match(text, /gatewright_proxy_cache_failures_total\{zone="disk_cache_one",reason="open"\} 1/)
    assert.ok(gateway.logs.some(({ zone, reason }) => zone === 'disk_cache_one' && reason === 'open'))
  })

  it('closes its files when clients leave in the middle of a large answer', async (t) => {
    const { gateway, word } = await stage(t, (_, response) => response.end('x'.repeat(8_000_000)), {
      cache: {},
    })
    await word()
    await eventually('the answer is stored', async () => (await word()) === 'HIT')
    const openFiles = () => readdirSync('/proc/self/fd').length
    const before = openFiles()
    for (let i = 0; i < 20; i++) {
      const client = request(gateway.proxyUrl)
      client.on('error', () => {})
      client.end()
      const [response] = (await once(client, 'response')) as [IncomingMessage]
      response.on('error', () => {})
      client.destroy()
    }
    await eventually('the files are closed', () => openFiles() <= before + 2)
    assert.equal(await word(), 'HIT')
  })
})

describe('many requests for one answer', () => {
  it('are one request to the upstream', async (t) => {
    for (const cache of [MEMORY, {}]) {
      const gate = new Gate()
      const { ask } = await stage(t, gate.handler, { cache })
      const asked = Array.from({ length: 20 }, () => ask('/'))
      await gate.arrived(1)
      await settled()
      gate.waiting[0]!.end('for all')
      assert.deepEqual(new Set(await texts(asked)), new Set(['for all']))
      assert.equal(gate.waiting.length, 1)
    }
  })

  it('go to the upstream themselves when the first one fails, and what was cut short is not stored', async (t) => {
    const gate = new Gate()
    const { ask, word } = await stage(t, gate.handler)
    const leader = ask('/').then((response) => response.text())
    leader.catch(() => {})
    await gate.arrived(1)
    const followers = [ask('/'), ask('/')]
    await settled()
    gate.waiting[0]!.writeHead(200, { 'Content-Length': '100' }).write('part')
    await settled()
    gate.waiting[0]!.destroy()
    await assert.rejects(leader)
    await gate.arrived(3)
    for (const response of gate.waiting.slice(1)) response.end('whole')
    assert.deepEqual(await texts(followers), ['whole', 'whole'])
    assert.equal(await word(), 'HIT')
  })

  it('go themselves when the client of the first one leaves', async (t) => {
    const gate = new Gate()
    const { ask } = await stage(t, gate.handler)
    const leaving = new AbortController()
    const leader = ask('/', { signal: leaving.signal })
    leader.catch(() => {})
    await gate.arrived(1)
    const follower = ask('/')
    await settled()
    leaving.abort()
    await gate.arrived(2)
    gate.waiting[1]!.end('whole')
    assert.deepEqual(await texts([follower]), ['whole'])
  })

  it('do not hurt the first one when they leave', async (t) => {
    const gate = new Gate()
    const { ask } = await stage(t, gate.handler)
    const leader = ask('/')
    await gate.arrived(1)
    const leaving = new AbortController()
    const followers = [ask('/', { signal: leaving.signal }), ask('/')]
    followers[0]!.catch(() => {})
    await settled()
    leaving.abort()
    await settled()
    gate.waiting[0]!.end('whole')
    assert.deepEqual(await texts([leader, followers[1]!]), ['whole', 'whole'])
    assert.equal(gate.waiting.length, 1)
  })

  it('wait no longer than for the head of an answer that is not to be stored, and then not again', async (t) => {
    const gate = new Gate()
    const { ask } = await stage(t, gate.handler)
    const leader = ask('/')
    await gate.arrived(1)
    const followers = [ask('/'), ask('/')]
    await settled()
    gate.waiting[0]!.writeHead(200, { 'Cache-Control': 'private' }).write('begun')
    await leader
    await gate.arrived(3)
    const later = [ask('/'), ask('/')]
    await gate.arrived(5)
    for (const response of gate.waiting) response.end('own')
    assert.deepEqual(await texts([...followers, ...later]), ['own', 'own', 'own', 'own'])
  })

  it('wait only so long', async (t) => {
    const gate = new Gate()
    const start = { settings: { 'plugin_attr.proxy-cache': { lock_timeout: 0.05 } } }
    const { ask } = await stage(t, gate.handler, { start })
    const asked = [ask('/'), ask('/')]
    await gate.arrived(2)
    for (const response of gate.waiting) response.end('own')
    assert.deepEqual(await texts(asked), ['own', 'own'])
  })

  it('are told apart by what makes answers differ', async (t) => {
    const gate = new Gate()
    const { ask } = await stage(t, gate.handler)
    const asked = [ask('/a'), ask('/b'), ask('/a', { headers: { 'X-Original-URL': '/c' } })]
    await gate.arrived(3)
    for (const response of gate.waiting) response.end('own')
    await texts(asked)
  })
})

describe('an answer that is not whole', () => {
  const cut: Readonly<Record<string, string>> = {
    'shorter than its Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart',
    'without its last chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
    'ended by its connection alone': 'HTTP/1.1 200 OK\r\n\r\npart',
    'cut within a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\npart',
    'malformed after its first chunk':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n',
  }
  for (const [name, bytes] of Object.entries(cut)) {
    it(`is never stored: ${name}`, async (t) => {
      for (const cache of [MEMORY, {}]) {
        let asked = 0
        const address = await rawUpstream(t, (socket) => {
          socket.once('data', () => {
            asked++
            socket.end(bytes)
          })
        })
        const { word } = await stageAt(t, address, { cache })
        for (let i = 0; i < 3; i++) await word().catch(() => {})
        assert.equal(asked, 3)
      }
    })
  }
})

const zoneIn = (folder: string) => ({
  name: 'disk_cache_one',
  memory_size: '1m',
  disk_size: '10m',
  disk_path: folder,
})

/** Requests that were sent have reached the gateway by then: it shares this process's loop. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}
