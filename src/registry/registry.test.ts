import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { AGENT, CLAIM, logger, openBench, START_MS, settled } from '../../test/support/registry-bench.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import { StoreUnavailableError } from '../store/config-store.ts'
import { Registry } from './registry.ts'
import { weightsOf } from './weights.ts'

describe('a node that is late', () => {
  it('is degraded after one and a half intervals, and runs again with its next heartbeat', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, view }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.heartbeats.beat('n1', {}))
    await clock.advance(7400)
    assert.equal(view.node('n1')?.record.status, 'running')
    await clock.advance(200)
    assert.deepEqual(
      [view.node('n1')?.record.status, view.node('n1')?.record.degraded_by],
      ['degraded', 'missed_beat'],
    )
    await settled(clock, desks.heartbeats.beat('n1', {}))
    await clock.advance(1)
    assert.equal(view.node('n1')?.record.status, 'running')
    assert.equal(view.node('n1')?.record.degraded_by, undefined)
  })

  it('is not late when another gateway hears it', async (t) => {
    const { clock, gateways } = await openBench(t, 2)
    const [one, two] = gateways as [Registry, Registry]
    await settled(clock, one.desks.nodes.register('n1', CLAIM))
    await settled(clock, one.desks.heartbeats.beat('n1', {}))
    for (let i = 0; i < 10; i++) {
      await clock.advance(5000)
      await settled(clock, two.desks.heartbeats.beat('n1', {}))
      assert.equal(one.view.node('n1')?.record.status, 'running')
    }
  })

  it('is gone with its agents when its lease ends', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, view }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    await clock.advance(14_000)
    assert.equal(view.serving('chat').length, 1)
    await clock.advance(2000)
    assert.deepEqual(
      [view.serving('chat'), view.node('n1'), view.expired],
      [[], undefined, { node: 1, agent: 1 }],
    )
  })
})

describe('a node that health checks find failing', () => {
  async function withAgent(t: TestContext, count = 1) {
    const bench = await openBench(t, count)
    const { clock, gateways } = bench
    const [one] = gateways as [Registry]
    // Longer than any of these tests: nobody misses a heartbeat.
    await settled(clock, one.desks.nodes.register('n1', { ...CLAIM, ttl_s: 300 }))
    await settled(clock, one.desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    const found = async (registry: Registry, source: string, agents: readonly string[]) => {
      registry.foundFailing(source, agents)
      for (let i = 0; i < 20; i++) await clock.advance(0)
    }
    const state = () => {
      const { status, degraded_by } = gateways.at(-1)!.view.node('n1')!.record
      return degraded_by ? `${status} ${degraded_by}` : status
    }
    const beat = (registry: Registry, status?: 'running' | 'draining' | 'degraded') =>
      settled(clock, registry.desks.heartbeats.beat('n1', status ? { status } : {}))
    return { ...bench, one, found, state, beat }
  }

  it('is degraded for every gateway, and climbs back when the checks pass', async (t) => {
    const { clock, gateways, one, found, state } = await withAgent(t, 2)
    const weight = () => weightsOf(gateways[1]!.view.serving('chat')[0]!, clock.nowMs()).weight
    await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
    assert.deepEqual([state(), weight()], ['degraded health_check', 10])
    await found(one, 'upstreams/1 10.0.0.1:80', [])
    assert.deepEqual([state(), weight()], ['running', 10])
    await clock.advance(5000)
    assert.ok(weight() > 40 && weight() < 60, String(weight()))
    await clock.advance(5000)
    assert.equal(weight(), 100)
  })

  it('runs again only when all upstreams that check it find it well', async (t) => {
    const { one, found, state } = await withAgent(t)
    await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
    await found(one, 'upstreams/2 10.0.0.1:80', ['chat/a'])
    await found(one, 'upstreams/1 10.0.0.1:80', [])
    assert.equal(state(), 'degraded health_check')
    await found(one, 'upstreams/2 10.0.0.1:80', [])
    assert.equal(state(), 'running')
  })

  it('does not talk itself well at the gateway that finds it failing', async (t) => {
    const { clock, one, found, state, beat } = await withAgent(t)
    await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
    assert.equal((await beat(one, 'running')).status, 'degraded')
    assert.equal((await beat(one)).status, 'degraded')
    await clock.advance(1)
    assert.equal(state(), 'degraded health_check')
  })

  it('runs again with a heartbeat elsewhere, for the gateway that found it failing may be gone', async (t) => {
    const { clock, gateways, one, found, state, beat } = await withAgent(t, 2)
    await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
    assert.equal((await beat(gateways[1]!)).status, 'running')
    await clock.advance(1)
    assert.equal(state(), 'running')
    await beat(one)
    await clock.advance(1)
    assert.equal(state(), 'running', 'it is not said again without news')
  })

  it('that drains, or degraded itself, stays what it is', async (t) => {
    const { clock, one, found, state, beat } = await withAgent(t)
    for (const status of ['draining', 'degraded'] as const) {
      await beat(one, status)
      await clock.advance(1)
      await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
      await found(one, 'upstreams/1 10.0.0.1:80', [])
      assert.equal(state(), status)
    }
  })

  it('is written later when the store is away', async (t) => {
    const { clock, store, one, found, state } = await withAgent(t)
    const transact = store.transact.bind(store)
    let isAway = true
    store.transact = async (transaction) => {
      if (isAway) throw new StoreUnavailableError('away')
      return transact(transaction)
    }
    await found(one, 'upstreams/1 10.0.0.1:80', ['chat/a'])
    assert.equal(state(), 'running')
    isAway = false
    await clock.advance(5001)
    for (let i = 0; i < 20; i++) await clock.advance(0)
    assert.equal(state(), 'degraded health_check')
  })

  it('is left alone when an agent is named that nobody has', async (t) => {
    const { one, found, state } = await withAgent(t)
    await found(one, 'upstreams/1 10.0.0.9:80', ['chat/gone'])
    assert.equal(state(), 'running')
  })
})

describe('the load of a node', () => {
  const figures = (cpu_usage: number) => ({ metrics: { cpu_usage, memory_usage: 0 } })

  it('is known at once where it is heard, and elsewhere when it matters, at most every ten seconds', async (t) => {
    const { clock, gateways, store } = await openBench(t, 2)
    const [one, two] = gateways as [Registry, Registry]
    await settled(clock, one.desks.nodes.register('n1', CLAIM))
    await settled(clock, one.desks.heartbeats.beat('n1', figures(10)))
    await clock.advance(1)
    assert.equal(two.view.node('n1')?.load?.cpu_usage, 10)
    const { revision } = await store.list('/')
    await clock.advance(5000)
    await settled(clock, one.desks.heartbeats.beat('n1', figures(80)))
    assert.equal(one.view.node('n1')?.load?.cpu_usage, 80)
    assert.equal((await store.list('/')).revision, revision, 'not yet again')
    await clock.advance(5000)
    await settled(clock, one.desks.heartbeats.beat('n1', figures(80)))
    await clock.advance(1)
    assert.equal(two.view.node('n1')?.load?.cpu_usage, 80)
    const written = (await store.list('/')).revision
    await clock.advance(5000)
    await settled(clock, one.desks.heartbeats.beat('n1', figures(81)))
    await clock.advance(5001)
    await settled(clock, one.desks.heartbeats.beat('n1', figures(81)))
    assert.equal((await store.list('/')).revision, written, 'a small change is not worth a write')
  })

  it('tells nobody who follows what serves, and is no reason to save: weights follow it by themselves', async (t) => {
    const { clock, gateways } = await openBench(t, 2)
    const [one, two] = gateways as [Registry, Registry]
    await settled(clock, one.desks.nodes.register('n1', { ...CLAIM, ttl_s: 300 }))
    await settled(clock, one.desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    await settled(clock, one.desks.heartbeats.beat('n1', figures(10)))
    await clock.advance(1)
    const told = { serving: 0, saving: 0 }
    const { close } = two.source.subscribe('chat', () => void told.serving++)
    two.tap.onChange = () => void told.saving++
    await clock.advance(10_000)
    await settled(clock, one.desks.heartbeats.beat('n1', figures(80)))
    await clock.advance(1)
    assert.equal(two.view.node('n1')?.load?.cpu_usage, 80)
    assert.deepEqual(told, { serving: 0, saving: 0 })
    await settled(clock, one.desks.heartbeats.beat('n1', { status: 'degraded', ...figures(80) }))
    await clock.advance(1)
    assert.deepEqual(told, { serving: 1, saving: 1 })
    close()
  })

  it('makes a tenth of the weight of a degraded node, and lets one that recovered climb', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, view, source }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    const weight = () => weightsOf(view.serving('chat')[0]!, clock.nowMs()).weight
    assert.equal(weight(), 100)
    await settled(clock, desks.heartbeats.beat('n1', { status: 'degraded' }))
    await clock.advance(1)
    assert.equal(weight(), 10)
    await settled(clock, desks.heartbeats.beat('n1', { status: 'running' }))
    await clock.advance(1)
    const before = clock.nowMs()
    const filter = { capabilities: [], labels: {} }
    assert.equal(source.read('chat', filter).changesInMs, 1000)
    assert.equal(weight(), 10)
    await clock.advance(5000)
    assert.ok(Math.abs(weight() - 50) <= 1, `${weight()} after ${clock.nowMs() - before} ms`)
    await settled(clock, desks.heartbeats.beat('n1', {}))
    await clock.advance(5000)
    assert.equal(weight(), 100)
    assert.equal(source.read('chat', filter).changesInMs, undefined)
  })
})

describe('a drain', () => {
  it('is ended by the gateways that were not asked, when the one that was is gone', async (t) => {
    const { clock, gateways } = await openBench(t, 2)
    const [one, two] = gateways as [Registry, Registry]
    await settled(clock, one.desks.nodes.register('n1', { ...CLAIM, ttl_s: 300 }))
    assert.deepEqual(await settled(clock, one.desks.nodes.remove('n1', 5)), { isDraining: true })
    one.desks.drains.close()
    await clock.advance(5500)
    assert.ok(two.view.node('n1'))
    await clock.advance(1000)
    assert.equal(two.view.node('n1'), undefined)
  })
})

describe('a gateway that starts', () => {
  it('sees drains that are under way to their end', async (t) => {
    const { clock, gateways, store } = await openBench(t)
    const [one] = gateways as [Registry]
    await settled(clock, one.desks.nodes.register('n1', { ...CLAIM, ttl_s: 300 }))
    await settled(clock, one.desks.nodes.remove('n1', 5))
    one.desks.drains.close()
    const now = () => START_MS + clock.nowMs()
    const two = new Registry({ prefix: '/apisix', clock, logger, metrics: createMetricRegistry(), now })
    t.after(() => two.close())
    two.open(store)
    two.view.onState(await store.list('/apisix/registry/'))
    await clock.advance(6500)
    assert.equal(one.view.node('n1'), undefined)
    assert.equal(await store.get('/apisix/registry/nodes/n1'), undefined)
  })
})

describe('what the store lost', () => {
  it('serves on for one time to live, and no longer', async (t) => {
    const { clock, gateways, store } = await openBench(t)
    const [{ desks, view }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    const { revision } = await store.list('/')
    view.onEvents(
      [
        { type: 'delete', key: '/apisix/registry/nodes/n1', modRevision: revision },
        { type: 'delete', key: '/apisix/registry/agents/chat/a', modRevision: revision },
      ],
      revision,
      'rolled-back',
    )
    assert.equal(view.agent('chat/a'), undefined)
    assert.equal(view.serving('chat').length, 1)
    await clock.advance(14_900)
    assert.equal(view.serving('chat').length, 1)
    await clock.advance(200)
    assert.equal(view.serving('chat').length, 0)
  })

  it('serves on until the node that registered again says that it runs', async (t) => {
    const { clock, gateways, store, followed } = await openBench(t)
    const [{ desks, view, source }] = gateways as [Registry]
    const count = () => source.read('chat', { capabilities: [], labels: {} }).nodes.length
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    // What the store tells from here on is told by hand.
    await followed[0]!.close()
    view.onStatus(false)
    const listed = () => store.list('/apisix/registry/')
    const tellAll = async () => {
      const { items, revision } = await listed()
      const puts = items.map((item) => ({ type: 'put' as const, item }))
      view.onEvents(puts, revision, 'relist')
    }
    const { items, revision } = await listed()
    const gone = items.map(({ key }) => ({ type: 'delete' as const, key, modRevision: revision }))
    view.onEvents(gone, revision, 'rolled-back')
    assert.equal(count(), 1)
    await settled(clock, store.deletePrefix('/apisix/registry/'))
    await settled(clock, desks.nodes.register('n1', { ...CLAIM, status: 'initializing' }))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    await tellAll()
    assert.deepEqual([view.agent('chat/a')?.id, count()], ['chat/a', 1])
    await settled(clock, desks.heartbeats.beat('n1', { status: 'running' }))
    await tellAll()
    assert.equal(count(), 1)
    view.onEvents([{ type: 'delete', key: '/apisix/registry/agents/chat/a', modRevision: 99 }], 99, 'watch')
    assert.equal(count(), 0)
  })

  it('is not kept when the store itself says that it was removed', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, view }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    await settled(clock, desks.agents.remove('chat', 'a', undefined))
    assert.equal(view.serving('chat').length, 0)
  })
})

describe('values that somebody put into the store by hand', () => {
  it('count as absent when they are no records of their place, and harm no other', async (t) => {
    const { clock, gateways, store } = await openBench(t)
    const [{ desks, view }] = gateways as [Registry]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    const root = '/apisix/registry/'
    const agent = view.agent('chat/a')!.record
    const record = JSON.stringify(agent)
    const node = view.node('n1')!.record
    for (const [key, value] of [
      ['agents/chat/b', 'no JSON'],
      ['agents/chat/c', '[]'],
      ['agents/chat/d', record],
      ['agents/chat/e', '{"__proto__":{"type":"chat"}}'],
      ['agents/chat', '{}'],
      ['nodes/x', '{"node_id":"x"}'],
      ['drain/n1', '3'],
      ['drain/n1', '{"drain_s":1e12}'],
      ['nodes/l', JSON.stringify({ ...node, node_id: 'l', load: { cpu_usage: 'much' } })],
      ['nodes/s', JSON.stringify({ ...node, node_id: 's', status: 'away' })],
      ['nodes/t', JSON.stringify({ ...node, node_id: 't', lease_ttl_s: 1e12 })],
      ['agents/chat/w', JSON.stringify({ ...agent, key: 'w', weight: 1e300 })],
      ['elsewhere/y', '{}'],
    ])
      await settled(clock, store.put(`${root}${key}`, value!))
    await clock.advance(1)
    assert.deepEqual(
      [...view.agents()].map(({ id }) => id),
      ['chat/a'],
    )
    assert.deepEqual(
      [...view.nodes()].map(({ id, drain }) => [id, drain]),
      [['n1', undefined]],
    )
    assert.equal(view.serving('chat').length, 1)
    const taken = await settled(clock, desks.agents.register({ type: 'chat', key: 'b' }, AGENT, false))
    assert.equal(taken.record.key, 'b')
  })
})
