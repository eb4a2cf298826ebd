import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import type { Upstream } from '../../src/model/types.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { type FakeDns, fakeDns } from '../support/fake-dns.ts'

/** Servers on one port of several loopback addresses; each answers with its address and the Host it was asked by, at /slow the second part waits for /finish. */
async function serversOnOnePort(t: TestContext, ...addresses: string[]): Promise<number> {
  let port = 0
  let finish = () => {}
  for (const address of addresses) {
    const server = createServer((request, response) => {
      response.setHeader('x-host', request.headers.host ?? '')
      if (request.url === '/slow') {
        response.write('slow ')
        finish = () => response.end(address)
        return
      }
      if (request.url === '/finish') finish()
      response.end(address)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, address, resolve)
    })
    port = (server.address() as AddressInfo).port
    t.after(() => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    })
  }
  return port
}

function startWith(
  t: TestContext,
  dns: FakeDns,
  upstream: Partial<Upstream>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<TestGateway> {
  return startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: upstream as Upstream } } },
    { settings: { 'apisix.dns_resolver': [dns.address], 'apisix.resolver_timeout': 2, ...settings } },
  )
}

async function get(gateway: TestGateway): Promise<{ status: number; text: string; host: string | null }> {
  const answer = await fetch(gateway.proxyUrl)
  return { status: answer.status, text: await answer.text(), host: answer.headers.get('x-host') }
}

/** Asks again and again until an answer fits; every answer on the way is returned. */
async function getUntil(
  gateway: TestGateway,
  fits: (answer: { status: number; text: string }) => boolean,
): Promise<readonly { status: number; text: string }[]> {
  const seen: { status: number; text: string }[] = []
  const deadline = Date.now() + 5000
  for (;;) {
    const answer = await get(gateway)
    seen.push(answer)
    if (fits(answer)) return seen
    assert.ok(Date.now() < deadline, `still ${answer.status} ${answer.text}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const byRoundRobin = { type: 'roundrobin' } as const

// Each test waits for TTLs of a second: together they take as long as the slowest.
describe('nodes by name', { concurrency: true }, () => {
  it('are there with the publish, and the traffic follows a changed address without a failed request', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1', '127.0.0.2')
    dns.set('A', 'app.test', ['127.0.0.1'])
    const gateway = await startWith(t, dns, { ...byRoundRobin, nodes: { [`app.test:${port}`]: 1 } })
    assert.deepEqual(await get(gateway), {
      status: 200,
      text: '127.0.0.1',
      host: new URL(gateway.proxyUrl).host,
    })
    dns.set('A', 'app.test', ['127.0.0.2'])
    const answers = await getUntil(gateway, ({ text }) => text === '127.0.0.2')
    assert.ok(answers.every(({ status }) => status === 200))
  })

  it('move under load without a failed request, while a response under way ends where it began', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1', '127.0.0.2')
    dns.set('A', 'app.test', ['127.0.0.1'])
    const gateway = await startWith(t, dns, { ...byRoundRobin, nodes: { [`app.test:${port}`]: 1 } })
    const slow = await fetch(`${gateway.proxyUrl}/slow`)
    dns.set('A', 'app.test', ['127.0.0.2'])
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => getUntil(gateway, ({ text }) => text === '127.0.0.2')),
    )
    assert.deepEqual([...new Set(answers.flat().map(({ status }) => status))], [200])
    await (await fetch(`${gateway.proxyUrl}/finish`)).text()
    assert.equal(await slow.text(), 'slow 127.0.0.1')
  })

  it('use all addresses of a name, one at a time', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1', '127.0.0.2')
    dns.set('A', 'app.test', ['127.0.0.2', '127.0.0.1'])
    const gateway = await startWith(t, dns, { ...byRoundRobin, nodes: { [`app.test:${port}`]: 1 } })
    const { text: first } = await get(gateway)
    await getUntil(gateway, ({ text }) => text !== first)
  })

  it('keep their last address when the servers fail', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    dns.set('A', 'app.test', ['127.0.0.1'])
    const gateway = await startWith(t, dns, { ...byRoundRobin, nodes: { [`app.test:${port}`]: 1 } })
    for (const failure of ['NXDOMAIN', 'silence'] as const) {
      dns.failAll(failure)
      const before = dns.questions.length
      await getUntil(gateway, () => dns.questions.length > before)
      assert.equal((await get(gateway)).text, '127.0.0.1')
    }
  })

  it('that are not found answer 503, and 200 once they are', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    const gateway = await startWith(t, dns, { ...byRoundRobin, nodes: { [`app.test:${port}`]: 1 } })
    assert.equal((await get(gateway)).status, 503)
    const told = gateway.logs.find(({ msg }) => msg === 'an upstream has no nodes')
    assert.match(String(told?.['reason']), /A of "app\.test"/)
    dns.set('A', 'app.test', ['127.0.0.1'])
    const answers = await getUntil(gateway, ({ status }) => status === 200)
    assert.equal(answers.at(-1)?.text, '127.0.0.1')
  })

  it('that are not answered in time do not hold a publish up for longer than a second', async (t) => {
    const dns = await fakeDns(t)
    dns.failAll('silence')
    const node = await fakeUpstream(t)
    const startedAt = Date.now()
    const upstream = { ...byRoundRobin, nodes: { 'app.test:80': 1 } }
    const gateway = await startWith(t, dns, upstream, { 'apisix.resolver_timeout': 60 })
    assert.equal((await get(gateway)).status, 503)
    assert.ok(Date.now() - startedAt < 10_000)
    await gateway.put('routes', '1', {
      uri: '/*',
      upstream: { ...byRoundRobin, nodes: { [node.address]: 1 } },
    })
    assert.equal((await get(gateway)).status, 200)
  })

  it('leave the other nodes of the upstream alone, whether they are found or not', async (t) => {
    const dns = await fakeDns(t)
    const node = await fakeUpstream(t)
    const gateway = await startWith(t, dns, {
      ...byRoundRobin,
      nodes: { [node.address]: 1, 'gone.test:80': 1 },
    })
    for (let i = 0; i < 4; i++) assert.equal((await get(gateway)).status, 200)
    assert.equal(node.connections, 1)
  })

  it('send their name, not their address, with pass_host node', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    dns.set('A', 'app.test', ['127.0.0.1'])
    const gateway = await startWith(t, dns, { pass_host: 'node', nodes: { [`app.test:${port}`]: 1 } })
    assert.equal((await get(gateway)).host, `app.test:${port}`)
  })

  it('are asked for by their name over TLS', async (t) => {
    const dns = await fakeDns(t)
    const serverNames: unknown[] = []
    const server = createTlsServer(makeCertificate({ names: ['app.test'] }), (request, response) => {
      serverNames.push((request.socket as TLSSocket).servername)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    dns.set('A', 'app.test', ['127.0.0.1'])
    const nodes = { [`app.test:${port}`]: 1 }
    const gateway = await startWith(t, dns, { scheme: 'https', pass_host: 'node', nodes })
    assert.equal((await get(gateway)).status, 200)
    assert.deepEqual(serverNames, ['app.test'])
  })

  it('are checked at their address, by their name', async (t) => {
    const dns = await fakeDns(t)
    const node = await fakeUpstream(t)
    dns.set('A', 'app.test', ['127.0.0.1'], 60)
    const checks = { active: { type: 'http', http_path: '/health', healthy: { interval: 1 } } } as const
    const gateway = await startWith(t, dns, { checks, nodes: { [`app.test:${node.port}`]: 1 } })
    const isProbed = () => node.requests.some(({ url }) => url === '/health')
    await getUntil(gateway, isProbed)
    const probe = node.requests.find(({ url }) => url === '/health')
    assert.match(probe?.headers.host ?? '', /^app\.test/)
  })

  it('find localhost without asking', async (t) => {
    const dns = await fakeDns(t)
    const { port } = await fakeUpstream(t)
    const gateway = await startWith(t, dns, { nodes: { [`localhost:${port}`]: 1 } })
    assert.equal((await get(gateway)).status, 200)
    assert.deepEqual(dns.questions, [])
  })

  it('are followed through aliases, and by IPv6 where there is no IPv4', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    dns.set('CNAME', 'www.test', ['app.test'])
    dns.set('A', 'app.test', ['127.0.0.1'])
    dns.set('AAAA', 'six.test', ['::ffff:7f00:1'])
    const gateway = await startWith(t, dns, { nodes: { [`www.test:${port}`]: 1 } })
    assert.equal((await get(gateway)).text, '127.0.0.1')
    await gateway.put('routes', '1', { uri: '/*', upstream: { nodes: { [`six.test:${port}`]: 1 } } })
    assert.equal((await get(gateway)).text, '127.0.0.1')
  })

  it('are asked for once whoever needs them', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    dns.set('A', 'app.test', ['127.0.0.1'], 60)
    const upstream = { nodes: { [`app.test:${port}`]: 1 } }
    const gateway = await startWith(t, dns, upstream)
    for (const id of ['2', '3', '4']) await gateway.put('routes', id, { uri: `/${id}`, upstream })
    assert.deepEqual(dns.questions, ['A app.test'])
  })
})

describe('discovery_type dns', { concurrency: true }, () => {
  const service = (name: string) => ({ ...byRoundRobin, discovery_type: 'dns', service_name: name })

  it('makes a node of every address', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1', '127.0.0.2')
    dns.set('A', 'svc.test', ['127.0.0.1', '127.0.0.2'], 60)
    const gateway = await startWith(t, dns, service(`svc.test:${port}`))
    const seen = [await get(gateway), await get(gateway)].map(({ text }) => text).sort()
    assert.deepEqual(seen, ['127.0.0.1', '127.0.0.2'])
  })

  it('takes ports, weights and priorities from SRV records, and follows them', async (t) => {
    const dns = await fakeDns(t)
    const nodes = await Promise.all([fakeUpstream(t), fakeUpstream(t), fakeUpstream(t)])
    const [heavy, light, spare] = nodes.map(({ port }) => port) as [number, number, number]
    dns.set('A', 'a.test', ['127.0.0.1'], 60)
    dns.set('SRV', 'svc.test', [
      { target: 'a.test', port: heavy, weight: 3, priority: 1 },
      { target: 'a.test', port: light, weight: 1, priority: 1 },
      { target: 'a.test', port: spare, weight: 9, priority: 2 },
    ])
    const gateway = await startWith(t, dns, service('svc.test'), { 'apisix.dns_resolver_valid': 1 })
    for (let i = 0; i < 8; i++) assert.equal((await get(gateway)).status, 200)
    assert.deepEqual(
      nodes.map(({ requests }) => requests.length),
      [6, 2, 0],
    )
    dns.set('SRV', 'svc.test', [{ target: 'a.test', port: spare, weight: 1, priority: 1 }])
    await getUntil(gateway, () => nodes[2]!.requests.length > 0)
  })

  it('keeps the last good set when the servers fail, and has none before the first answer', async (t) => {
    const dns = await fakeDns(t)
    const port = await serversOnOnePort(t, '127.0.0.1')
    const gateway = await startWith(t, dns, service(`svc.test:${port}`))
    assert.equal((await get(gateway)).status, 503)
    dns.set('A', 'svc.test', ['127.0.0.1'])
    await getUntil(gateway, ({ status }) => status === 200)
    dns.failAll('SERVFAIL')
    const before = dns.questions.length
    await getUntil(gateway, () => dns.questions.length > before)
    assert.equal((await get(gateway)).status, 200)
  })

  it('asks servers of its own', async (t) => {
    const [names, services] = [await fakeDns(t), await fakeDns(t)]
    const port = await serversOnOnePort(t, '127.0.0.1')
    services.set('A', 'svc.test', ['127.0.0.1'])
    const gateway = await startWith(t, names, service(`svc.test:${port}`), {
      'discovery.dns.servers': [services.address],
      'discovery.dns.order': ['A'],
    })
    assert.equal((await get(gateway)).status, 200)
    assert.deepEqual(names.questions, [])
    assert.deepEqual([...new Set(services.questions)], ['A svc.test'])
  })
})

describe('a discovery_type that there is not', () => {
  it('answers 503 and says why', async (t) => {
    const dns = await fakeDns(t)
    const gateway = await startWith(t, dns, { discovery_type: 'atlas', service_name: 'svc' })
    assert.equal((await get(gateway)).status, 503)
    const told = gateway.logs.find(({ msg }) => msg === 'an upstream has no nodes')
    assert.equal(told?.['upstream'], 'routes/1')
    assert.match(String(told?.['reason']), /discovery type "atlas" is not known; use one of: dns/)
    const sync = async () => {
      const answer = await fetch(`http://127.0.0.1:${gateway.addresses.control!.port}/v1/sync`)
      return (await answer.json()) as { without_nodes?: { upstream: string; reason: string }[] }
    }
    const reason =
      'service "svc" of discovery type "atlas": discovery type "atlas" is not known; use one of: dns'
    assert.deepEqual((await sync()).without_nodes, [{ upstream: 'routes/1', reason }])
    await gateway.put('routes', '1', { uri: '/*', upstream: { nodes: { '127.0.0.1:1': 1 } } })
    assert.equal((await sync()).without_nodes, undefined)
  })
})
