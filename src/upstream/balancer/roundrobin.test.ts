import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, BalancerNode } from './balancer.ts'
import { countPicks, nodesOf, seededRandom, TestContext, testBalancerContract } from './balancer-contract.ts'
import { findBalancer } from './registry.ts'
import { roundrobin } from './roundrobin.ts'

testBalancerContract('roundrobin', roundrobin, { shareTolerance: 0.001 })

testBalancerContract('wrr_dynamic', findBalancer('wrr_dynamic')!, { shareTolerance: 0.001 })

const withoutOffset = () => 0

function lettersOf(nodes: readonly BalancerNode[], balancer: Balancer<BalancerNode>, count: number): string {
  const context = new TestContext()
  const letters = Array.from({ length: count }, () => 'abcdefgh'[nodes.indexOf(balancer.pick(context)!)])
  return letters.join('')
}

describe('roundrobin', () => {
  const sequences: [weights: number[], expected: string][] = [
    [[5, 1, 1], 'aabacaa'],
    [[3, 2, 1], 'abacba'],
    [[2, 1], 'abaaba'],
    [[4, 3, 2, 1], 'abcabdacba'],
    [[1, 1, 1], 'abcabc'],
    [[0, 0, 0], 'abcabc'],
    [[300, 200, 100], 'abacba'],
  ]
  for (const [weights, expected] of sequences) {
    it(`weights ${weights.join(':')} give ${expected} when the start is not moved`, () => {
      const nodes = nodesOf(...weights)
      assert.equal(lettersOf(nodes, roundrobin.create(nodes, withoutOffset), expected.length), expected)
    })
  }

  it('gives the exact share in every cycle, wherever it starts', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const balancer = roundrobin.create(nodesOf(5, 2, 1), seededRandom(seed))
      for (let cycle = 0; cycle < 3; cycle++) {
        const counts = countPicks(balancer, 8)
        assert.deepEqual(
          [counts.get('10.0.0.1:8080'), counts.get('10.0.0.2:8080'), counts.get('10.0.0.3:8080')],
          [5, 2, 1],
        )
      }
    }
  })

  it('keeps 10,000 picks at 5:1:1 within one pick of the share', () => {
    const counts = countPicks(roundrobin.create(nodesOf(5, 1, 1), seededRandom(3)), 10_000)
    for (const [address, part] of [
      ['10.0.0.1:8080', 5],
      ['10.0.0.2:8080', 1],
      ['10.0.0.3:8080', 1],
    ] as const) {
      assert.ok(Math.abs(counts.get(address)! - (10_000 * part) / 7) <= 1)
    }
  })

  it('starts at another node from process to process, heavy or equal weights alike', () => {
    for (const weights of [
      [1, 1, 1, 1],
      [5, 1, 1],
    ]) {
      const firsts = new Set<string>()
      for (let seed = 1; seed <= 60; seed++) {
        firsts.add(
          roundrobin.create(nodesOf(...weights), seededRandom(seed * 7919)).pick(new TestContext())!.address,
        )
      }
      assert.equal(firsts.size, weights.length)
    }
  })

  it('starts quickly with many nodes of great weight', () => {
    const nodes = Array.from({ length: 10_000 }, (_, i) => ({ address: `n${i}:80`, weight: 1_000_000 + i }))
    const before = performance.now()
    roundrobin.create(nodes, () => 0.999)
    assert.ok(performance.now() - before < 1000)
  })

  it('leaves the shares of the other nodes alone while one is excluded, and returns to the full cycle after', () => {
    const nodes = nodesOf(2, 1, 1, 4)
    const balancer = roundrobin.create(nodes, withoutOffset)
    const context = new TestContext()
    context.excluded.add(nodes[3]!)
    for (let cycle = 0; cycle < 25; cycle++) {
      const counts = countPicks(balancer, 4, context)
      assert.deepEqual(
        nodes.slice(0, 3).map((node) => counts.get(node.address)),
        [2, 1, 1],
      )
    }
    context.excluded.clear()
    const counts = countPicks(balancer, 800, context)
    assert.deepEqual(
      nodes.map((node) => counts.get(node.address)),
      [200, 100, 100, 400],
    )
  })

  it('does not pay a node back for the time it was excluded', () => {
    const nodes = nodesOf(1, 1)
    const balancer = roundrobin.create(nodes, withoutOffset)
    const context = new TestContext()
    context.excluded.add(nodes[0]!)
    countPicks(balancer, 1000, context)
    context.excluded.clear()
    assert.deepEqual([...countPicks(balancer, 10).values()], [5, 5])
  })

  it('carries on where the balancer before it stood', () => {
    const nodes = nodesOf(1, 1, 1)
    const first = roundrobin.create(nodes, withoutOffset)
    assert.equal(lettersOf(nodes, first, 2), 'ab')
    assert.equal(lettersOf(nodes, roundrobin.create(nodes, withoutOffset, first), 3), 'cab')
  })

  it('carries on for a node whose weight alone was edited', () => {
    const first = roundrobin.create(nodesOf(1, 1, 1), withoutOffset)
    countPicks(first, 1)
    const edited = nodesOf(1, 2, 1)
    assert.equal(lettersOf(edited, roundrobin.create(edited, withoutOffset, first), 4), 'bcba')
  })

  it('does not starve a node whose weight was lowered a thousandfold', () => {
    const before = roundrobin.create(nodesOf(1000, 999), withoutOffset)
    countPicks(before, 1)
    const counts = countPicks(roundrobin.create(nodesOf(1, 1), withoutOffset, before), 10)
    assert.deepEqual([counts.get('10.0.0.1:8080'), counts.get('10.0.0.2:8080')], [5, 5])
  })
})
