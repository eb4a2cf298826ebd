import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import type { DiscoveredNode } from './discoverer.ts'
import { discovererContract } from './discoverer-contract.ts'
import { type AgentFilter, type Registered, RegistryDiscoverer, type RegistrySource } from './registry.ts'

class ScriptedSource implements RegistrySource {
  readonly types = new Map<string, Registered | Error>()
  readonly asked = new Map<string, number>()
  readonly filters: AgentFilter[] = []
  readonly #listeners = new Set<() => void>()

  read(type: string, filter: AgentFilter): Registered {
    this.asked.set(type, (this.asked.get(type) ?? 0) + 1)
    this.filters.push(filter)
    const answer = this.types.get(type) ?? { nodes: [], isKnown: false }
    if (answer instanceof Error) throw answer
    return answer
  }

  subscribe(_type: string, onChange: () => void) {
    this.#listeners.add(onChange)
    return { close: () => void this.#listeners.delete(onChange) }
  }

  announce(): void {
    for (const listener of this.#listeners) listener()
  }

  get listeners(): number {
    return this.#listeners.size
  }

  dump() {
    return {}
  }
}

const nodeOf = (host: string, weight = 100): DiscoveredNode => ({
  host,
  port: 80,
  weight,
  priority: 0,
  live: { weight, dynamic: weight },
})

discovererContract('discovery through the registry', () => {
  const source = new ScriptedSource()
  const clock = fakeClock()
  const discoverer = new RegistryDiscoverer(source, clock)
  return {
    discoverer,
    clock,
    hosts: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    freshMs: 5000,
    set: (name, hosts) =>
      void source.types.set(name, { nodes: hosts.map((host) => nodeOf(host)), isKnown: true }),
    remove: (name) => void source.types.delete(name),
    fail: (name) => void source.types.set(name, new Error('the store is away')),
    asked: (name) => source.asked.get(name) ?? 0,
    kept: () => discoverer.size + source.listeners,
  }
})

describe('discovery through the registry', () => {
  const watchWith = (args: Readonly<Record<string, unknown>>, readMs = 0) => {
    const source = new ScriptedSource()
    const slowly = fakeClock()
    const clock = Object.create(slowly, {
      nowMs: { value: () => slowly.nowMs() + (source.asked.get('chat') ?? 0) * readMs },
    }) as typeof slowly
    const sets: (readonly DiscoveredNode[])[] = []
    const known: unknown[] = []
    const onNodes = (nodes: readonly DiscoveredNode[], isKnown?: boolean) => {
      sets.push(nodes)
      known.push(isKnown)
    }
    const watch = new RegistryDiscoverer(source, clock).watch(
      { serviceName: 'chat', args },
      { onNodes, onProblem: () => undefined },
    )
    return { source, clock, sets, known, watch }
  }

  it('tells at once what the registry says has changed, once for many changes of a moment', async () => {
    const { source, clock, sets } = watchWith({})
    source.types.set('chat', { nodes: [nodeOf('10.0.0.1')], isKnown: true })
    for (let i = 0; i < 10; i++) source.announce()
    await clock.advance(0)
    assert.deepEqual(sets, [[], [nodeOf('10.0.0.1')]])
    assert.equal(source.asked.get('chat'), 2)
  })

  it('spends a tenth of the time at most while everything changes, and does not miss the last change', async () => {
    // Each look takes ten milliseconds.
    const { source, clock, sets } = watchWith({}, 10)
    const before = source.asked.get('chat')!
    for (let i = 1; i <= 200; i++) {
      source.types.set('chat', { nodes: [nodeOf('10.0.0.1', i)], isKnown: true })
      source.announce()
      await clock.advance(10)
    }
    const asked = source.asked.get('chat')! - before
    assert.ok(asked >= 19 && asked <= 22, `${asked} times in two seconds`)
    await clock.advance(100)
    assert.equal(sets.at(-1)?.[0]?.weight, 200)
  })

  it('keeps no timer for a burst once nobody watches', async () => {
    const { source, clock, watch } = watchWith({}, 10)
    for (let i = 0; i < 3; i++) {
      source.announce()
      await clock.advance(1)
    }
    watch.close()
    assert.equal(clock.pending, 0)
  })

  it('does not tell a set again that is as it was', async () => {
    const { source, clock, sets } = watchWith({})
    for (let i = 0; i < 5; i++) {
      source.announce()
      await clock.advance(5000)
    }
    assert.equal(sets.length, 1)
  })

  it('tells when the first or last of a type comes and goes, although none of them can be used', async () => {
    const { source, clock, known } = watchWith({})
    for (const isKnown of [true, true, false]) {
      source.types.set('chat', { nodes: [], isKnown })
      source.announce()
      await clock.advance(0)
    }
    assert.deepEqual(known, [false, true, false])
  })

  it('looks again sooner while weights climb', async () => {
    const { source, clock } = watchWith({})
    source.types.set('chat', { nodes: [nodeOf('10.0.0.1')], isKnown: true, changesInMs: 1000 })
    await clock.advance(5000)
    const before = source.asked.get('chat')!
    await clock.advance(5000)
    assert.equal(source.asked.get('chat')! - before, 5)
  })

  it('asks for the capabilities and labels of discovery_args', () => {
    const { source } = watchWith({ capability: ['b', 'a'], labels: { zone: 'z1' } })
    assert.deepEqual(source.filters[0], { capabilities: ['a', 'b'], labels: { zone: 'z1' } })
    assert.deepEqual(watchWith({ capability: 'a' }).source.filters[0]?.capabilities, ['a'])
  })

  it('refuses discovery_args that mean nothing', () => {
    for (const args of [{ capability: 3 }, { capability: [{}] }, { labels: [] }, { labels: { a: 1 } }]) {
      assert.throws(() => watchWith(args), /discovery_args\.(capability|labels) must be/)
    }
  })
})
