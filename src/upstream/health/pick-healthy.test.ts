import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.ts'
import type { Upstream as UpstreamDocument } from '../../model/types.ts'
import { createLogger } from '../../observe/logger.ts'
import { BALANCER_TYPES } from '../balancer/registry.ts'
import { PoolRegistry } from '../pool-registry.ts'
import { NO_WARMING } from '../transport.ts'
import { Upstream, type UpstreamEnvironment, type UpstreamNode } from '../upstream.ts'
import { HealthMonitor } from './monitor.ts'
import type { NodeHealth } from './node-health.ts'
import { type HealthPickContext, isLeftOut, pickHealthy } from './pick-healthy.ts'

interface World {
  readonly clock: FakeClock
  readonly environment: UpstreamEnvironment
  readonly monitor: HealthMonitor
  readonly panics: string[]
  readonly upstream: Upstream
}

/** Chance that is the same in every run (mulberry32). */
function seeded(): () => number {
  let seed = 1
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function world(document: UpstreamDocument): World {
  const clock = fakeClock()
  const panics: string[] = []
  const random = seeded()
  const monitor = new HealthMonitor({
    clock,
    random,
    now: () => 0,
    probe: () => () => undefined,
    logger: createLogger('silent'),
    onPanic: (name) => panics.push(name),
  })
  const pools = new PoolRegistry(() => ({
    warm: () => NO_WARMING,
    close: () => undefined,
    send: () => {
      throw new Error('nothing is sent here')
    },
  }))
  const environment = { pools, random, monitor }
  const upstream = Upstream.create('upstreams/1', { checks: { active: {} }, ...document }, environment)
  upstream.start()
  return { clock, environment, monitor, panics, upstream }
}

class Request implements HealthPickContext {
  draw = 0
  readonly #key: string
  readonly #tried: readonly UpstreamNode[]

  constructor(key: string, tried: readonly UpstreamNode[] = []) {
    this.#key = key
    this.#tried = tried
  }

  hashKey(): string {
    return this.#key
  }

  isExcluded(node: UpstreamNode): boolean {
    return this.#tried.includes(node) || isLeftOut(node.health, this.draw)
  }
}

/** How often each node is picked, by host. */
function shares({ upstream }: World, picks: number): Record<string, number> {
  const found: Record<string, number> = {}
  for (let i = 0; i < picks; i++) {
    const node = pickHealthy(upstream.state, new Request(`key ${i}`))
    if (!node) continue
    found[node.host] = (found[node.host] ?? 0) + 1
    upstream.state.balancer.release?.(node)
  }
  return found
}

function healthOf({ upstream }: World, host: string): NodeHealth {
  return upstream.state.nodes.find((node) => node.host === host)!.health!
}

function fail(health: NodeHealth): void {
  health.report('tcp_failure', 1, { source: 'active', detail: 'refused' })
}

function recover(health: NodeHealth): void {
  health.report('success', 1, { source: 'active', detail: 'status 200' })
}

const THREE = { '10.0.0.1:1': 1, '10.0.0.2:1': 1, '10.0.0.3:1': 1 }
const [ONE, TWO, LAST] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']

for (const type of BALANCER_TYPES) {
  describe(`picking with ${type}`, () => {
    const document: UpstreamDocument = { type, nodes: THREE, hash_on: 'vars', key: 'uri' }

    it('leaves out the unhealthy and takes them back', () => {
      const here = world(document)
      fail(healthOf(here, ONE))
      const found = shares(here, 300)
      assert.deepEqual(Object.keys(found).sort(), [TWO, LAST])
      recover(healthOf(here, ONE))
      assert.ok(ONE in shares(here, 300))
      here.upstream.dispose(here.environment)
    })

    it('uses all when none is healthy, and tells once until one is again', () => {
      const here = world(document)
      for (const host of [ONE, TWO, LAST]) fail(healthOf(here, host))
      assert.deepEqual(Object.keys(shares(here, 300)).sort(), [ONE, TWO, LAST])
      assert.deepEqual(here.panics, ['upstreams/1'])
      recover(healthOf(here, TWO))
      assert.deepEqual(shares(here, 50), { [TWO]: 50 })
      fail(healthOf(here, TWO))
      shares(here, 50)
      assert.equal(here.panics.length, 2)
      here.upstream.dispose(here.environment)
    })

    it('gives a node that is back a share that grows over ten seconds', async () => {
      const here = world(document)
      fail(healthOf(here, ONE))
      recover(healthOf(here, ONE))
      const growing: number[] = []
      for (let i = 0; i < 3; i++) {
        growing.push(shares(here, 3000)[ONE] ?? 0)
        await here.clock.advance(5000)
      }
      const [early = 0, middle = 0, late = 0] = growing
      assert.ok(early > 0 && early < 200, `${early} of about 100 at a tenth`)
      assert.ok(middle > 1.8 * early && middle < 0.8 * late, `${growing}`)
      assert.equal(healthOf(here, ONE).share, 1)
      here.upstream.dispose(here.environment)
    })
  })
}

describe('picking', () => {
  it('gives nothing when every healthy node was tried, without a panic', () => {
    const here = world({ nodes: THREE })
    fail(healthOf(here, ONE))
    const tried = here.upstream.state.nodes.filter(({ host }) => host !== ONE)
    assert.equal(pickHealthy(here.upstream.state, new Request('', tried)), undefined)
    assert.deepEqual(here.panics, [])
    here.upstream.dispose(here.environment)
  })

  it('uses a node on its way back whenever nobody else is left', () => {
    const here = world({ nodes: { '10.0.0.1:1': 1, '10.0.0.2:1': 1 } })
    for (const host of [ONE, TWO]) fail(healthOf(here, host))
    recover(healthOf(here, ONE))
    assert.deepEqual(shares(here, 100), { [ONE]: 100 })
    here.upstream.dispose(here.environment)
  })

  it('goes to the next level only while no node of the highest is healthy', () => {
    const at = (host: string, priority: number) => ({ host, port: 1, weight: 1, priority })
    const here = world({ nodes: [at(ONE, 1), at(TWO, 0)] })
    assert.deepEqual(shares(here, 10), { [ONE]: 10 })
    fail(healthOf(here, ONE))
    assert.deepEqual(shares(here, 10), { [TWO]: 10 })
    assert.deepEqual(here.panics, [])
    here.upstream.dispose(here.environment)
  })

  it('does not count a healthy node of weight 0 as one that is left', () => {
    const here = world({ nodes: { '10.0.0.1:1': 1, '10.0.0.2:1': 0 } })
    fail(healthOf(here, ONE))
    assert.deepEqual(shares(here, 10), { [ONE]: 10 })
    assert.equal(here.panics.length, 1)
    here.upstream.dispose(here.environment)
  })
})

describe('the checks of an upstream', () => {
  it('are one per node, kept over edits that leave them alone, and end with it', () => {
    const here = world({ nodes: THREE })
    const { clock, environment, monitor, upstream } = here
    assert.equal(clock.pending, 3)
    fail(healthOf(here, ONE))
    const kept = healthOf(here, ONE)
    const nodes = { '10.0.0.1:1': 5, '10.0.0.4:1': 1 }
    const edit = upstream.prepare({ nodes, checks: { active: {} } }, environment)
    assert.equal(clock.pending, 3)
    edit.publish()
    assert.equal(clock.pending, 2)
    assert.equal(healthOf(here, ONE), kept)
    upstream.prepare({ nodes, checks: { active: { timeout: 2 } } }, environment).publish()
    assert.equal(clock.pending, 2)
    assert.equal(healthOf(here, ONE).status, 'healthy')
    upstream.prepare({ nodes }, environment).publish()
    assert.deepEqual([clock.pending, [...monitor.all()]], [0, []])
    assert.equal(upstream.state.nodes[0]?.health, undefined)
    upstream.dispose(environment)
  })

  it('begin for nothing that is discarded, and end once it is not configured', () => {
    const here = world({ nodes: THREE })
    const { clock, environment, monitor, upstream } = here
    upstream.prepare({ nodes: { '10.0.0.9:1': 1 }, checks: { active: {} } }, environment).discard()
    assert.equal(clock.pending, 3)
    upstream.stop(environment)
    assert.deepEqual([clock.pending, monitor.find('upstreams/1')], [0, undefined])
    fail(healthOf(here, ONE))
    assert.equal(clock.pending, 0)
    upstream.dispose(environment)
  })

  it('are made once for a node that stands twice', () => {
    const node = { host: '10.0.0.1', port: 1, weight: 1 }
    const here = world({ nodes: [node, node] })
    assert.equal(here.clock.pending, 1)
    here.upstream.dispose(here.environment)
  })
})
