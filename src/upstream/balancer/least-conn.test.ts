import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, BalancerNode } from './balancer.ts'
import { nodesOf, seededRandom, TestContext, testBalancerContract } from './balancer-contract.ts'
import { leastConn } from './least-conn.ts'

testBalancerContract('least_conn', leastConn, { shareTolerance: 0.001, sharesAre: 'of attempts under way' })

const context = new TestContext()

function hold(balancer: Balancer<BalancerNode>, count: number): BalancerNode[] {
  return Array.from({ length: count }, () => balancer.pick(context)!)
}

function countOf(picked: readonly BalancerNode[], address: string): number {
  return picked.filter((node) => node.address === address).length
}

describe('least_conn', () => {
  it('sends the next twenty elsewhere while one node holds twenty long requests', () => {
    const nodes = nodesOf(1, 1)
    const balancer = leastConn.create(nodes, seededRandom(1))
    const busy = new TestContext()
    busy.excluded.add(nodes[1]!)
    for (let i = 0; i < 20; i++) assert.equal(balancer.pick(busy), nodes[0])
    assert.equal(countOf(hold(balancer, 20), '10.0.0.2:8080'), 20)
  })

  it('weighs what is under way: a node of weight 3 holds three times as much', () => {
    const picked = hold(leastConn.create(nodesOf(3, 1), seededRandom(1)), 40)
    assert.equal(countOf(picked, '10.0.0.1:8080'), 30)
  })

  it('chooses among equals by chance, all as likely', () => {
    const balancer = leastConn.create(nodesOf(1, 1, 1, 1), seededRandom(5))
    const counts = new Map<string, number>()
    for (let i = 0; i < 8000; i++) {
      const node = balancer.pick(context)!
      balancer.release?.(node)
      counts.set(node.address, (counts.get(node.address) ?? 0) + 1)
    }
    for (const count of counts.values()) assert.ok(Math.abs(count - 2000) < 200, `${count} of 8000`)
  })

  it('knows what is under way after an edit of a weight', () => {
    const nodes = nodesOf(1, 1)
    const before = leastConn.create(nodes, seededRandom(1))
    const busy = new TestContext()
    busy.excluded.add(nodes[1]!)
    for (let i = 0; i < 20; i++) before.pick(busy)
    const after = leastConn.create(nodesOf(2, 2), seededRandom(1), before)
    assert.equal(countOf(hold(after, 20), '10.0.0.2:8080'), 20)
  })

  it('counts down when an attempt that began before an edit ends after it', () => {
    const nodes = nodesOf(1, 1)
    const before = leastConn.create(nodes, seededRandom(1))
    const picked = hold(before, 2)
    const after = leastConn.create(nodesOf(1, 1), seededRandom(1), before)
    before.release?.(picked.find((node) => node === nodes[0])!)
    assert.equal(after.pick(context)?.address, '10.0.0.1:8080')
  })

  it('does not count below nothing when a node is released that was never picked', () => {
    const nodes = nodesOf(1, 1)
    const balancer = leastConn.create(nodes, seededRandom(1))
    for (let i = 0; i < 5; i++) balancer.release?.(nodes[0]!)
    assert.equal(countOf(hold(balancer, 20), '10.0.0.1:8080'), 10)
  })
})
