import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { brief } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import {
  type ConfigStore,
  type Listing,
  type StoreEvent,
  StoreUnavailableError,
  type WatchSink,
} from './config-store.ts'
import { type EventOrigin, type FollowOptions, type FollowStatus, followStore } from './follow.ts'
import { MemoryStore } from './memory-store.ts'

const logger = createLogger('silent')

interface OpenWatch {
  readonly fromRevision: number
  readonly sink: WatchSink
  isClosed: boolean
}

/** A store whose lists and watches do what a test says. */
class FaultyStore implements Pick<ConfigStore, 'list' | 'watch'> {
  listing: Listing = listingOf(1, {})
  listFailure: string | undefined
  lists = 0
  readonly watches: OpenWatch[] = []

  async list(): Promise<Listing> {
    this.lists++
    if (this.listFailure !== undefined) throw new StoreUnavailableError(this.listFailure)
    return this.listing
  }

  watch(_prefix: string, fromRevision: number, sink: WatchSink) {
    const watch: OpenWatch = { fromRevision, sink, isClosed: false }
    this.watches.push(watch)
    return {
      close: async () => {
        watch.isClosed = true
      },
    }
  }

  get watching(): OpenWatch {
    const watch = this.watches.at(-1)
    assert.ok(watch, 'no watch was opened')
    return watch
  }

  put(key: string, modRevision: number): void {
    this.watching.sink.onEvents([putOf(key, 'v', modRevision)], modRevision)
  }
}

function putOf(key: string, value: string, modRevision: number): StoreEvent {
  return { type: 'put', item: { key, value, createRevision: modRevision, modRevision } }
}

/** Items as key → [value, mod revision]. */
function listingOf(revision: number, items: Record<string, readonly [string, number]>): Listing {
  return {
    revision,
    items: Object.entries(items).map(([key, [value, modRevision]]) => ({
      key,
      value,
      createRevision: modRevision,
      modRevision,
    })),
  }
}

interface Told {
  readonly states: Listing[]
  readonly batches: { events: string[]; revision: number; origin: EventOrigin }[]
  readonly statuses: FollowStatus[]
}

/** Follows with a clock that stands still and no jitter: each wait is as long as its bound. */
function follow(
  t: TestContext,
  store: Pick<ConfigStore, 'list' | 'watch'>,
  options: Partial<FollowOptions> = {},
) {
  const clock = fakeClock()
  const told: Told = { states: [], batches: [], statuses: [] }
  const following = followStore({
    store: store as ConfigStore,
    prefix: '/',
    logger,
    clock,
    random: () => 1,
    wallNowMs: () => clock.nowMs(),
    resyncIntervalMs: 0,
    listener: {
      onState: (listing) => told.states.push(listing),
      onEvents: (events, revision, origin) =>
        told.batches.push({ events: events.map(brief), revision, origin }),
      onStatus: (status) => told.statuses.push(status),
    },
    ...options,
  })
  t.after(() => following.close())
  return { clock, told, following }
}

describe('followStore', () => {
  it('tells the whole state first and then what changes', async (t) => {
    const store = new MemoryStore({ logger })
    t.after(() => store.close())
    await store.put('/a', '1')
    const { clock, told, following } = follow(t, store)
    await clock.advance(0)
    await store.put('/b', '2')
    await store.delete('/a')
    await clock.advance(0)
    assert.deepEqual(
      told.states.map((state) => state.items.map((item) => item.key)),
      [['/a']],
    )
    assert.deepEqual(
      told.batches.flatMap((batch) => batch.events),
      ['put /b=2', 'delete /a'],
    )
    assert.deepEqual(
      told.batches.map((batch) => batch.origin),
      ['watch', 'watch'],
    )
    assert.equal(following.status().revision, 4)
    assert.equal(following.status().isConnected, true)
  })

  it('resumes after the last delivered event, without a new list', async (t) => {
    const store = new FaultyStore()
    const { clock, told, following } = follow(t, store)
    await clock.advance(0)
    assert.equal(store.watching.fromRevision, 2)
    store.put('/a', 7)
    store.watching.sink.onEnd({ reason: 'disconnected', message: 'cut' })
    await clock.advance(0)
    assert.equal(following.status().isConnected, false)
    assert.equal(following.status().lastError?.message, 'cut')
    await clock.advance(200)
    assert.equal(store.lists, 1)
    assert.equal(store.watching.fromRevision, 8)
    store.put('/a', 9)
    assert.deepEqual(
      told.batches.map((batch) => batch.revision),
      [7, 9],
    )
    assert.equal(following.status().isConnected, true)
  })

  it('drops events it has delivered already', async (t) => {
    const store = new FaultyStore()
    const { clock, told } = follow(t, store)
    await clock.advance(0)
    store.put('/a', 7)
    store.watching.sink.onEvents([putOf('/a', 'v', 7), putOf('/b', 'v', 8)], 8)
    store.watching.sink.onEvents([putOf('/b', 'v', 8)], 8)
    assert.deepEqual(
      told.batches.map((batch) => batch.events),
      [['put /a=v'], ['put /b=v']],
    )
  })

  it('lists again after a compaction and tells the differences, deletes included', async (t) => {
    const store = new FaultyStore()
    store.listing = listingOf(5, { '/gone': ['x', 2], '/kept': ['x', 3], '/changed': ['x', 4] })
    const { clock, told, following } = follow(t, store)
    await clock.advance(0)
    store.listing = listingOf(50, { '/changed': ['y', 40], '/kept': ['x', 3], '/new': ['z', 41] })
    store.watching.sink.onEnd({ reason: 'compacted', message: 'gone' })
    await clock.advance(200)
    assert.equal(told.states.length, 1)
    assert.deepEqual(told.batches, [
      { events: ['put /changed=y', 'put /new=z', 'delete /gone'], revision: 50, origin: 'relist' },
    ])
    assert.equal(store.watching.fromRevision, 51)
    assert.equal(following.status().rolledBack, undefined)
  })

  it('says so when the store went back in time, and follows it there', async (t) => {
    const store = new FaultyStore()
    store.listing = listingOf(90, { '/a': ['x', 80], '/b': ['x', 90] })
    const { clock, told, following } = follow(t, store)
    await clock.advance(0)
    store.listing = listingOf(3, { '/a': ['old', 2] })
    store.watching.sink.onEnd({ reason: 'rolled-back', message: 'behind' })
    await clock.advance(200)
    assert.deepEqual(told.batches, [
      { events: ['put /a=old', 'delete /b'], revision: 3, origin: 'rolled-back' },
    ])
    assert.deepEqual(following.status().rolledBack, { fromRevision: 90, toRevision: 3, atMs: 200 })
    assert.equal(store.watching.fromRevision, 4)
    store.put('/c', 4)
    assert.equal(told.batches.at(-1)?.origin, 'watch')
  })

  it('says so when the store is another one, even if its revisions are higher', async (t) => {
    const store = new FaultyStore()
    store.listing = { ...listingOf(9, { '/a': ['other', 2] }), source: 'new' }
    const startFrom = { ...listingOf(5, { '/a': ['old', 2], '/b': ['old', 3] }), source: 'old' }
    const { told, following, clock } = follow(t, store, { startFrom })
    await clock.advance(0)
    assert.deepEqual(
      told.batches.map(({ revision, origin }) => [revision, origin]),
      [[9, 'rolled-back']],
    )
    assert.equal(following.status().rolledBack?.fromRevision, 5)
    assert.equal(following.status().source, 'new')
  })

  it('lists again when events of a lower revision arrive', async (t) => {
    const store = new FaultyStore()
    const { clock, following } = follow(t, store)
    await clock.advance(0)
    store.put('/a', 70)
    store.listing = listingOf(6, {})
    store.put('/a', 5)
    await clock.advance(200)
    assert.equal(store.lists, 2)
    assert.equal(following.status().rolledBack?.fromRevision, 70)
  })

  it('compares everything from time to time, even values whose revisions look the same', async (t) => {
    const store = new FaultyStore()
    store.listing = listingOf(5, { '/a': ['one', 5], '/b': ['same', 4] })
    const { clock, told } = follow(t, store, { resyncIntervalMs: 60_000 })
    await clock.advance(59_999)
    assert.equal(store.lists, 1)
    store.listing = listingOf(5, { '/a': ['two', 5], '/b': ['same', 4] })
    await clock.advance(1)
    await clock.advance(0)
    assert.deepEqual(told.batches, [{ events: ['put /a=two'], revision: 5, origin: 'relist' }])
    assert.equal(store.watches.length, 2)
    assert.equal(store.watches[0]?.isClosed, true)
  })

  it('goes on watching when the comparing list fails', async (t) => {
    const store = new FaultyStore()
    const { clock, told } = follow(t, store, { resyncIntervalMs: 60_000 })
    await clock.advance(0)
    store.listFailure = 'down'
    await clock.advance(60_000)
    await clock.advance(0)
    assert.equal(store.watches.length, 2)
    store.put('/a', 9)
    assert.equal(told.batches.length, 1)
  })

  it('waits longer and longer while the store is away, up to a bound', async (t) => {
    const store = new FaultyStore()
    store.listFailure = 'down'
    const { clock, told, following } = follow(t, store)
    const seenAtMs: number[] = []
    let known = 0
    for (let ms = 0; ms <= 6000; ms += 100) {
      await clock.advance(ms === 0 ? 0 : 100)
      if (store.lists > known) seenAtMs.push(ms)
      known = store.lists
    }
    assert.deepEqual(seenAtMs, [0, 200, 600, 1400, 2400, 3400, 4400, 5400])
    assert.equal(following.status().isReachable, false)
    assert.equal(told.statuses.length, 1, 'the same failure is told once')
    store.listFailure = undefined
    await clock.advance(1000)
    assert.equal(told.states.length, 1)
    assert.equal(following.status().isReachable, true)
    assert.equal(following.status().lastError?.message, 'down')
  })

  it('spreads its waits over the whole bound', async (t) => {
    const store = new FaultyStore()
    store.listFailure = 'down'
    const { clock } = follow(t, store, { random: () => 0.25 })
    await clock.advance(49)
    assert.equal(store.lists, 1)
    await clock.advance(1)
    await clock.advance(0)
    assert.equal(store.lists, 2)
  })

  it('does not spin when each list is followed by a compaction', async (t) => {
    const store = new FaultyStore()
    const { clock } = follow(t, store)
    for (let ms = 0; ms < 10_000; ms += 50) {
      await clock.advance(50)
      if (!store.watching.isClosed) store.watching.sink.onEnd({ reason: 'compacted', message: 'gone' })
    }
    assert.ok(store.lists < 10, `${store.lists} lists`)
  })

  it('ignores what an old watch says late', async (t) => {
    const store = new FaultyStore()
    const { clock, told } = follow(t, store)
    await clock.advance(0)
    const old = store.watching
    old.sink.onEnd({ reason: 'disconnected', message: 'cut' })
    await clock.advance(200)
    old.sink.onEvents([putOf('/late', 'v', 5)], 5)
    old.sink.onEnd({ reason: 'compacted', message: 'late' })
    await clock.advance(1000)
    assert.deepEqual(told.batches, [])
    assert.deepEqual([store.lists, store.watches.length], [1, 2])
  })

  it('goes on when the listener throws', async (t) => {
    const store = new FaultyStore()
    let calls = 0
    const fail = () => {
      calls++
      throw new Error('the listener is broken')
    }
    const { clock, following } = follow(t, store, {
      listener: { onState: fail, onEvents: fail, onStatus: fail },
    })
    await clock.advance(0)
    store.put('/a', 7)
    store.put('/b', 8)
    assert.ok(calls >= 3)
    assert.equal(following.status().revision, 8)
  })

  it('starts from a saved state with events instead of a state', async (t) => {
    const store = new FaultyStore()
    store.listing = listingOf(9, { '/a': ['x', 2], '/b': ['x', 9] })
    const { clock, told } = follow(t, store, {
      startFrom: listingOf(4, { '/a': ['x', 2], '/gone': ['x', 3] }),
    })
    await clock.advance(0)
    assert.deepEqual(told.states, [])
    assert.deepEqual(told.batches, [{ events: ['put /b=x', 'delete /gone'], revision: 9, origin: 'relist' }])
  })

  it('says nothing after a close and leaves no timer behind', async (t) => {
    const store = new FaultyStore()
    const { clock, told, following } = follow(t, store, { resyncIntervalMs: 60_000 })
    await clock.advance(0)
    const { sink } = store.watching
    await following.close()
    await following.close()
    sink.onEvents([putOf('/a', 'v', 9)], 9)
    await clock.advance(100_000)
    assert.equal(store.watching.isClosed, true)
    assert.deepEqual(told.batches, [])
    assert.equal(clock.pending, 0)
    assert.equal(store.lists, 1)
  })

  it('ends when the store is closed under it', async (t) => {
    const store = new MemoryStore({ logger })
    const { clock, following } = follow(t, store)
    await clock.advance(0)
    await store.close()
    await clock.advance(60_000)
    assert.equal(following.status().isConnected, false)
    assert.equal(following.status().lastError?.message, 'the store was closed')
    assert.equal(clock.pending, 0)
  })
})
