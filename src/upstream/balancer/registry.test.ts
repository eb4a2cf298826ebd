import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BALANCER_TYPES, findBalancer } from './registry.ts'

describe('the register of balancers', () => {
  it('lists its types in alphabetical order and finds each', () => {
    assert.deepEqual(BALANCER_TYPES, [...BALANCER_TYPES].sort())
    for (const type of BALANCER_TYPES) assert.equal(typeof findBalancer(type)?.create, 'function')
  })

  it('knows nothing of a type that does not exist, not even of what every object has', () => {
    for (const type of ['', 'round_robin', 'toString', '__proto__', 'constructor']) {
      assert.equal(findBalancer(type), undefined)
    }
  })
})
