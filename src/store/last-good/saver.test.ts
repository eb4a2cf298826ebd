import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { Saver } from './saver.ts'

/** A saver whose saves take `tookMs` and fail while `failure` is set. */
function start(tookMs = 0) {
  const clock = fakeClock()
  const seen = { begunAtMs: [] as number[], saved: 0, failures: [] as string[], failure: '' }
  const saver = new Saver({
    clock,
    minIntervalMs: 1000,
    save: async () => {
      seen.begunAtMs.push(clock.nowMs())
      if (tookMs > 0) await new Promise<void>((resolve) => clock.schedule(tookMs, resolve))
      if (seen.failure) throw new Error(seen.failure)
    },
    onSaved: () => seen.saved++,
    onFailure: (error) => seen.failures.push((error as Error).message),
  })
  return { clock, saver, seen }
}

describe('Saver', () => {
  it('saves the first change at once and many later ones together, one interval apart', async () => {
    const { clock, saver, seen } = start()
    saver.note()
    await clock.advance(0)
    assert.deepEqual(seen.begunAtMs, [0])
    for (let i = 0; i < 50; i++) {
      saver.note()
      await clock.advance(50)
    }
    await clock.advance(1000)
    assert.deepEqual(seen.begunAtMs, [0, 1000, 2000, 3000])
    await clock.advance(10_000)
    assert.equal(seen.saved, 4)
    assert.equal(clock.pending, 0)
  })

  it('saves again what changed while it saved, and rests the longer the longer that takes', async () => {
    const { clock, saver, seen } = start(500)
    saver.note()
    await clock.advance(100)
    saver.note()
    await clock.advance(30_000)
    assert.deepEqual(seen.begunAtMs, [0, 500 + 20 * 500])
  })

  it('tries again after a failure although nothing changes', async () => {
    const { clock, saver, seen } = start()
    seen.failure = 'disk full'
    saver.note()
    await clock.advance(25_000)
    assert.deepEqual(seen.begunAtMs, [0, 10_000, 20_000])
    seen.failure = ''
    await clock.advance(60_000)
    assert.deepEqual([seen.saved, seen.failures.length], [1, 3])
  })

  it('saves what is left when it is closed, and nothing more', async () => {
    const { clock, saver, seen } = start()
    saver.note()
    await clock.advance(0)
    saver.note()
    await saver.close()
    assert.equal(seen.saved, 2)
    saver.note()
    await clock.advance(60_000)
    assert.equal(seen.saved, 2)
    assert.equal(clock.pending, 0)
  })
})
