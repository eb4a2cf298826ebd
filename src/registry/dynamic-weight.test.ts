import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dynamicWeight, slowStartShare } from './dynamic-weight.ts'

const load = (cpu: number, memory: number, rt: number, errors = 0) => ({
  cpu_usage: cpu,
  memory_usage: memory,
  average_processing_time: rt,
  error_rate: errors,
})

describe('the weight of wrr_dynamic', () => {
  const vectors: [string, Parameters<typeof dynamicWeight>, number][] = [
    ['a node without figures', [100, undefined], 25],
    ['an idle node', [100, load(0, 0, 0)], 100],
    ['a node at half of everything', [100, load(50, 50, 1000)], 12],
    ['a node with some load and errors', [100, load(20, 40, 250, 0.05)], 36],
    ['a node at its limit', [100, load(90, 80, 250, 0.1)], 1],
    ['an idle node that is not available', [100, load(0, 0, 0), false], 10],
    ['a node of twice the weight at half of everything', [200, load(50, 50, 1000)], 25],
    ['a node that says it uses more than all there is', [100, load(400, 400, 1e9, 7)], 1],
  ]
  for (const [who, parameters, expected] of vectors) {
    it(`is ${expected} for ${who}`, () => assert.equal(dynamicWeight(...parameters), expected))
  }

  it('lets a node that came back climb from a tenth to all of its weight in ten seconds', () => {
    assert.deepEqual([0, 500, 2500, 10_000, 60_000].map(slowStartShare), [0.1, 0.1, 0.25, 1, 1])
  })
})
