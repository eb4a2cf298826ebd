import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import type { DiscoveredService, NodeSink } from '../discovery/discoverer.ts'
import type { RefreshListener } from '../discovery/refreshed.ts'
import type { NameAnswer } from '../discovery/resolver.ts'
import type { Upstream as UpstreamDocument } from '../model/types.ts'
import { createLogger } from '../observe/logger.ts'
import { NodeFeeds } from './node-feeds.ts'
import { PoolRegistry } from './pool-registry.ts'
import { NO_WARMING } from './transport.ts'
import { Upstream, type UpstreamEnvironment } from './upstream.ts'

/** Names and services that say what the test says, when it says it. */
function world() {
  const clock = fakeClock()
  const names = new Map<string, Set<RefreshListener<NameAnswer>>>()
  const services = new Map<string, NodeSink>()
  const closed: string[] = []
  const pools = new PoolRegistry(({ host, port }) => ({
    send: () => {
      throw new Error('nothing is sent here')
    },
    warm: () => NO_WARMING,
    close: () => void closed.push(`${host}:${port}`),
  }))
  const feeds = new NodeFeeds({
    clock,
    logger: createLogger('silent'),
    names: {
      watch(name, listener) {
        const listeners = names.get(name) ?? new Set()
        names.set(name, listeners.add(listener))
        return { close: () => void listeners.delete(listener) }
      },
    },
    discovery: {
      watch(type: string, { serviceName }: DiscoveredService, sink: NodeSink) {
        services.set(`${type} ${serviceName}`, sink)
        return { close: () => void services.delete(`${type} ${serviceName}`) }
      },
    },
  })
  const environment: UpstreamEnvironment = { pools, random: () => 0, feeds }
  return {
    clock,
    closed,
    feeds,
    services,
    environment,
    create: (document: UpstreamDocument) => Upstream.create('upstreams/1', document, environment),
    watchers: (name: string) => names.get(name)?.size ?? 0,
    answer(name: string, addresses: readonly string[], turn = 0) {
      for (const listener of [...(names.get(name) ?? [])]) listener.onValue({ addresses, turn })
    },
    fail(name: string, reason: string) {
      for (const listener of [...(names.get(name) ?? [])]) listener.onProblem(reason)
    },
  }
}

const addressesOf = (upstream: Upstream) => upstream.state.nodes.map(({ address }) => address)

describe('an upstream with names', () => {
  it('has a node for each name that has an address, and says why it has none', () => {
    const { create, answer, fail } = world()
    const upstream = create({ nodes: { 'app.test:1': 1, 'other.test:2': 1 } })
    assert.match(upstream.state.whyEmpty!, /no answer yet/)
    fail('other.test', 'other.test: there is none')
    assert.match(upstream.state.whyEmpty!, /other\.test: there is none/)
    answer('app.test', ['10.0.0.1'])
    assert.deepEqual(addressesOf(upstream), ['10.0.0.1:1'])
    assert.equal(upstream.state.nodes[0]!.domain, 'app.test')
    assert.equal(upstream.state.whyEmpty, undefined)
  })

  it('keeps nodes, balancer and state where an answer changes nothing', () => {
    const { create, answer } = world()
    const upstream = create({ nodes: { 'app.test:1': 1 } })
    answer('app.test', ['10.0.0.1'], 1)
    const before = upstream.state
    answer('app.test', ['10.0.0.1'], 2)
    assert.equal(upstream.state, before)
  })

  it('replaces the node whose address changed, keeps the others, and closes what nobody uses', () => {
    const { create, answer, closed } = world()
    const upstream = create({ nodes: { '10.9.9.9:9': 2, 'app.test:1': 1 } })
    answer('app.test', ['10.0.0.1'])
    const [fixed] = upstream.state.nodes
    answer('app.test', ['10.0.0.2'])
    assert.deepEqual(addressesOf(upstream), ['10.9.9.9:9', '10.0.0.2:1'])
    assert.equal(upstream.state.nodes[0], fixed)
    assert.deepEqual(closed, ['10.0.0.1:1'])
  })

  it('uses the weights of the moment that a registry gives: with the load for wrr_dynamic, and none of them for rings', () => {
    for (const [type, expected] of [
      ['roundrobin', 10],
      ['wrr_dynamic', 3],
      ['chash', 100],
      ['ketama', 100],
    ] as const) {
      const { create, services } = world()
      const upstream = create({ type, service_name: 'chat', discovery_type: 'registry', key: 'uri' })
      const place = { host: '10.0.0.1', port: 1, priority: 0 }
      services.get('registry chat')!.onNodes([{ ...place, weight: 100, live: { weight: 10, dynamic: 3 } }])
      assert.deepEqual([type, upstream.state.nodes[0]?.weight], [type, expected])
    }
  })

  it('keeps the turns of wrr_dynamic when weights change', () => {
    const { create, services } = world()
    const upstream = create({ type: 'wrr_dynamic', service_name: 'chat', discovery_type: 'registry' })
    const tell = (...weights: number[]) =>
      services.get('registry chat')!.onNodes(
        weights.map((dynamic, index) => {
          const host = `10.0.0.${index + 1}`
          return { host, port: 1, priority: 0, weight: 100, live: { weight: 100, dynamic } }
        }),
      )
    const pick = () => {
      const context = { hashKey: () => '', isExcluded: () => false }
      return upstream.state.balancer.pick(context)!.host
    }
    tell(50, 50)
    const picks = [pick()]
    for (let i = 1; i < 10; i++) {
      tell(50 + (i % 2), 50)
      picks.push(pick())
    }
    assert.equal(picks.filter((host) => host === '10.0.0.1').length, 5)
  })

  it('keeps an address whose name fails', () => {
    const { create, answer, fail } = world()
    const upstream = create({ nodes: { 'app.test:1': 1 } })
    answer('app.test', ['10.0.0.1'])
    fail('app.test', 'the server is gone')
    assert.deepEqual(addressesOf(upstream), ['10.0.0.1:1'])
  })

  it('gives nodes of one name addresses that follow each other, and moves on with each turn', () => {
    const { create, answer, watchers } = world()
    const upstream = create({ nodes: { 'app.test:1': 1, 'App.test:2': 1 } })
    assert.equal(watchers('app.test'), 1)
    answer('app.test', ['10.0.0.1', '10.0.0.2', '10.0.0.3'], 1)
    assert.deepEqual(addressesOf(upstream), ['10.0.0.2:1', '10.0.0.3:2'])
    answer('app.test', ['10.0.0.1', '10.0.0.2', '10.0.0.3'], 2)
    assert.deepEqual(addressesOf(upstream), ['10.0.0.3:1', '10.0.0.1:2'])
  })

  it('prepares an edit that follows its own names, shown when it is published', () => {
    const { create, answer, watchers, environment, closed } = world()
    const upstream = create({ nodes: { 'app.test:1': 1 } })
    answer('app.test', ['10.0.0.1'])
    const edit = upstream.prepare({ nodes: { 'new.test:1': 1 } }, environment)
    answer('new.test', ['10.0.0.5'])
    answer('app.test', ['10.0.0.2'])
    assert.deepEqual(addressesOf(upstream), ['10.0.0.2:1'])
    edit.publish()
    assert.deepEqual(addressesOf(upstream), ['10.0.0.5:1'])
    assert.equal(watchers('app.test'), 0)
    assert.deepEqual(closed, ['10.0.0.1:1', '10.0.0.2:1'])
  })

  it('lets go of names and pools when an edit is discarded or the upstream goes', () => {
    const { create, answer, watchers, environment } = world()
    const upstream = create({ nodes: { 'app.test:1': 1 } })
    answer('app.test', ['10.0.0.1'])
    const edit = upstream.prepare({ nodes: { 'app.test:1': 2 } }, environment)
    assert.equal(watchers('app.test'), 2)
    edit.discard()
    assert.equal(watchers('app.test'), 1)
    upstream.stop(environment)
    assert.equal(watchers('app.test'), 0)
    assert.deepEqual(addressesOf(upstream), ['10.0.0.1:1'], 'requests under way still have their nodes')
    upstream.dispose(environment)
    assert.equal(environment.pools.size, 0)
  })

  it('whose nodes are all addresses asks nobody and is ready at once', () => {
    const { create, feeds } = world()
    assert.deepEqual(addressesOf(create({ nodes: { '10.0.0.1:1': 1, '[::1]:2': 1 } })), [
      '10.0.0.1:1',
      '[::1]:2',
    ])
    assert.equal(feeds.firstAnswers(), undefined)
  })
})

describe('an upstream with a service', () => {
  const document: UpstreamDocument = { scheme: 'https', discovery_type: 'atlas', service_name: 'svc' }
  const node = { port: undefined, weight: 1, priority: 0 }

  it('has the nodes of the registry, with the port of the scheme where there is none', () => {
    const { create, services } = world()
    const upstream = create(document)
    assert.match(upstream.state.whyEmpty!, /service "svc" of discovery type "atlas": no answer yet/)
    services.get('atlas svc')!.onNodes([
      { ...node, host: '10.0.0.1' },
      { ...node, host: '10.0.0.2', port: 8443 },
    ])
    assert.deepEqual(addressesOf(upstream), ['10.0.0.1:443', '10.0.0.2:8443'])
  })

  it('has none when the registry has none, and the last ones when it cannot say', () => {
    const { create, services } = world()
    const upstream = create(document)
    const sink = services.get('atlas svc')!
    sink.onNodes([{ ...node, host: '10.0.0.1' }])
    sink.onProblem('connection refused')
    assert.deepEqual(addressesOf(upstream), ['10.0.0.1:443'])
    sink.onNodes([])
    assert.match(upstream.state.whyEmpty!, /service "svc" of discovery type "atlas" has no nodes/)
  })

  it('resolves names among its nodes', () => {
    const { create, services, answer, watchers } = world()
    const upstream = create(document)
    services.get('atlas svc')!.onNodes([{ ...node, host: 'app.test' }])
    answer('app.test', ['10.0.0.7'])
    assert.deepEqual(addressesOf(upstream), ['10.0.0.7:443'])
    services.get('atlas svc')!.onNodes([{ ...node, host: '10.0.0.8' }])
    assert.equal(watchers('app.test'), 0)
  })
})

describe('the first answers', () => {
  it('are waited for until all are there, good or bad', async () => {
    const { create, feeds, answer, fail } = world()
    create({ nodes: { 'a.test:1': 1 } })
    create({ nodes: { 'b.test:1': 1 } })
    let isDone = false
    const done = feeds.firstAnswers()!.then(() => {
      isDone = true
    })
    answer('a.test', ['10.0.0.1'])
    await Promise.resolve()
    assert.equal(isDone, false)
    fail('b.test', 'there is none')
    await done
    assert.equal(feeds.firstAnswers(), undefined)
  })

  it('are waited for no longer than a second, once', async () => {
    const { create, feeds, clock } = world()
    create({ nodes: { 'a.test:1': 1 } })
    const done = feeds.firstAnswers()
    await clock.advance(1000)
    await done
    assert.equal(feeds.firstAnswers(), undefined)
    assert.equal(clock.pending, 0)
  })

  it('of an upstream that is gone are not waited for', async () => {
    const { create, feeds, environment } = world()
    const upstream = create({ nodes: { 'a.test:1': 1 } })
    const done = feeds.firstAnswers()
    upstream.dispose(environment)
    await done
  })
})

describe('all first answers', () => {
  it('are waited for longer than a publish waits, and those that are missing have names', async () => {
    const { create, feeds, clock, answer, fail } = world()
    create({ nodes: { 'a.test:1': 1, 'b.test:1': 1 } })
    const publish = feeds.firstAnswers()
    await clock.advance(1000)
    await publish
    let isDone = false
    const done = feeds.settled(new AbortController().signal).then(() => {
      isDone = true
    })
    answer('a.test', ['10.0.0.1'])
    await clock.advance(0)
    assert.deepEqual([isDone, feeds.unsettled()], [false, ['upstreams/1']])
    fail('b.test', 'there is none')
    await done
    assert.deepEqual(feeds.unsettled(), [])
  })

  it('are not waited for any more when the wait is called off, or the upstream is gone', async () => {
    const { create, feeds, environment } = world()
    const upstream = create({ nodes: { 'a.test:1': 1 } })
    const controller = new AbortController()
    const [calledOff, other] = [feeds.settled(controller.signal), feeds.settled(new AbortController().signal)]
    controller.abort()
    await calledOff
    await feeds.settled(controller.signal)
    upstream.dispose(environment)
    await other
  })
})
