import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import type { LookUp } from './look-up.ts'
import { NameResolver } from './resolver.ts'

function resolverOver(lookUp: LookUp, random = 0.5) {
  const clock = fakeClock()
  return { clock, resolver: new NameResolver(lookUp, { clock, random: () => random }) }
}

function follow(resolver: NameResolver, name: string) {
  const heard: string[] = []
  const watch = resolver.watch(name, {
    onValue: ({ addresses, turn }) => void heard.push(addresses[turn % addresses.length]!),
    onProblem: (reason) => void heard.push(reason),
  })
  return { heard, watch }
}

describe('the resolver of names', () => {
  it('moves on to the next address at each refresh, from a start by chance', async () => {
    const addresses = ['a', 'b', 'c']
    const { clock, resolver } = resolverOver(async () => ({ value: addresses, ttlMs: 1000 }), 0.4)
    const { heard } = follow(resolver, 'app')
    await clock.advance(3500)
    assert.deepEqual(heard, ['b', 'c', 'a', 'b'])
  })

  it('stays where it is when a refresh fails', async () => {
    let calls = 0
    const { clock, resolver } = resolverOver(async () => {
      if (++calls === 2) throw new Error('no answer')
      return { value: ['a', 'b'], ttlMs: 1000 }
    })
    const { heard } = follow(resolver, 'app')
    await clock.advance(2500)
    assert.deepEqual(heard, ['b', 'no answer', 'a'])
  })

  it('has one look-up for all spellings of a name', async () => {
    const asked: string[] = []
    const { clock, resolver } = resolverOver(async (name) => {
      asked.push(name)
      return { value: ['a'], ttlMs: 60_000 }
    })
    const [one, other] = [follow(resolver, 'App.Test'), follow(resolver, 'app.test')]
    await clock.advance(1)
    assert.deepEqual([asked, one.heard, other.heard], [['app.test'], ['a'], ['a']])
    one.watch.close()
    other.watch.close()
    assert.equal(resolver.size, 0)
  })
})
