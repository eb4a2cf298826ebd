import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, BalancerFactory, BalancerNode } from './balancer.ts'
import { nodesOf, TestContext, testBalancerContract } from './balancer-contract.ts'
import { chash, ketama } from './chash.ts'

// A ring is even only on average: 160 points a unit leave some ten per cent between nodes (systems.md §3.2.4).
testBalancerContract('chash', chash, { shareTolerance: 0.2 })
testBalancerContract('ketama', ketama, { shareTolerance: 0.2 })

const noRandom = () => 0

function ringOver(
  factory: BalancerFactory,
  weights: Readonly<Record<string, number>>,
): Balancer<BalancerNode> {
  const nodes = Object.entries(weights).map(([address, weight]) => ({ address, weight }))
  return factory.create(nodes, noRandom)
}

function lookUp(balancer: Balancer<BalancerNode>, key: string, context = new TestContext()): string {
  context.key = key
  return balancer.pick(context)!.address
}

const VECTORS: { nodes: Record<string, number>; keys: Record<string, string> }[] = [
  {
    nodes: { '127.0.0.1:7777': 1, '127.0.0.1:7778': 1 },
    keys: {
      '/some/path': '127.0.0.1:7778',
      '/some/longer/path': '127.0.0.1:7777',
      '/sad/zaidoon': '127.0.0.1:7778',
      '/g': '127.0.0.1:7777',
      '/pingora/team/is/cool/and/this/is/a/long/uri': '127.0.0.1:7778',
      '/i/am/not/confident/in/this/code': '127.0.0.1:7777',
    },
  },
  {
    nodes: { '127.0.0.1:12345': 1, '127.0.0.2:12345': 2, '127.0.0.3:12345': 3 },
    keys: {
      some_key: '127.0.0.3:12345',
      another_key: '127.0.0.3:12345',
      last_key: '127.0.0.2:12345',
      same_but_different: '127.0.0.1:12345',
    },
  },
  {
    nodes: { '10.0.0.1:8080': 1, '10.0.0.2:8080': 1, '10.0.0.3:8080': 1 },
    keys: Object.fromEntries(
      [1, 3, 3, 3, 2, 1, 1, 1, 1, 1].map((node, user) => [`user-${user}`, `10.0.0.${node}:8080`]),
    ),
  },
]

for (const [type, factory] of [
  ['chash', chash],
  ['ketama', ketama],
] as const) {
  describe(`${type}: the vectors of systems.md §3.2.4`, () => {
    for (const { nodes, keys } of VECTORS) {
      const balancer = ringOver(factory, nodes)
      for (const [key, expected] of Object.entries(keys)) {
        it(`${key} goes to ${expected}`, () => {
          assert.equal(lookUp(balancer, key), expected)
        })
      }
    }

    it('30,000 users fall 9291, 9496 and 11213 to three equal nodes', () => {
      const balancer = factory.create(nodesOf(1, 1, 1), noRandom)
      assert.deepEqual(distribution(balancer), {
        '10.0.0.1:8080': 9291,
        '10.0.0.2:8080': 9496,
        '10.0.0.3:8080': 11213,
      })
    })

    it('removing a node moves exactly its 11213 users and no other', () => {
      assert.equal(
        movedUsers(factory.create(nodesOf(1, 1, 1), noRandom), factory.create(nodesOf(1, 1), noRandom)),
        11213,
      )
    })
  })

  describe(type, () => {
    it('sends the users of an excluded node where they would go without it, and moves no other', () => {
      const nodes = nodesOf(1, 1, 1)
      const whole = factory.create(nodes, noRandom)
      const rest = factory.create(nodes.slice(0, 2), noRandom)
      const context = new TestContext()
      context.excluded.add(nodes[2]!)
      for (let i = 0; i < 3000; i++) {
        assert.equal(lookUp(whole, `user-${i}`, context), lookUp(rest, `user-${i}`))
      }
    })

    it('does not care in which order nodes are listed', () => {
      const nodes = nodesOf(1, 2, 3)
      const [forward, backward] = [
        factory.create(nodes, noRandom),
        factory.create([...nodes].reverse(), noRandom),
      ]
      for (let i = 0; i < 3000; i++) assert.equal(lookUp(forward, `user-${i}`), lookUp(backward, `user-${i}`))
    })

    it('hashes the empty key like any other', () => {
      assert.ok(lookUp(factory.create(nodesOf(1, 1), noRandom), ''))
    })

    it('keeps the ring of bounded size when a weight is enormous, and still reaches the lightest node', () => {
      const balancer = factory.create(nodesOf(1_000_003, 1_000_000, 1), noRandom)
      const context = new TestContext()
      const seen = new Set(Array.from({ length: 2000 }, (_, i) => lookUp(balancer, `user-${i}`, context)))
      assert.ok(seen.has('10.0.0.1:8080') && seen.has('10.0.0.2:8080'))
    })
  })
}

describe('chash beside ketama', () => {
  it('is the same while the weights have no common divisor', () => {
    const [a, b] = [chash.create(nodesOf(1, 2, 3), noRandom), ketama.create(nodesOf(1, 2, 3), noRandom)]
    for (let i = 0; i < 5000; i++) assert.equal(lookUp(a, `user-${i}`), lookUp(b, `user-${i}`))
  })

  it('chash divides 2:4 down to 1:2, ketama does not', () => {
    const reduced = chash.create(nodesOf(1, 2), noRandom)
    assert.equal(movedUsers(reduced, chash.create(nodesOf(2, 4), noRandom)), 0)
    assert.ok(movedUsers(reduced, ketama.create(nodesOf(2, 4), noRandom)) > 3000)
  })
})

function distribution(balancer: Balancer<BalancerNode>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < 30_000; i++) {
    const address = lookUp(balancer, `user-${i}`)
    counts[address] = (counts[address] ?? 0) + 1
  }
  return counts
}

function movedUsers(before: Balancer<BalancerNode>, after: Balancer<BalancerNode>): number {
  let moved = 0
  for (let i = 0; i < 30_000; i++) if (lookUp(before, `user-${i}`) !== lookUp(after, `user-${i}`)) moved++
  return moved
}
