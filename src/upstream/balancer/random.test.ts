import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodesOf, TestContext, testBalancerContract } from './balancer-contract.ts'
import { randomly } from './random.ts'

testBalancerContract('random', randomly, { shareTolerance: 0.1 })

describe('random', () => {
  it('picks the node in whose stretch of the weights the number falls', () => {
    const pickAt = (number: number) =>
      randomly.create(nodesOf(1, 2, 1), () => number).pick(new TestContext())?.address
    assert.deepEqual(
      [0, 0.249, 0.25, 0.749, 0.75, 0.999].map(pickAt),
      [1, 1, 2, 2, 3, 3].map((node) => `10.0.0.${node}:8080`),
    )
  })

  it('spreads an excluded node over the others by their weights', () => {
    const nodes = nodesOf(1, 2, 1)
    const context = new TestContext()
    context.excluded.add(nodes[1]!)
    const pickAt = (number: number) => randomly.create(nodes, () => number).pick(context)
    assert.deepEqual([0.49, 0.51].map(pickAt), [nodes[0], nodes[2]])
  })
})
