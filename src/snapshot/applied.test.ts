import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppliedWaiters } from './applied.ts'

const never = new AbortController().signal

describe('waiting for a revision', () => {
  it('ends at once when it is served already', async () => {
    const waiters = new AppliedWaiters()
    waiters.publish(7)
    await waiters.waitFor(7, never)
    await waiters.waitFor(3, never)
    assert.equal(waiters.size, 0)
  })

  it('ends with the first revision that is not older', async () => {
    const waiters = new AppliedWaiters()
    const seen: number[] = []
    const both = [5, 6].map((revision) => waiters.waitFor(revision, never).then(() => seen.push(revision)))
    waiters.publish(4)
    assert.equal(waiters.size, 2)
    waiters.publish(5)
    await both[0]
    assert.deepEqual(seen, [5])
    waiters.publish(9)
    await both[1]
    assert.equal(waiters.size, 0)
  })

  it('is given up when the signal aborts, before or meanwhile', async () => {
    const waiters = new AppliedWaiters()
    const control = new AbortController()
    const waiting = waiters.waitFor(1, control.signal)
    control.abort(new Error('no time left'))
    await assert.rejects(waiting, /no time left/)
    await assert.rejects(waiters.waitFor(1, control.signal), /no time left/)
    assert.equal(waiters.size, 0)
  })

  it('is given up when nothing more will be published', async () => {
    const waiters = new AppliedWaiters()
    const waiting = waiters.waitFor(1, never)
    waiters.close()
    await assert.rejects(waiting, /the gateway stops/)
    await assert.rejects(waiters.waitFor(1, never), /the gateway stops/)
  })
})
