import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { Comparison } from './comparison.ts'
import type { Listing, StoredItem } from './config-store.ts'
import { KnownItems } from './known-items.ts'

const item = (key: string, modRevision: number): StoredItem => ({
  ...{ key, value: `v${modRevision}`, createRevision: 1, modRevision },
})

/** A store of which `/a` and `/b` are known as they are. */
function stage(t: TestContext, { tookMs = 0 } = {}) {
  const clock = fakeClock()
  const known = new KnownItems()
  let items: readonly StoredItem[] = [item('/a', 1), item('/b', 2)]
  known.load({ items, revision: 2 })
  const seen = { lists: 0, losses: [] as number[], isDown: false }
  const list = async (): Promise<Listing> => {
    seen.lists++
    if (seen.isDown) throw new Error('down')
    await new Promise<void>((resolve) => clock.schedule(tookMs, resolve))
    return { items, revision: 9 }
  }
  const comparison = new Comparison({
    ...{ clock, known, list, intervalMs: 20_000, random: () => 1 },
    onLoss: (count) => seen.losses.push(count),
  })
  t.after(() => comparison.stop())
  const holds = (...all: StoredItem[]) => {
    items = all
  }
  return { clock, known, seen, holds, comparison }
}

describe('comparing what a watch has told', () => {
  const losses: Record<string, readonly StoredItem[]> = {
    'a change': [item('/a', 1), item('/b', 5)],
    'a new item': [item('/a', 1), item('/b', 2), item('/c', 4)],
    'a delete': [item('/a', 1)],
  }
  for (const [what, now] of Object.entries(losses)) {
    it(`finds that it has lost ${what}, some seconds after it saw it first`, async (t) => {
      const { clock, seen, holds } = stage(t)
      await clock.advance(20_000)
      assert.equal(seen.lists, 1)
      holds(...now)
      await clock.advance(20_000)
      assert.deepEqual([seen.lists, seen.losses], [2, []])
      await clock.advance(2000)
      assert.deepEqual(seen.losses, [1])
      assert.equal(clock.pending, 0)
    })
  }

  it('takes for no loss what was only on its way, nor what changes all the time', async (t) => {
    const { clock, known, seen, holds } = stage(t)
    await clock.advance(18_000)
    for (let revision = 10; revision < 20; revision++) {
      holds(item('/a', revision), item('/b', 2))
      await clock.advance(2000)
      known.apply([{ type: 'put', item: item('/a', revision) }])
    }
    assert.equal(seen.lists, 10)
    await clock.advance(20_000)
    assert.deepEqual(seen.losses, [])
  })

  it('goes on after a failure, and not after its end', async (t) => {
    const { clock, seen, comparison } = stage(t)
    seen.isDown = true
    await clock.advance(40_000)
    assert.equal(seen.lists, 2)
    comparison.stop()
    await clock.advance(100_000)
    assert.equal(seen.lists, 2)
  })

  it('takes half a percent of the time at most', async (t) => {
    const { clock, seen } = stage(t, { tookMs: 500 })
    await clock.advance(20_500 + 99_000)
    assert.equal(seen.lists, 1)
    await clock.advance(1500)
    assert.equal(seen.lists, 2)
  })
})
