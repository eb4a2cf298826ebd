import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { it, type TestContext } from 'node:test'
import { ADMIN_KEY } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { startEtcd } from '../support/etcd.ts'
import { fakeDns } from '../support/fake-dns.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { askOverTls } from '../support/tls-client.ts'
import { eventually } from '../support/watch-recording.ts'
import { webSocketClient, webSocketUpstream } from '../support/websocket.ts'

const ANY = { ip: '127.0.0.1', port: 0 }
/** Says which process answers. */
const WHO = `
export default {
  name: 'who', priority: 1, schema: { type: 'object' },
  compile: () => ({ access: () => ({ status: 200, body: String(process.pid) }) }),
}`

async function put(node: SpawnedNode, path: string, document: object): Promise<void> {
  const { status, body } = await node.admin('PUT', `${path}?wait=applied`, document)
  assert.ok(status < 300, JSON.stringify(body))
}

async function pidsOf(node: SpawnedNode): Promise<string[]> {
  return (await node.serving()).map(({ pid }) => String(pid)).sort()
}

/** The different answers of some connections, sorted. */
async function answers(count: number, one: () => Promise<string>): Promise<string[]> {
  const found = new Set<string>()
  for (let i = 0; i < count; i++) found.add(await one())
  return [...found].sort()
}

/** Status and text, on a connection of its own. */
async function get(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  return `${response.status} ${await response.text()}`
}

it('two workers, with every kind of listener', async (t) => {
  const dns = await fakeDns(t)
  const node = await spawnNode(t, {
    workers: 2,
    plugins: { who: WHO },
    settings: {
      apisix: {
        node_listen: [{ ...ANY, enable_http2: true }],
        ssl: { enable: true, listen: [ANY] },
        ...{ status: ANY, control: ANY, dns_resolver: [dns.address], resolver_timeout: 2 },
      },
      discovery: { dns: { servers: [dns.address] } },
    },
  })
  await put(node, 'routes/who', { uri: '/who', plugins: { who: {} } })
  const pids = await pidsOf(node)
  const tlsPort = Number(/^ {2}proxy +https:\/\/127\.0\.0\.1:(\d+)/m.exec(node.output())?.[1])

  await t.test('both serve TLS, with a certificate as soon as it is written', async () => {
    for (const name of ['a.test', 'b.test']) {
      await put(node, 'ssls/1', { snis: [name], ...makeCertificate({ names: [name] }) })
      const found = await answers(4, async () => {
        const { subject, body } = await askOverTls(tlsPort, { servername: name, path: '/who' })
        return `${subject} ${body}`
      })
      assert.deepEqual(
        found,
        pids.map((pid) => `${name} ${pid}`),
      )
    }
  })

  await t.test('both serve HTTP/2, over TLS and without', async (t) => {
    for (const url of [`https://127.0.0.1:${tlsPort}`, node.proxyUrl]) {
      const found = await answers(4, async () => {
        const session = await connectHttp2(t, url, { rejectUnauthorized: false, servername: 'b.test' })
        const all = await Promise.all(Array.from({ length: 5 }, () => ask(session, { ':path': '/who' })))
        session.close()
        return [...new Set(all.map(({ body }) => body))].join()
      })
      assert.deepEqual(found, pids)
    }
  })

  await t.test('both carry WebSocket connections, which stay where they are', async (t) => {
    const upstream = await webSocketUpstream(t)
    await put(node, 'routes/ws', {
      uri: '/ws',
      enable_websocket: true,
      upstream: { nodes: { [upstream.address]: 1 } },
    })
    const url = `${node.proxyUrl.replace('http', 'ws')}/ws`
    const clients = Array.from({ length: 4 }, () => webSocketClient(t, url))
    await Promise.all(clients.map(({ open }) => open))
    // A change of configuration between messages touches none of them.
    await put(node, 'routes/other', { uri: '/other', plugins: { who: {} } })
    for (const [index, { socket }] of clients.entries()) socket.send(`message ${index}`)
    await eventually('all are answered', () => clients.every(({ messages }) => messages.length === 1))
    assert.deepEqual(
      clients.map(({ messages }) => messages[0]!.toString()),
      [0, 1, 2, 3].map((index) => `message ${index}`),
    )
    const sum = /^apisix_nginx_http_current_connections\{state="active"\} (\d+)/m.exec(await node.metrics())
    assert.ok(Number(sum?.[1]) >= 4, 'the connections of both are counted together')
  })

  await t.test('both have the nodes that the primary found, which alone asks for them', async (t) => {
    const port = await serverAt(t)
    dns.set('A', 'www.test', ['127.0.0.1'], 60)
    dns.set('A', 'service.test', ['127.0.0.1'], 60)
    await put(node, 'routes/name', { uri: '/name', upstream: { nodes: { [`www.test:${port}`]: 1 } } })
    await put(node, 'routes/service', {
      uri: '/service',
      upstream: { type: 'roundrobin', discovery_type: 'dns', service_name: `service.test:${port}` },
    })
    for (const path of ['name', 'service']) {
      assert.deepEqual(await answers(4, () => get(`${node.proxyUrl}/${path}`)), ['200 found'])
    }
    const asked = dns.questions.filter((question) => question === 'A www.test')
    assert.equal(asked.length, 1, `${dns.questions}`)
    assert.equal(dns.questions.filter((question) => question === 'A service.test').length, 1)
  })
})

async function serverAt(t: TestContext): Promise<number> {
  const server = createServer((_request, response) => response.end('found'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

it('workers: auto makes one for each core, and the cluster counts those that serve', async (t) => {
  const count = availableParallelism()
  const node = await spawnNode(t, { workers: count, gatewright: { workers: 'auto' } })
  if (count === 1) return
  await eventually('there is a standby', async () => (await node.workers()).length === count + 1)
  assert.equal((await node.serving()).length, count)
  const { body } = await node.admin('GET', 'cluster')
  assert.deepEqual(
    (body as { list: { workers: number }[] }).list.map(({ workers }) => workers),
    [count],
  )
})

it('an etcd that was emptied is followed by all workers, back and forth again', async (t) => {
  const etcd = await startEtcd(t)
  const node = await spawnNode(t, {
    workers: 2,
    plugins: { who: WHO },
    gatewright: { store: 'etcd', last_good: { hold_above_percent: 100 } },
    settings: {
      deployment: {
        admin: {
          admin_listen: ANY,
          admin_key: [{ name: 'admin', key: ADMIN_KEY, role: 'admin' }],
        },
        etcd: { host: [etcd.endpoint] },
      },
    },
  })
  for (const path of ['a', 'b', 'c'])
    await put(node, `routes/${path}`, { uri: `/${path}`, plugins: { who: {} } })
  const pids = await pidsOf(node)
  assert.deepEqual(
    await answers(4, () => get(`${node.proxyUrl}/a`)),
    pids.map((pid) => `200 ${pid}`),
  )
  await etcd.restart({ isEmptied: true })
  const isGone = async () =>
    (await answers(4, () => get(`${node.proxyUrl}/a`))).every((one) => one.startsWith('404'))
  await eventually('all workers have forgotten it', isGone, 30_000)
  // Its revisions are lower than those that workers have seen.
  await eventually('it can be written again', async () => {
    const { status } = await node.admin('PUT', 'routes/d?wait=applied', { uri: '/d', plugins: { who: {} } })
    return status < 300
  })
  assert.deepEqual(
    await answers(4, () => get(`${node.proxyUrl}/d`)),
    pids.map((pid) => `200 ${pid}`),
  )
  assert.deepEqual(await pidsOf(node), pids)
})
