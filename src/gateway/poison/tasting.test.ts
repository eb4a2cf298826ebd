import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import type { StoreEvent } from '../../store/config-store.ts'
import { type Eater, Tasting } from './tasting.ts'

/** A worker that writes down what it is told: `state`, or the revision of events. */
class Diner implements Eater {
  readonly told: (string | number)[] = []
  readonly rank: number

  constructor(rank: number) {
    this.rank = rank
  }

  pushState(): void {
    this.told.push('state')
  }

  push(_events: readonly StoreEvent[], revision: number): void {
    this.told.push(revision)
  }
}

function stage() {
  const clock = fakeClock()
  const tasting = new Tasting<Diner>(clock)
  const [one, two, standby] = [new Diner(1), new Diner(1), new Diner(2)]
  const all = [one, two, standby]
  tasting.changedAll(1)
  const seat = () => {
    for (const diner of all) tasting.attach(diner)
    tasting.applied(one, 1)
    for (const diner of all) diner.told.length = 0
  }
  const event: StoreEvent = { type: 'delete', key: '/a', modRevision: 2 }
  const change = (revision: number, count = 1) => tasting.changed(Array(count).fill(event), revision)
  return { clock, tasting, one, two, standby, seat, change }
}

describe('tasting', () => {
  it('lets the first worker of a start try everything before the others get it', () => {
    const { tasting, one, two, standby } = stage()
    for (const diner of [one, two, standby]) tasting.attach(diner)
    assert.deepEqual([one.told, two.told, standby.told], [['state'], [], []])
    tasting.applied(one, 1)
    assert.deepEqual([one.told, two.told, standby.told], [['state'], ['state'], ['state']])
  })

  it('lets the standby try a change, and those that serve have it once it serves there', () => {
    const { clock, tasting, one, two, standby, seat, change } = stage()
    seat()
    change(2)
    change(3)
    assert.deepEqual([one.told, two.told, standby.told], [[], [], [2, 3]])
    tasting.applied(standby, 2)
    assert.deepEqual([one.told, two.told], [[2], [2]])
    tasting.applied(one, 9)
    assert.deepEqual(two.told, [2])
    tasting.applied(standby, 3)
    assert.deepEqual(
      [one.told, two.told],
      [
        [2, 3],
        [2, 3],
      ],
    )
    assert.equal(clock.pending, 0)
  })

  it('waits for the next worker when the taster ends, and lets that try it all', () => {
    const { tasting, one, two, standby, seat, change } = stage()
    seat()
    change(2)
    tasting.detach(standby)
    change(3)
    assert.deepEqual([one.told, two.told], [[], []])
    const next = new Diner(0)
    tasting.attach(next)
    assert.deepEqual(next.told, ['state'])
    tasting.applied(next, 3)
    assert.deepEqual(
      [one.told, two.told],
      [
        [2, 3],
        [2, 3],
      ],
    )
  })

  it('has the next one try the first state when the first one ends over it', () => {
    const { tasting, one, two } = stage()
    tasting.attach(one)
    tasting.attach(two)
    tasting.detach(one)
    assert.deepEqual(two.told, ['state'])
  })

  it('goes on with one that serves when no other one comes, and without approval when none is given', async () => {
    const { clock, tasting, one, two, standby, seat, change } = stage()
    seat()
    change(2)
    tasting.detach(standby)
    await clock.advance(20_000)
    assert.deepEqual([one.told, two.told], [[2], []])
    await clock.advance(20_000)
    assert.deepEqual([one.told, two.told], [[2], [2]])
    assert.equal(clock.pending, 0)
  })

  it('tells the state instead of more than may be held', () => {
    const { tasting, one, standby, seat, change } = stage()
    seat()
    change(2, 20_001)
    change(3)
    tasting.applied(standby, 2)
    assert.deepEqual([one.told, standby.told], [['state'], ['state', 3]])
  })

  it('tells everyone at once that the store went back, and holds nothing of before', () => {
    const { clock, tasting, one, standby, seat, change } = stage()
    seat()
    change(5)
    tasting.changedAll(2)
    assert.deepEqual([one.told, standby.told], [['state'], [5, 'state']])
    assert.equal(clock.pending, 0)
  })
})
