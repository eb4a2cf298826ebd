import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, BalancerFactory, BalancerNode, PickContext } from './balancer.ts'

/** What a balancer's own tests and {@link testBalancerContract} pick with: a key per pick, and a set of excluded nodes. */
export class TestContext implements PickContext<BalancerNode> {
  key = ''
  readonly excluded = new Set<BalancerNode>()

  hashKey(): string {
    return this.key
  }

  isExcluded(node: BalancerNode): boolean {
    return this.excluded.has(node)
  }
}

/** Nodes `10.0.0.1:8080`, `10.0.0.2:8080` … with the given weights. */
export function nodesOf(...weights: number[]): BalancerNode[] {
  return weights.map((weight, index) => ({ address: `10.0.0.${index + 1}:8080`, weight }))
}

/** Makes `count` picks under keys `user-0`, `user-1` …, each released at once; returns how often every address was picked. */
export function countPicks(
  balancer: Balancer<BalancerNode>,
  count: number,
  context = new TestContext(),
): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    context.key = `user-${i}`
    const node = balancer.pick(context)
    assert.ok(node, 'a node is left, so one must be picked')
    balancer.release?.(node, 10)
    counts.set(node.address, (counts.get(node.address) ?? 0) + 1)
  }
  return counts
}

/** The same balancer for {@link countPicks} to hold on to what it picked: nothing is released. */
export function holding(balancer: Balancer<BalancerNode>): Balancer<BalancerNode> {
  return { pick: (context) => balancer.pick(context) }
}

/** Repeatable numbers, uniform in [0, 1); the same seed gives the same row (a 32-bit xorshift). */
export function seededRandom(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export interface ContractOptions {
  /** How far a node's part of 20,000 picks may be from its part of the weights, as a fraction of the latter. */
  readonly shareTolerance: number
  /**
   * Whose parts the weights are: of all picks (the default), of the attempts under way, so that the shares show only while
   * nothing is released, or of nothing, every node of any weight getting the same.
   */
  readonly sharesAre?: 'of picks' | 'of attempts under way' | 'equal'
}

/** What every balancer owes, whatever its idea. Call it once per factory. */
export function testBalancerContract(type: string, factory: BalancerFactory, options: ContractOptions): void {
  const create = (nodes: readonly BalancerNode[], seed = 7) => factory.create(nodes, seededRandom(seed))
  const createForShares = (nodes: readonly BalancerNode[]) =>
    options.sharesAre === 'of attempts under way' ? holding(create(nodes)) : create(nodes)

  describe(`${type}, as any balancer`, () => {
    it('picks nothing when there are no nodes', () => {
      assert.equal(create([]).pick(new TestContext()), undefined)
    })

    it('always picks the only node', () => {
      assert.deepEqual([...countPicks(create(nodesOf(3)), 20)], [['10.0.0.1:8080', 20]])
    })

    it('picks the only node even when its weight is 0', () => {
      assert.deepEqual([...countPicks(create(nodesOf(0)), 20)], [['10.0.0.1:8080', 20]])
    })

    it('reaches every node', () => {
      assert.equal(countPicks(createForShares(nodesOf(1, 2, 3, 4, 5)), 2000).size, 5)
    })

    it('hands out the very node objects it was given', () => {
      const nodes = nodesOf(1, 1)
      const node = create(nodes).pick(new TestContext())
      assert.ok(node !== undefined && nodes.includes(node))
    })

    it('never picks an excluded node', () => {
      const nodes = nodesOf(5, 1, 1)
      const context = new TestContext()
      context.excluded.add(nodes[0]!)
      const counts = countPicks(create(nodes), 2000, context)
      assert.deepEqual([...counts.keys()].sort(), ['10.0.0.2:8080', '10.0.0.3:8080'])
    })

    it('finds the last node left, whatever the key', () => {
      const nodes = nodesOf(1, 1, 1, 1)
      const context = new TestContext()
      for (const node of nodes.slice(0, 3)) context.excluded.add(node)
      assert.deepEqual([...countPicks(create(nodes), 200, context)], [['10.0.0.4:8080', 200]])
    })

    it('picks nothing when every node is excluded, and picks again afterwards', () => {
      const nodes = nodesOf(1, 2)
      const balancer = create(nodes)
      const context = new TestContext()
      for (const node of nodes) context.excluded.add(node)
      assert.equal(balancer.pick(context), undefined)
      context.excluded.clear()
      assert.ok(balancer.pick(context))
    })

    it('visits each node once when a request retries until none is left', () => {
      const nodes = nodesOf(4, 3, 2, 1)
      const balancer = create(nodes)
      const context = new TestContext()
      for (let node = balancer.pick(context); node; node = balancer.pick(context)) {
        assert.ok(!context.excluded.has(node))
        balancer.release?.(node)
        context.excluded.add(node)
      }
      assert.equal(context.excluded.size, 4)
    })

    it('never picks a node of weight 0 while another has weight, not even as the last one left', () => {
      const nodes = nodesOf(1, 0, 2)
      const balancer = create(nodes)
      assert.equal(countPicks(balancer, 2000).has('10.0.0.2:8080'), false)
      const context = new TestContext()
      context.excluded.add(nodes[0]!).add(nodes[2]!)
      assert.equal(balancer.pick(context), undefined)
    })

    it('uses all nodes when every weight is 0', () => {
      assert.equal(countPicks(create(nodesOf(0, 0, 0)), 2000).size, 3)
    })

    it('gives each node its part of the picks', () => {
      const weights = [1, 2, 5]
      const counts = countPicks(createForShares(nodesOf(...weights)), 20_000)
      weights.forEach((weight, index) => {
        const expected = 20_000 * (options.sharesAre === 'equal' ? 1 / 3 : weight / 8)
        const actual = counts.get(`10.0.0.${index + 1}:8080`) ?? 0
        assert.ok(
          Math.abs(actual - expected) <= expected * options.shareTolerance,
          `weight ${weight} of 8: ${actual} picks, expected about ${expected}`,
        )
      })
    })

    it('gives the same row of nodes for the same keys and the same random numbers', () => {
      const row = () => {
        const balancer = create(nodesOf(3, 1, 2), 99)
        const context = new TestContext()
        return Array.from({ length: 50 }, (_, i) => {
          context.key = `user-${i}`
          const node = balancer.pick(context)
          balancer.release?.(node!, 10)
          return node!.address
        })
      }
      assert.deepEqual(row(), row())
    })

    it('takes over from the balancer before it, and from none, and from one without nodes', () => {
      const [a, b, c] = nodesOf(1, 1, 1) as [BalancerNode, BalancerNode, BalancerNode]
      const first = create([a, b])
      countPicks(first, 7)
      const second = factory.create([b, c], seededRandom(7), first)
      assert.deepEqual([...countPicks(second, 200).keys()].sort(), [b.address, c.address])
      assert.equal(countPicks(factory.create([a], seededRandom(7), create([])), 5).get(a.address), 5)
    })
  })
}
