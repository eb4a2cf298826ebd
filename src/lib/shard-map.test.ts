import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ShardMap } from './shard-map.ts'

describe('ShardMap', () => {
  it('leaves the old map as it was when a changed copy is made', () => {
    const first = ShardMap.empty<number>().with([['a', 1]])
    const second = first.with([
      ['a', undefined],
      ['b', 2],
    ])
    assert.equal(first.get('a'), 1)
    assert.equal(first.get('b'), undefined)
    assert.equal(second.get('a'), undefined)
    assert.equal(second.get('b'), 2)
    assert.equal(second.size, 1)
  })

  it('holds thousands of keys and gives each back', () => {
    const map = ShardMap.empty<number>().with(
      Array.from({ length: 5000 }, (_, i) => [`key-${i}`, i] as const),
    )
    assert.equal(map.size, 5000)
    for (let i = 0; i < 5000; i++) assert.equal(map.get(`key-${i}`), i)
    assert.equal([...map.values()].length, 5000)
  })
})
