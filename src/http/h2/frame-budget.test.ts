import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrameBudget } from './frame-budget.ts'

const KIB = 1024

describe('FrameBudget', () => {
  it('lets a second have its share of frames that bring nothing, and the next one again', () => {
    const budget = new FrameBudget(1000)
    assert.equal(budget.isSpent({ bytesRead: 64 * KIB, bytesWritten: 0 }), false)
    assert.equal(budget.isSpent({ bytesRead: 128 * KIB, bytesWritten: 0 }), false)
    assert.equal(budget.isSpent({ bytesRead: 192 * KIB + 1, bytesWritten: 0 }), true)
  })

  it('counts requests, their bodies and what was answered as use, each once', () => {
    for (const use of [
      (budget: FrameBudget) => budget.stream(),
      (budget: FrameBudget) => budget.body(1000 / 16),
    ]) {
      const budget = new FrameBudget(1000)
      use(budget)
      assert.equal(budget.isSpent({ bytesRead: 64 * KIB + 1000, bytesWritten: 0 }), false)
      assert.equal(budget.isSpent({ bytesRead: 128 * KIB + 1001, bytesWritten: 0 }), true)
    }
    const budget = new FrameBudget(1000)
    assert.equal(budget.isSpent({ bytesRead: 64 * KIB + 1000, bytesWritten: 250 }), false)
    assert.equal(budget.isSpent({ bytesRead: 128 * KIB + 1001, bytesWritten: 250 }), true)
  })
})
