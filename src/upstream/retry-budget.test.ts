import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RetryBudget } from './retry-budget.ts'

function budgetWith(active: number): { budget: RetryBudget; refused: () => number } {
  let refusals = 0
  const budget = new RetryBudget(() => refusals++)
  for (let i = 0; i < active; i++) budget.begin()
  return { budget, refused: () => refusals }
}

function allowed(budget: RetryBudget, asked: number): number {
  return Array.from({ length: asked }, () => budget.tryRetry()).filter(Boolean).length
}

describe('the retry budget', () => {
  for (const [active, retries] of [
    [1, 3],
    [15, 3],
    [19, 3],
    [20, 4],
    [100, 20],
  ] as const) {
    it(`of ${active} requests under way allows ${retries} to be retried, and tells of each refusal`, () => {
      const { budget, refused } = budgetWith(active)
      assert.equal(allowed(budget, 100), retries)
      assert.equal(refused(), 100 - retries)
    })
  }

  it('is given back when a retried request ends', () => {
    const { budget } = budgetWith(10)
    assert.equal(allowed(budget, 4), 3)
    budget.end(true)
    assert.equal(allowed(budget, 4), 1)
    budget.end(false)
    assert.equal(allowed(budget, 4), 0)
  })
})
