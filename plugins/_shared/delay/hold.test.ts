import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RequestContext, RequestSlot } from '../../../src/plugin/api.ts'
import { watchLeaks } from '../../../src/testing/leak-watch.ts'
import { hold, releaseHeld } from './hold.ts'

function contextWithSlots(): RequestContext {
  const slots: unknown[] = []
  return {
    get: (slot: RequestSlot<unknown>) => slots[slot.index],
    set: (slot: RequestSlot<unknown>, value: unknown) => {
      slots[slot.index] = value
    },
  } as unknown as RequestContext
}

describe('a request that is held', () => {
  it('goes on after its time, and to be released then changes nothing', async () => {
    const context = contextWithSlots()
    assert.equal(await hold(context, 1), undefined)
    releaseHeld(context)
    releaseHeld(contextWithSlots())
  })

  it('is let go at once when its client leaves, and its timer with it', async () => {
    const watch = watchLeaks()
    const context = contextWithSlots()
    const held = watch.during(() => hold(context, 60_000))
    assert.deepEqual(watch.leftovers(), ['Timeout'])
    releaseHeld(context)
    assert.deepEqual(await held, { status: 499 })
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(watch.leftovers(), [])
    watch.stop()
  })

  it('for longer than a timer can be asked for does not go on at once', async () => {
    const context = contextWithSlots()
    const held = hold(context, 1e15)
    await new Promise((resolve) => setTimeout(resolve, 5))
    releaseHeld(context)
    assert.deepEqual(await held, { status: 499 })
  })
})
