import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ExpiringMap } from './expiring-map.ts'
import { FixedWindow } from './fixed-window.ts'
import { SlidingWindow } from './sliding-window.ts'

describe('an expiring map', () => {
  it('never holds more than its capacity; the oldest goes first', () => {
    const map = new ExpiringMap<{ expiresAt: number }>(3)
    for (const key of ['a', 'b', 'c', 'd']) map.insert(key, { expiresAt: 100 }, 0)
    assert.equal(map.size, 3)
    assert.equal(map.get('a'), undefined)
    assert.ok(map.get('d'))
  })

  it('drops what has expired while it is written to', () => {
    const map = new ExpiringMap<{ expiresAt: number }>(1000)
    for (let i = 0; i < 100; i++) map.insert(`old${i}`, { expiresAt: 10 }, 0)
    for (let i = 0; i < 30; i++) map.insert(`new${i}`, { expiresAt: 100 }, 20)
    assert.equal(map.size, 30)
  })

  it('makes an entry the youngest when it is stored again', () => {
    const map = new ExpiringMap<{ expiresAt: number }>(2)
    for (const key of ['a', 'b', 'a', 'c']) map.insert(key, { expiresAt: 100 }, 0)
    assert.ok(map.get('a'))
    assert.equal(map.get('b'), undefined)
  })
})

describe('the counters', () => {
  it('forget the oldest key when there are more than they keep', () => {
    const counter = new FixedWindow(2)
    const take = (key: string) => counter.take(key, { limit: 1, windowMs: 1000 }, 0).isAllowed
    assert.deepEqual(['a', 'b', 'a'].map(take), [true, true, false])
    assert.deepEqual(['c', 'b', 'a'].map(take), [true, false, true])
  })

  it('bear a wall clock that is set back', () => {
    let now = 10_500
    const counter = new SlidingWindow(10)
    const take = () => counter.take('a', { limit: 2, windowMs: 1000 }, now)
    assert.equal(take().isAllowed, true)
    now = 3000
    assert.equal(take().isAllowed, true)
    const refused = take()
    assert.equal(refused.isAllowed, false)
    assert.equal(refused.resetMs, 1000)
  })
})
