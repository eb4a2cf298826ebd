import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BalancerNode } from './balancer.ts'
import { nodesOf, seededRandom, TestContext, testBalancerContract } from './balancer-contract.ts'
import { createEwma, ewma } from './ewma.ts'

// Time stands still here, so no answer decays and all nodes stay equal.
testBalancerContract(
  'ewma',
  createEwma(() => 0),
  { shareTolerance: 0.1, sharesAre: 'equal' },
)

const context = new TestContext()

/** Two nodes and a clock that only the test moves. */
function startPair() {
  const clock = { nowMs: 1_000_000 }
  const factory = createEwma(() => clock.nowMs)
  const nodes = nodesOf(1, 1) as [BalancerNode, BalancerNode]
  return { clock, factory, nodes, balancer: factory.create(nodes, seededRandom(1)) }
}

describe('ewma', () => {
  it('gives a node of 200 ms less than a fifth beside one of 10 ms', () => {
    const { clock, nodes, balancer } = startPair()
    let slow = 0
    for (let i = 0; i < 5000; i++) {
      const node = balancer.pick(context)!
      const elapsedMs = node === nodes[0] ? 200 : 10
      if (node === nodes[0]) slow += 1
      clock.nowMs += elapsedMs
      balancer.release?.(node, elapsedMs)
    }
    assert.ok(slow > 0 && slow < 1000, `${slow} of 5000`)
  })

  it('tries a node without answers before any other', () => {
    const { nodes, balancer } = startPair()
    balancer.release?.(nodes[0], 1)
    for (let i = 0; i < 20; i++) assert.equal(balancer.pick(context), nodes[1])
  })

  it('averages with a decay of ten seconds', () => {
    const { clock, nodes, balancer } = startPair()
    balancer.release?.(nodes[0], 100)
    clock.nowMs += 10_000
    balancer.release?.(nodes[0], 0)
    // 100 ms ten seconds ago and nothing now leave 100/e = 36.79 ms.
    balancer.release?.(nodes[1], 36.7)
    assert.equal(balancer.pick(context), nodes[1])
    balancer.release?.(nodes[1], 36.7)
    clock.nowMs += 1e9
    balancer.release?.(nodes[1], 36.9)
    balancer.release?.(nodes[0], 36.8)
    assert.equal(balancer.pick(context), nodes[0])
  })

  it('comes back to a slow node once its average has decayed', () => {
    const { clock, nodes, balancer } = startPair()
    balancer.release?.(nodes[0], 200)
    for (let second = 0; second < 29; second++) {
      balancer.release?.(nodes[1], 10)
      assert.equal(balancer.pick(context), nodes[1], `after ${second} s`)
      clock.nowMs += 1000
    }
    clock.nowMs += 2000
    balancer.release?.(nodes[1], 10)
    assert.equal(balancer.pick(context), nodes[0])
  })

  it('learns nothing from an attempt without an answer', () => {
    const { nodes, balancer } = startPair()
    balancer.release?.(nodes[0], 5)
    balancer.release?.(nodes[1])
    assert.equal(balancer.pick(context), nodes[1])
  })

  it('keeps what it learnt over an edit, from answers that come after it too', () => {
    const { factory, nodes, balancer } = startPair()
    balancer.release?.(nodes[0], 5)
    const after = factory.create(nodesOf(2, 2), seededRandom(3), balancer)
    balancer.release?.(nodes[1], 50)
    for (let i = 0; i < 20; i++) assert.equal(after.pick(context)?.address, nodes[0].address)
  })

  it('chooses every pair as likely', () => {
    const factory = createEwma(() => 0)
    const nodes = nodesOf(1, 1, 1)
    const balancer = factory.create(nodes, seededRandom(11))
    nodes.forEach((node, index) => {
      balancer.release?.(node, index + 1)
    })
    // Of three pairs the fastest is in two and the second fastest wins the third.
    const picks = Array.from({ length: 9000 }, () => balancer.pick(context))
    assert.ok(Math.abs(picks.filter((node) => node === nodes[0]).length - 6000) < 200)
    assert.equal(picks.filter((node) => node === nodes[2]).length, 0)
  })

  it('runs on the clock of the process', () => {
    const balancer = ewma.create(nodesOf(1, 1), seededRandom(1))
    balancer.release?.(balancer.pick(context)!, 10)
    assert.ok(balancer.pick(context))
  })
})
