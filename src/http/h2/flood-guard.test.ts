import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FloodGuard } from './flood-guard.ts'

describe('FloodGuard', () => {
  it('lets a second have its share of each kind, and the next one again', () => {
    const guard = new FloodGuard()
    const resets = (count: number, nowMs: number) =>
      Array.from({ length: count }, () => guard.isTooMany('reset', nowMs)).filter(Boolean).length
    assert.equal(resets(200, 5000), 0)
    assert.equal(guard.isTooMany('settings', 5500), false)
    assert.equal(resets(1, 5999), 1)
    assert.equal(resets(200, 6000), 0)
  })
})
