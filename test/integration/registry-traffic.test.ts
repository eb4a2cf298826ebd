import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createRegistration, type RegistrationOptions } from '../../src/registry-client/index.ts'
import { type FakeUpstream, fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type RunningEtcd, startEtcd } from '../support/etcd.ts'
import { REGISTRY_KEY, type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { slowness } from '../support/slowness.ts'
import { eventually } from '../support/watch-recording.ts'

/** How much longer than on a machine that does nothing else things may take. */
const GRACE_MS = slowness() === 1 ? 0 : 20_000

const releases: (() => Promise<void>)[] = []
let shared: RunningEtcd
let prefixes = 0

before(async () => {
  shared = await startEtcd({ after: (release) => releases.push(release) })
})
after(async () => {
  for (const release of releases) await release()
})

const UPSTREAM = { service_name: 'chat', discovery_type: 'registry' }
const newPrefix = () => `/registry-traffic-${process.pid}-${++prefixes}`

/** A gateway on etcd whose only route goes to agents of the type `chat`. */
async function startOnEtcd(
  t: TestContext,
  { prefix = newPrefix(), etcd = shared, upstream = {} as object, isFirst = true } = {},
): Promise<RegistryGateway> {
  const settings = {
    'gatewright.store': 'etcd',
    'gatewright.last_good.enabled': false,
    'deployment.etcd.host': [etcd.endpoint],
    'deployment.etcd.prefix': prefix,
  }
  const routes = { 1: { uri: '/*', upstream: { ...UPSTREAM, ...upstream } } }
  return startRegistryGateway(t, { settings }, isFirst ? { routes } : {})
}

/** A node with one agent of the type `chat`, at a server of its own that answers with the node's id. */
async function startNode(
  t: TestContext,
  gateway: RegistryGateway,
  { id, claim = {}, agent = {} }: { id: string; claim?: object; agent?: object },
): Promise<FakeUpstream> {
  const server = await fakeUpstream(t, (_request, response) => void response.end(id))
  const endpoint = `http://${server.address}`
  const node = await gateway.registry('PUT', `nodes/${id}`, { endpoint, status: 'running', ...claim })
  assert.equal(node.status, 201)
  const put = await gateway.registry('PUT', `agents/chat/${id}`, { node_id: id, ...agent })
  assert.equal(put.status, 201)
  return server
}

/** Everything of the registry in etcd, with its leases. */
async function keysOf(prefix: string): Promise<{ readonly key: string; readonly lease: string }[]> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const { kvs } = (await shared.post('/v3/kv/range', {
    key: base64(`${prefix}/registry/`),
    range_end: base64(`${prefix}/registry0`),
  })) as { kvs: { key: string; lease: string }[] }
  return kvs
}

async function leasesOf(prefix: string): Promise<Set<string>> {
  return new Set((await keysOf(prefix)).map(({ lease }) => lease))
}

/** Who answered how many of so many requests; failures by their status. */
async function ask(gateway: RegistryGateway, times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < times; i++) {
    const response = await fetch(gateway.proxyUrl)
    const text = await response.text()
    const name = response.ok ? text : String(response.status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

async function eventuallyAnswers(
  gateway: RegistryGateway,
  times: number,
  who: readonly string[],
): Promise<void> {
  await eventually(`answers of ${who.join(', ')}`, async () => {
    return (
      Object.keys(await ask(gateway, times))
        .sort()
        .join() === [...who].sort().join()
    )
  })
}

describe('traffic to registered agents', { concurrency: 4 }, () => {
  it('goes to an agent on every gateway within a second of its registration at one', async (t) => {
    const prefix = newPrefix()
    const one = await startOnEtcd(t, { prefix })
    const two = await startOnEtcd(t, { prefix, isFirst: false })
    await eventually('the route', async () => (await fetch(two.proxyUrl)).status !== 404)
    assert.deepEqual(Object.keys(await ask(one, 1)), ['503'])
    await startNode(t, one, { id: 'n1' })
    const began = Date.now()
    await eventuallyAnswers(two, 2, ['n1'])
    assert.ok(Date.now() - began < 1000 + GRACE_MS)
    assert.equal((await two.registry('GET', 'agents/chat/n1')).status, 200)
    await startNode(t, two, { id: 'n2' })
    await eventuallyAnswers(one, 4, ['n1', 'n2'])
    assert.equal((await one.registry('DELETE', 'nodes/n2')).status, 204)
    await eventuallyAnswers(two, 4, ['n1'])
  })

  it('lets any gateway renew what another granted', async (t) => {
    const prefix = newPrefix()
    const one = await startOnEtcd(t, { prefix })
    const two = await startOnEtcd(t, { prefix, isFirst: false })
    await startNode(t, one, { id: 'n1', claim: { ttl_s: 2 } })
    const end = Date.now() + 4000
    while (Date.now() < end) {
      assert.equal((await two.registry('PUT', 'nodes/n1/heartbeat', {})).status, 200)
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    assert.deepEqual(await ask(one, 2), { n1: 2 })
  })

  it('holds every key of the registry by the lease of its node, one for each node', async (t) => {
    const prefix = newPrefix()
    const gateway = await startOnEtcd(t, { prefix })
    await startNode(t, gateway, { id: 'n1' })
    await gateway.registry('PUT', 'agents/sum/x', { node_id: 'n1' })
    await gateway.registry('DELETE', 'nodes/n1?drain_s=60')
    const kvs = await keysOf(prefix)
    assert.deepEqual(
      kvs.map(({ key }) => Buffer.from(key, 'base64').toString().slice(prefix.length)).sort(),
      ['/registry/agents/chat/n1', '/registry/agents/sum/x', '/registry/drain/n1', '/registry/nodes/n1'],
    )
    assert.equal(new Set(kvs.map(({ lease }) => lease)).size, 1)
    assert.notEqual(kvs[0]!.lease, '0')
  })

  it('follows the weights of the agents, and leaves those out that were not asked for', async (t) => {
    const discovery_args = { capability: 'gpt', labels: { zone: 'z1' } }
    const gateway = await startOnEtcd(t, { upstream: { discovery_args } })
    const claim = { labels: { zone: 'z1' } }
    await startNode(t, gateway, { id: 'n1', claim, agent: { weight: 30, capabilities: ['gpt', 'x'] } })
    await startNode(t, gateway, { id: 'n2', claim, agent: { weight: 10, capabilities: ['gpt'] } })
    await startNode(t, gateway, { id: 'n3', claim, agent: { capabilities: ['x'] } })
    await startNode(t, gateway, { id: 'n4', agent: { capabilities: ['gpt'] } })
    await eventuallyAnswers(gateway, 8, ['n1', 'n2'])
    assert.deepEqual(await ask(gateway, 40), { n1: 30, n2: 10 })
  })

  it('shifts to the node that has more to spare when figures say so, within ten seconds', async (t) => {
    const gateway = await startOnEtcd(t, { upstream: { type: 'wrr_dynamic' } })
    for (const id of ['n1', 'n2']) await startNode(t, gateway, { id })
    const beat = (id: string, cpu_usage: number) =>
      gateway.registry('PUT', `nodes/${id}/heartbeat`, { metrics: { cpu_usage } })
    await Promise.all([beat('n1', 0), beat('n2', 0)])
    await eventuallyAnswers(gateway, 4, ['n1', 'n2'])
    await beat('n1', 90)
    await eventually('the shift', async () => {
      const { n1 = 0, n2 = 0 } = await ask(gateway, 44)
      return n2 >= 9 * n1
    })
  })

  it('gives a degraded node a tenth, and a recovered one more and more', async (t) => {
    const gateway = await startOnEtcd(t)
    // Neither shall be missed while the other climbs.
    const claim = { ttl_s: 300 }
    for (const id of ['n1', 'n2']) await startNode(t, gateway, { id, claim })
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { status: 'degraded' })
    await eventually('a tenth', async () => ((await ask(gateway, 44)).n1 ?? 0) <= 5)
    const recoveredAt = performance.now()
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { status: 'running' })
    const { n1 = 0 } = await ask(gateway, 44)
    // A machine that takes seconds for these has seen it climb.
    const isSoon = performance.now() - recoveredAt < 2000
    assert.ok(n1 <= (isSoon ? 12 : 22), `not all at once: ${n1} of 44`)
    await eventually('half of it', async () => ((await ask(gateway, 44)).n1 ?? 0) >= 21, 40_000)
  })

  it('gives a draining node nothing new, and lets what is under way end', async (t) => {
    const gateway = await startOnEtcd(t)
    const responses: ServerResponse[] = []
    const slow = await fakeUpstream(t, (_request, response) => void responses.push(response))
    await gateway.registry('PUT', 'nodes/slow', { endpoint: slow.address, status: 'running' })
    await gateway.registry('PUT', 'agents/chat/slow', { node_id: 'slow' })
    await eventually('the node', async () => {
      const controller = new AbortController()
      const asked = fetch(gateway.proxyUrl, { signal: controller.signal }).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 20))
      controller.abort()
      await asked
      return slow.requests.length > 0
    })
    const before = slow.requests.length
    const underWay = fetch(gateway.proxyUrl)
    await eventually('the request', () => slow.requests.length === before + 1)
    await startNode(t, gateway, { id: 'n2' })
    await gateway.registry('DELETE', 'nodes/slow?drain_s=1')
    const isPassedOver = async () => {
      const response = await fetch(gateway.proxyUrl, { signal: AbortSignal.timeout(1000) }).catch(
        () => undefined,
      )
      return (await response?.text()) === 'n2'
    }
    await eventually('the other', isPassedOver)
    const asked = slow.requests.length
    assert.deepEqual(await ask(gateway, 4), { n2: 4 })
    await eventually('its end', async () => (await gateway.registry('GET', 'nodes/slow')).status === 404)
    responses[before]!.end('slow')
    assert.equal(await (await underWay).text(), 'slow')
    assert.equal(slow.requests.length, asked)
  })

  it('does not mind that a gateway restarts: leases live on', async (t) => {
    const prefix = newPrefix()
    const first = await startOnEtcd(t, { prefix })
    await startNode(t, first, { id: 'n1' })
    const { createdIndex } = (await first.registry('GET', 'agents/chat/n1')).body
    await first.stop()
    const second = await startOnEtcd(t, { prefix, isFirst: false })
    assert.equal((await second.registry('PUT', 'nodes/n1/heartbeat', {})).status, 200)
    assert.deepEqual(await ask(second, 2), { n1: 2 })
    assert.equal((await second.registry('GET', 'agents/chat/n1')).body.createdIndex, createdIndex)
  })

  it('shows what is registered in the control API', async (t) => {
    const gateway = await startOnEtcd(t)
    const server = await startNode(t, gateway, { id: 'n1' })
    const { port } = gateway.addresses.control!
    const dump = await (await fetch(`http://127.0.0.1:${port}/v1/discovery/registry/dump`)).json()
    assert.deepEqual((dump as { services: object }).services, {
      chat: [
        { key: 'n1', node_id: 'n1', endpoint: `http://${server.address}`, weight: 100, status: 'online' },
      ],
    })
  })
})

describe('the client of the registry', { concurrency: 4 }, () => {
  const options = (gateway: RegistryGateway, endpoint: string): RegistrationOptions => ({
    gateways: [gateway.adminUrl],
    key: REGISTRY_KEY,
    node: { node_id: 'c1', endpoint, ttl_s: 2 },
    agents: [{ type: 'chat', key: 'c1', capabilities: ['x'] }],
    metrics: () => ({ cpu_usage: 1 }),
  })

  it('registers, beats for longer than its lease, and is gone when it stops', async (t) => {
    const gateway = await startOnEtcd(t)
    const server = await fakeUpstream(t)
    const registration = createRegistration(options(gateway, `http://${server.address}`))
    t.after(() => registration.stop())
    await registration.start()
    assert.equal(registration.state, 'registered')
    const { createdIndex } = (await gateway.registry('GET', 'agents/chat/c1')).body
    await new Promise((resolve) => setTimeout(resolve, 4000))
    assert.equal((await gateway.registry('GET', 'agents/chat/c1')).body.createdIndex, createdIndex)
    assert.deepEqual(await ask(gateway, 2), { ok: 2 })
    await registration.stop()
    assert.equal((await gateway.registry('GET', 'nodes/c1')).status, 404)
  })

  it('takes its node back when an agent belongs to somebody else, and says so', async (t) => {
    const gateway = await startOnEtcd(t)
    await startNode(t, gateway, { id: 'n1' })
    await gateway.registry('PUT', 'agents/chat/c1', { node_id: 'n1' })
    const registration = createRegistration(options(gateway, 'http://127.0.0.1:7'))
    await assert.rejects(registration.start(), { name: 'RegistrationError', code: 'AGENT_ID_CONFLICT' })
    assert.equal((await gateway.registry('GET', 'nodes/c1')).status, 404)
    assert.equal(registration.state, 'stopped')
  })

  it('goes through another gateway when one does not answer', async (t) => {
    const gateway = await startOnEtcd(t)
    const registration = createRegistration({
      ...options(gateway, 'http://127.0.0.1:7'),
      gateways: ['http://127.0.0.1:1', gateway.adminUrl],
    })
    t.after(() => registration.stop())
    await registration.start()
    assert.equal(registration.state, 'registered')
  })

  it('registers again when the registry has lost it', async (t) => {
    const gateway = await startOnEtcd(t)
    const states: string[] = []
    const registration = createRegistration({
      ...options(gateway, 'http://127.0.0.1:7'),
      onState: (state) => void states.push(state),
    })
    t.after(() => registration.stop())
    await registration.start()
    await gateway.registry('DELETE', 'nodes/c1')
    await eventually('the registration', async () => {
      return (await gateway.registry('GET', 'agents/chat/c1')).status === 200
    })
    await eventually('the states', () => states.join() === 'registered,lost,registered')
  })
})

describe('the registry while etcd is in trouble', { concurrency: 2 }, () => {
  async function troubled(t: TestContext) {
    const etcd = await startEtcd(t)
    const gateway = await startOnEtcd(t, { etcd })
    const server = await fakeUpstream(t)
    const registration = createRegistration({
      gateways: [gateway.adminUrl],
      key: REGISTRY_KEY,
      node: { node_id: 'c1', endpoint: `http://${server.address}`, ttl_s: 3 },
      agents: [{ type: 'chat', key: 'c1' }],
    })
    t.after(() => registration.stop())
    await registration.start()
    await eventuallyAnswers(gateway, 2, ['ok'])
    return { etcd, gateway, registration }
  }

  /** What the control API and the metrics say of the store. */
  async function whatIsTold({ addresses }: RegistryGateway) {
    const base = (name: 'control' | 'metrics') => `http://127.0.0.1:${addresses[name]!.port}`
    const sync = await (await fetch(`${base('control')}/v1/sync`)).json()
    const text = await (await fetch(`${base('metrics')}/apisix/prometheus/metrics`)).text()
    const lagSeconds = Number(/^gatewright_registry_watch_lag_seconds (.+)$/m.exec(text)?.[1])
    return { isReachable: (sync as { store: { reachable: boolean } }).store.reachable, lagSeconds }
  }

  /** Asks for as long as `during` runs; how many requests failed. */
  async function failuresDuring(gateway: RegistryGateway, during: () => Promise<void>): Promise<object> {
    let isDone = false
    const running = during().finally(() => {
      isDone = true
    })
    const counts: Record<string, number> = {}
    while (!isDone) {
      for (const [who, times] of Object.entries(await ask(gateway, 5)))
        counts[who] = (counts[who] ?? 0) + times
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await running
    const { ok: _ok, ...failed } = counts
    return failed
  }

  it('serves from memory for longer than the leases, says so to who writes, and is whole again afterwards', async (t) => {
    const { etcd, gateway } = await troubled(t)
    const failed = await failuresDuring(gateway, async () => {
      await etcd.kill9()
      const refused = await gateway.registry('PUT', 'nodes/n9', { endpoint: 'http://127.0.0.1:7' })
      assert.deepEqual([refused.status, refused.body.error_code], [503, 'REGISTRY_UNAVAILABLE'])
      await new Promise((resolve) => setTimeout(resolve, 4000))
      assert.equal((await gateway.registry('GET', 'agents/chat/c1')).status, 200)
      const { port } = gateway.addresses.status!
      assert.equal((await fetch(`http://127.0.0.1:${port}/status/ready`)).status, 200)
      const told = await whatIsTold(gateway)
      assert.deepEqual([told.isReachable, told.lagSeconds > 0], [false, true])
      await etcd.restart()
      await eventually(
        'writes',
        async () => {
          const reply = await gateway.registry('PUT', 'nodes/n9', { endpoint: 'http://127.0.0.1:7' })
          return reply.status < 300
        },
        20_000,
      )
      await new Promise((resolve) => setTimeout(resolve, 4000))
    })
    assert.deepEqual(failed, {})
    assert.equal((await gateway.registry('PUT', 'nodes/c1/heartbeat', {})).status, 200)
  })

  it('serves what was registered last by a gateway that starts while etcd is away', async (t) => {
    const etcd = await startEtcd(t)
    const dataDir = mkdtempSync(join(tmpdir(), 'gatewright-registry-'))
    const settings = {
      'gatewright.store': 'etcd',
      'gatewright.data_dir': dataDir,
      'gatewright.last_good.min_interval_ms': 0,
      'deployment.etcd.host': [etcd.endpoint],
    }
    const routes = { 1: { uri: '/*', upstream: UPSTREAM } }
    const first = await startRegistryGateway(t, { settings }, { routes })
    await startNode(t, first, { id: 'n1', claim: { ttl_s: 2 } })
    await eventuallyAnswers(first, 2, ['n1'])
    await first.stop()
    await etcd.kill9()
    const second = await startRegistryGateway(t, { settings })
    t.after(() => rmSync(dataDir, { recursive: true, force: true }))
    await eventuallyAnswers(second, 2, ['n1'])
    assert.equal((await second.registry('GET', 'agents/chat/n1')).status, 200)
    await etcd.restart()
    await eventually(
      'its lease to end',
      async () => Object.keys(await ask(second, 2)).join() === '503',
      20_000,
    )
  })

  it('has every node register again when etcd was emptied, without a failed request', async (t) => {
    const { etcd, gateway, registration } = await troubled(t)
    const failed = await failuresDuring(gateway, async () => {
      await etcd.restart({ isEmptied: true })
      const emptied = Date.now()
      await eventually(
        'the node to be there again',
        async () => {
          const reply = await gateway.registry('PUT', 'nodes/c1/heartbeat', {})
          return reply.status === 200
        },
        20_000,
      )
      assert.ok(Date.now() - emptied < 8000 + GRACE_MS)
      await eventually('the state', () => registration.state === 'registered')
    })
    assert.deepEqual(failed, {})
  })
})

describe('a large registry', () => {
  it('takes 2,000 agents of 20 nodes within ten seconds and finds them by capability within 5 ms', async (t) => {
    const prefix = newPrefix()
    const gateway = await startOnEtcd(t, { prefix, upstream: { service_name: 'big' } })
    for (let node = 0; node < 20; node++) {
      await gateway.registry('PUT', `nodes/n${node}`, {
        endpoint: `http://10.0.0.${node}:80`,
        status: 'running',
        ttl_s: 300,
      })
    }
    const began = Date.now()
    const register = async (node: number) => {
      for (let index = 0; index < 100; index++) {
        const capabilities = [`c${index % 50}`]
        const body = { node_id: `n${node}`, capabilities }
        const { status } = await gateway.registry('PUT', `agents/big/${node}-${index}`, body)
        assert.equal(status, 201)
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, node) => register(node)))
    const tookMs = Date.now() - began
    const lookUp = async (capability: string): Promise<number> => {
      const asked = performance.now()
      const { body } = await gateway.registry('GET', `agents?capability=${capability}`)
      const tookMs = performance.now() - asked
      assert.equal(body.total, 40)
      return tookMs
    }
    const times: number[] = []
    for (let i = 0; i < 1000; i++) times.push(await lookUp(`c${i % 50}`))
    times.sort((a, b) => a - b)
    const [median, p99] = [times[500]!, times[990]!]
    t.diagnostic(`2,000 registrations in ${tookMs} ms, look-up median ${median} ms, p99 ${p99} ms`)
    assert.equal((await leasesOf(prefix)).size, 20)
    // One bad turn of a busy machine is 1 % of these: without being asked for, only what is slow by itself fails.
    const [longestMs, lookUpMs] = slowness() === 1 ? [10_000, p99] : [60_000, median]
    assert.ok(tookMs < longestMs, `${tookMs} ms`)
    assert.ok(lookUpMs <= 5 * slowness(), `${lookUpMs} ms`)
  })
})
