import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CrashHistory } from './crash-history.ts'

describe('the crashes of a worker', () => {
  it('are made good at once, then later each time, up to ten seconds', () => {
    const history = new CrashHistory()
    const delays = Array.from({ length: 10 }, (_, index) => history.add(index).delayMs)
    assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  })

  it('are a loop when there are more than five within half a minute', () => {
    const history = new CrashHistory()
    for (let i = 0; i < 5; i++) history.add(i * 1000)
    assert.equal(history.isLoop(5000), false)
    history.add(6000)
    assert.equal(history.isLoop(6000), true)
    assert.equal(history.isLoop(30_001), false)
    assert.equal(history.add(100_000).delayMs, 0)
  })
})
