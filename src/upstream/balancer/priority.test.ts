import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BalancerFactory, BalancerNode } from './balancer.ts'
import { countPicks, seededRandom, TestContext, testBalancerContract } from './balancer-contract.ts'
import { leastConn } from './least-conn.ts'
import { byPriority } from './priority.ts'
import { roundrobin } from './roundrobin.ts'

testBalancerContract('priority over roundrobin', byPriority(roundrobin), { shareTolerance: 0.001 })

function node(address: string, priority?: number, weight = 1): BalancerNode {
  return priority === undefined ? { address, weight } : { address, weight, priority }
}

function create(nodes: readonly BalancerNode[], inner: BalancerFactory = roundrobin) {
  return byPriority(inner).create(nodes, seededRandom(1))
}

function addressesOf(counts: ReadonlyMap<string, number>): string[] {
  return [...counts.keys()].sort()
}

describe('priority', () => {
  const nodes = [node('low', -1), node('first'), node('second', 0), node('high', 10, 2), node('highest', 10)]

  it('uses the highest level alone, by weight, while it has a node', () => {
    assert.deepEqual(Object.fromEntries(countPicks(create(nodes), 300)), { high: 200, highest: 100 })
  })

  it('fails over level by level as nodes are excluded, and fails back when they return', () => {
    const balancer = create(nodes)
    const context = new TestContext()
    const exclude = (...addresses: string[]) => {
      context.excluded.clear()
      for (const each of nodes) if (addresses.includes(each.address)) context.excluded.add(each)
      return addressesOf(countPicks(balancer, 100, context))
    }
    assert.deepEqual(exclude('high'), ['highest'])
    assert.deepEqual(exclude('high', 'highest'), ['first', 'second'])
    assert.deepEqual(exclude('high', 'highest', 'first', 'second'), ['low'])
    assert.deepEqual(exclude(), ['high', 'highest'])
  })

  it('goes on to the next level when a request has tried the whole one above', () => {
    const balancer = create(nodes)
    const context = new TestContext()
    const row: string[] = []
    for (let each = balancer.pick(context); each; each = balancer.pick(context)) {
      context.excluded.add(each)
      row.push(each.address)
    }
    assert.deepEqual(
      [row.slice(0, 2).sort(), row.slice(2, 4).sort(), row.slice(4)],
      [['high', 'highest'], ['first', 'second'], ['low']],
    )
  })

  it('does not fall back on a level that was drained to weight 0', () => {
    const balancer = create([node('drained', 10, 0), node('backup', 0)])
    assert.deepEqual(addressesOf(countPicks(balancer, 10)), ['backup'])
  })

  it('uses the highest level when every node has weight 0', () => {
    const balancer = create([node('a', 1, 0), node('b', 1, 0), node('backup', 0, 0)])
    assert.deepEqual(addressesOf(countPicks(balancer, 10)), ['a', 'b'])
  })

  it('releases a node at its own level', () => {
    const pair = [node('a', 1), node('b', 1), node('c', 0)]
    const balancer = create(pair, leastConn)
    const context = new TestContext()
    const [first, second] = [balancer.pick(context)!, balancer.pick(context)!]
    assert.notEqual(first, second)
    balancer.release?.(first)
    assert.equal(balancer.pick(context), first)
  })

  it('keeps what the levels have learnt over an edit, also when levels come or go', () => {
    const factory = byPriority(leastConn)
    const context = new TestContext()
    const flat = factory.create([node('a'), node('b')], seededRandom(1))
    const busy = flat.pick(context)!
    const idle = busy.address === 'a' ? 'b' : 'a'
    const levelled = factory.create([node('a'), node('b'), node('c', -1)], seededRandom(1), flat)
    assert.equal(levelled.pick(context)?.address, idle)
    flat.release?.(busy)
    const again = factory.create([node('a'), node('b')], seededRandom(1), levelled)
    assert.equal(again.pick(context)?.address, busy.address)
  })
})
