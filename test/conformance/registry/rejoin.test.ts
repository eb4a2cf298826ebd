import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, it, type TestContext } from 'node:test'
import { Membership } from '../../../src/gateway/cluster/membership.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { type AnyPlugin, definePlugin } from '../../../src/plugin/api.ts'
import { createRegistration } from '../../../src/registry-client/index.ts'
import { type ConfigStore, StoreUnavailableError } from '../../../src/store/config-store.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { type RunningEtcd, startEtcd } from '../../support/etcd.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { REGISTRY_KEY, startRegistryGateway } from '../../support/registry.ts'
import { eventually } from '../../support/watch-recording.ts'

const releases: (() => Promise<void>)[] = []
let shared: RunningEtcd
let prefixes = 0

before(async () => {
  shared = await startEtcd({ after: (release) => releases.push(release) })
})
after(async () => {
  for (const release of releases) await release()
})

function settingsFor(etcd: RunningEtcd, prefix = `/rejoin-${process.pid}-${++prefixes}`) {
  return {
    'gatewright.store': 'etcd',
    'gatewright.last_good.enabled': false,
    'deployment.etcd.host': [etcd.endpoint],
    'deployment.etcd.prefix': prefix,
  }
}

/** Keys of gateways, nodes and agents that stand in etcd. */
async function registeredKeys(etcd: RunningEtcd, prefix: string): Promise<string[]> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const read = async (from: string) => {
    const range = { key: base64(`${from}/`), range_end: base64(`${from}0`), keys_only: true }
    const { kvs = [] } = (await etcd.post('/v3/kv/range', range)) as { kvs?: { key: string }[] }
    return kvs.map(({ key }) => Buffer.from(key, 'base64').toString())
  }
  return [...(await read(`${prefix}-nodes`)), ...(await read(`${prefix}/registry`))]
}

describe('10: a gateway is registered', () => {
  it('once it listens, and not before', async (t) => {
    const settings = settingsFor(shared)
    const prefix = settings['deployment.etcd.prefix']
    const seen: [moment: string, keys: readonly string[]][] = []
    const look = async (moment: string) => void seen.push([moment, await registeredKeys(shared, prefix)])
    const watcher: AnyPlugin = definePlugin<Record<string, unknown>>({
      name: 'watcher',
      priority: 1,
      schema: { type: 'object' },
      async fastify(app) {
        await look('mounted')
        app.addHook('onReady', () => look('before it listens'))
        app.addHook('onListen', () => look('as it listens'))
      },
      compile: () => ({}),
    })
    await startRegistryGateway(t, {
      settings: { ...settings, plugins: ['watcher'] },
      plugins: { watcher: async () => ({ default: watcher }) },
    })
    assert.deepEqual(seen, [
      ['mounted', []],
      ['before it listens', []],
      ['as it listens', []],
    ])
    await eventually('its key', async () => (await registeredKeys(shared, prefix)).length === 1, 20_000)
  })

  it('under a lease of fifteen seconds, which ends by itself when it is killed', async (t) => {
    const settings = settingsFor(shared)
    const prefix = settings['deployment.etcd.prefix']
    await startRegistryGateway(t, { settings })
    await eventually('its key', async () => (await registeredKeys(shared, prefix)).length === 1, 20_000)
    const [key] = await registeredKeys(shared, prefix)
    const { kvs } = (await shared.post('/v3/kv/range', {
      key: Buffer.from(key!).toString('base64'),
    })) as { kvs: { lease: string }[] }
    const lease = await shared.post('/v3/lease/timetolive', { ID: kvs[0]!.lease })
    assert.equal((lease as { grantedTTL: string }).grantedTTL, '15')
  })

  it('never, when it cannot listen', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const settings = settingsFor(shared)
    const { port } = taken.address() as AddressInfo
    const started = startRegistryGateway(t, {
      settings: { ...settings, 'apisix.node_listen': [{ ip: '127.0.0.1', port }] },
    })
    await assert.rejects(started, /EADDRINUSE/)
    assert.deepEqual(await registeredKeys(shared, settings['deployment.etcd.prefix']), [])
  })
})

describe('11: after etcd was away', () => {
  it('and has lost everything, a gateway and a service are registered again by themselves', async (t) => {
    const etcd = await startEtcd(t)
    const settings = settingsFor(etcd)
    const upstream = { service_name: 'chat', discovery_type: 'registry' }
    const gateway = await startRegistryGateway(t, { settings }, { routes: { 1: { uri: '/*', upstream } } })
    const server = await fakeUpstream(t)
    const registration = createRegistration({
      gateways: [gateway.adminUrl],
      key: REGISTRY_KEY,
      node: { node_id: 'n1', endpoint: `http://${server.address}`, ttl_s: 2 },
      agents: [{ type: 'chat', key: 'a' }],
    })
    t.after(() => registration.stop())
    await registration.start()
    const keys = () => registeredKeys(etcd, settings['deployment.etcd.prefix'])
    await eventually('all keys', async () => (await keys()).length === 3, 20_000)
    await etcd.kill9()
    // More than twice the node's lease, and more attempts than anyone would count.
    await new Promise((resolve) => setTimeout(resolve, 5000))
    assert.equal(registration.state, 'lost')
    assert.equal((await fetch(gateway.proxyUrl)).status, 200, 'it serves from memory')
    await etcd.restart({ isEmptied: true })
    await eventually('all keys again', async () => (await keys()).length === 3, 40_000)
    await eventually('the client to know', () => registration.state === 'registered', 20_000)
    assert.equal((await fetch(gateway.proxyUrl)).status, 200)
  })

  it('for ten minutes, a gateway is on the list again within seconds', async () => {
    const clock = fakeClock()
    const logger = createLogger('silent')
    const memory = new MemoryStore({ logger, clock, wallNowMs: () => clock.nowMs() })
    let isAway = false
    let attempts = 0
    const away = (): void => {
      attempts++
      if (isAway) throw new StoreUnavailableError('away')
    }
    const store = {
      isReadOnly: false,
      put: async (...args: Parameters<ConfigStore['put']>) => {
        away()
        return memory.put(...args)
      },
      grantLease: async (ttlSeconds: number) => {
        away()
        const lease = await memory.grantLease(ttlSeconds)
        const keepAlive = async () => {
          away()
          await lease.keepAlive()
        }
        return { id: lease.id, keepAlive, revoke: () => lease.revoke() }
      },
    } as unknown as ConfigStore
    const membership = new Membership({
      store,
      key: '/nodes/a',
      clock,
      logger,
      describe: () => ({ id: 'a', reported_at_ms: clock.nowMs() }) as never,
      onListed: () => undefined,
    })
    membership.start()
    const isListed = async () => (await memory.get('/nodes/a')) !== undefined
    await clock.advance(1000)
    assert.equal(await isListed(), true)
    isAway = true
    attempts = 0
    await clock.advance(10 * 60_000)
    assert.equal(await isListed(), false, 'its lease has ended')
    assert.ok(attempts > 100, `${attempts} attempts`)
    isAway = false
    await clock.advance(5000)
    assert.equal(await isListed(), true)
    await clock.advance(60_000)
    assert.equal(await isListed(), true)
    await membership.stop()
    await memory.close()
    assert.equal(clock.pending, 0)
  })

  it('for ten minutes, a service registers again, and has not given up meanwhile', async (t) => {
    const registry = await fakeRegistry(t)
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const registration = createRegistration({
      gateways: [registry.url],
      node: { node_id: 'n1', endpoint: 'http://10.0.0.1:80', ttl_s: 15 },
    })
    await registration.start()
    assert.equal(registration.state, 'registered')
    registry.isAway = true
    let passedMs = 0
    // Timers are this test's own: what waits for the network gets some turns after each step.
    for (; passedMs < 10 * 60_000; passedMs += 500) await turnsAfter(() => t.mock.timers.tick(500))
    assert.equal(registration.state, 'lost')
    assert.ok(registry.calls > 20, `${registry.calls} calls`)
    registry.isAway = false
    for (let i = 0; i < 60 && registration.state !== 'registered'; i++) {
      await turnsAfter(() => t.mock.timers.tick(500))
    }
    assert.equal(registration.state, 'registered')
    await registration.stop()
  })
})

/** Answers as the registry does, or as a gateway whose store is away. */
async function fakeRegistry(t: TestContext) {
  const registry = { calls: 0, isAway: false, url: '' }
  const server = createHttpServer((request, response) => {
    registry.calls++
    request.resume()
    response.statusCode = registry.isAway ? 503 : 200
    const body = registry.isAway
      ? { error_code: 'REGISTRY_UNAVAILABLE', error_msg: 'away' }
      : { heartbeat_interval_ms: 5000, unknown_agents: [] }
    response.end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  registry.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return registry
}

async function turnsAfter(act: () => void): Promise<void> {
  act()
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}
