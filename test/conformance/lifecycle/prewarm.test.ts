import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { spawnNode } from '../../support/spawn-node.ts'
import { eventually } from '../../support/watch-recording.ts'

/** A store that holds routes before the gateway starts. */
async function storeWith(routes: Readonly<Record<string, object>>): Promise<MemoryStore> {
  const store = new MemoryStore({ logger: createLogger('silent') })
  for (const [id, route] of Object.entries(routes)) {
    await store.put(`/apisix/routes/${id}`, JSON.stringify({ id, ...route }))
  }
  return store
}

const messages = (logs: readonly Readonly<Record<string, unknown>>[]) => logs.map(({ msg }) => msg)

/** A name server that hears and does not answer. */
async function silentNameServer(t: TestContext): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return `127.0.0.1:${socket.address().port}`
}

describe('S6: before the first request', () => {
  it('connections stand, as many as asked for, so that the first request opens none', async (t) => {
    const upstream = await fakeUpstream(t)
    const store = await storeWith({ 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } })
    const gateway = await startGateway(t, {}, { store, settings: { 'gatewright.prewarm.connections': 3 } })
    await eventually('the node has accepted them', () => upstream.connections === 3, 30_000)
    assert.equal(upstream.requests.length, 0)
    assert.equal(await (await fetch(gateway.proxyUrl)).text(), 'ok')
    assert.equal(upstream.connections, 3)
  })

  it('no connection is opened unasked', async (t) => {
    const upstream = await fakeUpstream(t)
    const store = await storeWith({ 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } })
    await startGateway(t, {}, { store })
    assert.equal(upstream.connections, 0)
  })

  it('every node with active checks was probed once', async (t) => {
    const upstream = await fakeUpstream(t)
    const checks = { active: { http_path: '/alive', healthy: { interval: 20 }, unhealthy: { interval: 20 } } }
    const store = await storeWith({
      1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 }, checks } },
    })
    await startGateway(t, {}, { store })
    assert.deepEqual(
      upstream.requests.map(({ url }) => url),
      ['/alive'],
    )
  })

  it('nodes that cannot be reached, resolved or probed keep the gateway from being ready for no longer than the limit', async (t) => {
    const silent = await rawUpstream(t, () => undefined)
    const checks = { active: { timeout: 60, healthy: { interval: 60 }, unhealthy: { interval: 60 } } }
    const store = await storeWith({
      1: { uri: '/a', upstream: { nodes: { [await refusingAddress()]: 1 } } },
      2: { uri: '/b', upstream: { scheme: 'https', pass_host: 'node', nodes: { [silent]: 1 } } },
      3: { uri: '/c', upstream: { nodes: { [silent]: 1 }, checks } },
      4: { uri: '/d', upstream: { nodes: { 'nowhere.test:80': 1 } } },
    })
    const began = performance.now()
    const gateway = await startGateway(
      t,
      {},
      {
        store,
        settings: {
          'apisix.dns_resolver': [await silentNameServer(t)],
          'gatewright.prewarm.connections': 2,
          'gatewright.prewarm.timeout_ms': 1500,
        },
      },
    )
    const tookMs = performance.now() - began
    assert.ok(gateway.gateway.readiness.isReady)
    assert.ok(tookMs > 1400 && tookMs < 20_000, `it took ${tookMs} ms`)
    assert.ok(messages(gateway.logs).includes('nodes of upstreams were not found in time'))
    assert.ok(messages(gateway.logs).includes('nodes were not probed before the first request'))
  })

  it('nothing is waited for with a limit of 0', async (t) => {
    const silent = await rawUpstream(t, () => undefined)
    const checks = { active: { timeout: 60, healthy: { interval: 60 }, unhealthy: { interval: 60 } } }
    const store = await storeWith({ 1: { uri: '/c', upstream: { nodes: { [silent]: 1 }, checks } } })
    const settings = { 'gatewright.prewarm.timeout_ms': 0 }
    const gateway = await startGateway(t, {}, { store, settings })
    assert.ok(!messages(gateway.logs).includes('nodes were not probed before the first request'))
  })

  it('each worker has connections of its own, a standby anew when it takes a place', async (t) => {
    const upstream = await fakeUpstream(t)
    const node = await spawnNode(t, { workers: 2, gatewright: { prewarm: { connections: 1 } } })
    await node.route('1', { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } })
    assert.equal(upstream.connections, 0)
    node.signal('SIGUSR2')
    await eventually('they were replaced', () => node.output().includes('all workers were replaced'), 40_000)
    assert.ok(upstream.connections >= 2, `${upstream.connections} connections`)
    assert.equal(upstream.requests.length, 0)

    const standby = async () => (await node.workers()).find(({ state }) => state === 'standby')?.pid
    await eventually('a standby', standby, 40_000)
    const later = await fakeUpstream(t)
    await node.route('2', { uri: '/later', upstream: { nodes: { [later.address]: 1 } } })
    assert.equal(later.connections, 0)
    process.kill((await node.serving())[0]!.pid!, 'SIGKILL')
    await eventually(
      'connections of the next standby and of the one before',
      () => later.connections === 2,
      40_000,
    )
    assert.equal(later.requests.length, 0)
  })
})
