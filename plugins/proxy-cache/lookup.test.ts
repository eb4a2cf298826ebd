import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { RequestContext } from '../../src/plugin/api.ts'
import type { CacheStore, Stored } from '../_shared/cache/cache-store.ts'
import { MemoryStore } from '../_shared/cache/memory-store.ts'
import { addressOf, headOf, keep } from '../_shared/cache/store-contract.ts'
import { Flights } from './flights.ts'
import { RequestAddress } from './key.ts'
import { Lookup } from './lookup.ts'
import type { CacheRules } from './rules.ts'
import { newVisit } from './visit.ts'

const CLOCK = { now: () => 0, monotonic: () => 0 }
const CONTEXT = {
  method: 'GET',
  headers: { raw: () => [], has: () => false, get: () => undefined },
  set() {},
} as unknown as RequestContext
const OWNER = {}
const VERDICT = {
  mayLookUp: true,
  mayStore: true,
  mayCollapse: true,
  isGuarded: false,
  isOnlyIfCached: false,
  status: 'MISS',
} as const

function lookupIn(store: CacheStore, waitMs = 20) {
  const flights = new Flights(CLOCK)
  const rules = { reuse: () => 'HIT' } as unknown as CacheRules
  const lookup = new Lookup({
    zone: { name: 'z', store, flights, count() {} },
    rules,
    clock: CLOCK,
    addressOf: () => new RequestAddress('k', '', CONTEXT),
    waitMs,
    purge: async () => [],
    findMs: 20,
  })
  const begin = () => {
    const visit = newVisit(OWNER, VERDICT)
    return { visit, answer: Promise.resolve(lookup.begin(visit, CONTEXT)) }
  }
  return { begin, flights }
}

/** Finds what the test says, when it says so. */
function storeThatTakesItsTime() {
  let finish: (stored: Stored | undefined) => void = () => {}
  const store = Object.assign(new MemoryStore({ maxBytes: 1000, maxEntries: 10 }), {
    find: () =>
      new Promise<Stored | undefined>((resolve) => {
        finish = resolve
      }),
  }) as unknown as CacheStore
  return { store, finish: (stored: Stored | undefined) => finish(stored) }
}

describe('a look-up', () => {
  // What it waits for keeps no process alive; a gateway's listeners do.
  let listener: NodeJS.Timeout
  before(() => {
    listener = setInterval(() => {}, 60_000)
  })
  after(() => clearInterval(listener))

  it('does not wait for a disk that hangs, and closes what it finds in the end', async () => {
    const { store, finish } = storeThatTakesItsTime()
    const { visit, answer } = lookupIn(store).begin()
    assert.equal(await answer, undefined)
    assert.equal(visit.status, 'MISS')
    let released = 0
    finish({ head: headOf(), bodyBytes: 0, body: () => new Uint8Array(0), release: () => void released++ })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(released, 1)
  })

  it('closes what it finds for a client that has left', async () => {
    const { store, finish } = storeThatTakesItsTime()
    const { visit, answer } = lookupIn(store).begin()
    visit.isOver = true
    let released = 0
    finish({ head: headOf(), bodyBytes: 0, body: () => new Uint8Array(0), release: () => void released++ })
    assert.equal(await answer, undefined)
    assert.equal(released, 1)
  })

  it('has nobody wait again for one that was too slow', async () => {
    const { begin, flights } = lookupIn(new MemoryStore({ maxBytes: 1000, maxEntries: 10 }))
    const leader = begin()
    await leader.answer
    assert.ok(leader.visit.flight)
    const first = begin()
    assert.equal(flights.size, 1)
    assert.equal(await first.answer, undefined)
    assert.equal(flights.size, 0)
    const next = begin()
    await next.answer
    assert.deepEqual([next.visit.flight, next.visit.hasWaited], [undefined, false])
  })

  it('finds what another one has brought', async () => {
    const store = new MemoryStore({ maxBytes: 10_000, maxEntries: 10 })
    const { begin, flights } = lookupIn(store, 5000)
    const leader = begin()
    await leader.answer
    const follower = begin()
    await keep(store, addressOf('k'), { body: 'brought' })
    flights.settle(leader.visit.flight!, 'stored')
    const reply = await follower.answer
    assert.equal(Buffer.from(reply?.body as Uint8Array).toString(), 'brought')
    assert.equal(follower.visit.status, 'HIT')
  })
})
