import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brief } from '../../../test/support/watch-recording.ts'
import { createLogger } from '../../observe/logger.ts'
import type { Listing, StoreEvent } from '../config-store.ts'
import type { EventOrigin, FollowStatus } from '../follow.ts'
import { LastGoodKeeper, type SavedListing } from './keeper.ts'

const AWAY: FollowStatus = { isConnected: false, isReachable: false, sinceMs: 0, revision: 0 }
const FAILED: FollowStatus = { ...AWAY, lastError: { message: 'refused', atMs: 0 } }

function route(id: number, modRevision = 1, value = 'v') {
  return { key: `/apisix/routes/${id}`, value, createRevision: 1, modRevision }
}

function put(id: number, modRevision: number): StoreEvent {
  return { type: 'put', item: route(id, modRevision) }
}

function gone(id: number, modRevision: number): StoreEvent {
  return { type: 'delete', key: `/apisix/routes/${id}`, modRevision }
}

function listing(revision: number, ...ids: number[]): Listing {
  return { revision, items: ids.map((id) => route(id)), source: 'one' }
}

function start(saved?: SavedListing, holdAbove = 0.5) {
  const logger = createLogger('silent')
  const warned: object[] = []
  logger.warn = (facts: object) => void warned.push(facts)
  const told: (string | readonly string[])[] = []
  const origins: EventOrigin[] = []
  let served = 0
  const keeper = new LastGoodKeeper({
    prefix: '/apisix/',
    saved,
    holdAbove,
    logger,
    wallNowMs: () => 5000,
    onServed: () => served++,
    listener: {
      onState: ({ items, revision }) => told.push(`state ${revision}: ${items.length}`),
      onEvents: (events, revision, origin) => {
        origins.push(origin)
        told.push([String(revision), ...events.map(brief)])
      },
    },
  })
  return { keeper, told, origins, warned, saves: () => served }
}

const SAVED: SavedListing = { listing: listing(9, 1, 2, 3, 4), savedAtMs: 1000, generation: 'current' }

describe('LastGoodKeeper', () => {
  it('passes on what the store tells, and knows what serves', () => {
    const { keeper, told, saves } = start()
    keeper.onStatus({ ...AWAY, isReachable: true, source: 'one' })
    keeper.onState(listing(3, 1, 2))
    keeper.onEvents([put(3, 4), gone(1, 5)], 5, 'watch')
    assert.deepEqual(told, ['state 3: 2', ['5', brief(put(3, 4)), brief(gone(1, 5))]])
    assert.deepEqual(
      keeper.serving.items.map(({ key }) => key),
      ['/apisix/routes/2', '/apisix/routes/3'],
    )
    assert.deepEqual([keeper.serving.revision, keeper.serving.source, saves()], [5, 'one', 2])
  })

  it('says how old what serves from disk is, never less than nothing when the clock went back', () => {
    for (const [savedAtMs, ageSeconds] of [
      [1000, 4],
      [3_600_000, 0],
    ] as const) {
      const { keeper, warned } = start({ ...SAVED, savedAtMs })
      keeper.onStatus(FAILED)
      assert.deepEqual(warned, [
        { reason: 'refused', revision: 9, ageSeconds, generation: 'current', items: 4 },
      ])
    }
  })

  it('serves from disk when the store fails, and hands over to the store by differences', () => {
    const { keeper, told, saves } = start(SAVED)
    assert.deepEqual(told, [])
    keeper.onStatus(FAILED)
    assert.deepEqual(told, ['state 9: 4'])
    assert.equal(keeper.fromDisk?.listing.revision, 9)
    assert.equal(saves(), 0)
    keeper.onStatus({ ...AWAY, isReachable: true, source: 'one' })
    assert.equal(keeper.fromDisk, undefined)
    keeper.onEvents([put(5, 12)], 12, 'relist')
    assert.deepEqual(told, ['state 9: 4', ['12', brief(put(5, 12))]])
  })

  it('serves from disk once, when it is told to and when the store fails', () => {
    const { keeper, told } = start(SAVED)
    keeper.serveFromDisk('too slow')
    keeper.onStatus(FAILED)
    assert.deepEqual(told, ['state 9: 4'])
  })

  it('says nothing of the disk when the store answers first', () => {
    const { keeper, told } = start(SAVED)
    keeper.onStatus({ ...AWAY, isReachable: true })
    assert.equal(keeper.fromDisk, undefined)
    assert.deepEqual(told, ['state 9: 4'])
    keeper.serveFromDisk('too slow')
    assert.equal(keeper.fromDisk, undefined)
  })

  it('follows a store that went back in time as long as half of the routes stay', () => {
    const { keeper, told, origins } = start(SAVED)
    keeper.onStatus(FAILED)
    keeper.onEvents([gone(1, 3), gone(2, 3)], 3, 'rolled-back')
    assert.equal(keeper.held, undefined)
    assert.deepEqual(told.at(-1), ['3', brief(gone(1, 3)), brief(gone(2, 3))])
    assert.deepEqual(origins, ['rolled-back'])
  })

  it('holds it back when more would vanish, and whatever comes after it', () => {
    const { keeper, told, saves } = start(SAVED)
    keeper.onStatus(FAILED)
    keeper.onEvents([gone(1, 3), gone(2, 3), gone(3, 3)], 3, 'rolled-back')
    keeper.onEvents([put(7, 4)], 4, 'watch')
    assert.deepEqual(told, ['state 9: 4'])
    assert.equal(saves(), 0)
    const { routes, vanishing, revision, sinceMs } = keeper.held!
    assert.deepEqual(
      { routes, vanishing, revision, sinceMs },
      { routes: 4, vanishing: 3, revision: 4, sinceMs: 5000 },
    )
    assert.equal(keeper.serving.revision, 9)
  })

  it('follows it when that is confirmed, with all that came meanwhile', () => {
    const { keeper, told, origins } = start(SAVED)
    keeper.onStatus(FAILED)
    assert.equal(keeper.confirm(), false)
    keeper.onEvents([gone(1, 3), gone(2, 3), gone(3, 3)], 3, 'rolled-back')
    keeper.onEvents([put(7, 4)], 4, 'watch')
    assert.equal(keeper.confirm(), true)
    assert.equal(keeper.held, undefined)
    assert.deepEqual(told.at(-1), ['4', brief(put(7, 4)), ...[1, 2, 3].map((id) => brief(gone(id, 4)))])
    assert.deepEqual(origins, ['rolled-back'])
    keeper.onEvents([put(8, 5)], 5, 'watch')
    assert.deepEqual(told.at(-1), ['5', brief(put(8, 5))])
  })

  it('follows it by itself once most of the routes are there again', () => {
    const { keeper, told } = start(SAVED)
    keeper.onStatus(FAILED)
    keeper.onEvents(
      [1, 2, 3, 4].map((id) => gone(id, 1)),
      1,
      'rolled-back',
    )
    keeper.onEvents([put(1, 2)], 2, 'watch')
    assert.ok(keeper.held)
    keeper.onEvents([put(2, 3)], 3, 'watch')
    assert.equal(keeper.held, undefined)
    assert.equal((told.at(-1) as string[])[0], '3')
    assert.deepEqual(keeper.serving.items.map(({ key }) => key).sort(), [
      '/apisix/routes/1',
      '/apisix/routes/2',
    ])
  })

  it('holds nothing back that was deleted while it watched or was away', () => {
    for (const origin of ['watch', 'relist'] as const) {
      const { keeper } = start(SAVED)
      keeper.onStatus(FAILED)
      keeper.onEvents(
        [1, 2, 3, 4].map((id) => gone(id, 12)),
        12,
        origin,
      )
      assert.equal(keeper.held, undefined)
      assert.equal(keeper.serving.items.length, 0)
    }
  })

  it('holds nothing back when it is told never to', () => {
    const { keeper } = start(SAVED, 1)
    keeper.onStatus(FAILED)
    keeper.onEvents(
      [1, 2, 3, 4].map((id) => gone(id, 2)),
      2,
      'rolled-back',
    )
    assert.equal(keeper.held, undefined)
  })
})
