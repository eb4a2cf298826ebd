import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createReadiness } from './readiness.ts'

describe('readiness', () => {
  it('is there when the last blocker is released, and names those that are left', () => {
    const readiness = createReadiness(['config', 'proxy'])
    assert.deepEqual(readiness.reasons(), ['config', 'proxy'])
    assert.equal(readiness.isReady, false)
    readiness.release('config')
    readiness.release('unknown')
    assert.deepEqual(readiness.reasons(), ['proxy'])
    readiness.release('proxy')
    assert.equal(readiness.isReady, true)
    readiness.block('worker_crash_loop')
    assert.deepEqual([readiness.isReady, readiness.reasons()], [false, ['worker_crash_loop']])
  })

  it('tells whether it has ever been there', () => {
    const readiness = createReadiness(['config'])
    assert.equal(readiness.wasReady, false)
    readiness.release('config')
    readiness.block('proxy')
    assert.deepEqual([readiness.isReady, readiness.wasReady], [false, true])
    assert.equal(createReadiness().wasReady, true)
  })

  it('does not come back once draining has begun', () => {
    const readiness = createReadiness()
    assert.equal(readiness.isReady, true)
    readiness.startDraining()
    assert.deepEqual([readiness.isReady, readiness.isDraining, readiness.reasons()], [false, true, []])
  })
})
