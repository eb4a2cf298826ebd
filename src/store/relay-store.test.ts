import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import { ReadOnlyStoreError, type StoredItem, StoreUnavailableError } from './config-store.ts'
import { RelayStore } from './relay-store.ts'

const item = (key: string, value: string, revision: number): StoredItem => ({
  key,
  value,
  createRevision: revision,
  modRevision: revision,
})

function store(): RelayStore {
  return new RelayStore({ logger: createLogger('silent') })
}

describe('the relay store', () => {
  it('lists once it has been told everything, under a prefix and in the order of keys', async () => {
    const relay = store()
    const listing = relay.list('/a/')
    relay.replace({ items: [item('/a/2', 'x', 3), item('/b/1', 'y', 2), item('/a/10', 'z', 1)], revision: 7 })
    assert.deepEqual(await listing, { items: [item('/a/10', 'z', 1), item('/a/2', 'x', 3)], revision: 7 })
    assert.equal((await relay.get('/b/1'))?.value, 'y')
    assert.equal(await relay.get('/b/2'), undefined)
  })

  it('tells watches what is applied, in whole revisions, and replays it to those that come later', async () => {
    const relay = store()
    relay.replace({ items: [item('/a/1', 'x', 1)], revision: 1 })
    const seen = record(relay, '/a/', 2)
    relay.apply([{ type: 'put', item: item('/a/2', 'y', 2) }], 2)
    relay.apply([{ type: 'delete', key: '/a/1', modRevision: 3 }], 3)
    await eventually('both', () => seen.events.length === 2)
    assert.deepEqual(seen.events.map(brief), ['put /a/2=y', 'delete /a/1'])
    const later = record(relay, '/a/', 3)
    await eventually('the replay', () => later.events.length === 1)
    assert.deepEqual(
      (await relay.list('/a/')).items.map(({ key }) => key),
      ['/a/2'],
    )
  })

  it('tells the difference when it is told everything again', async () => {
    const relay = store()
    relay.replace({ items: [item('/a/1', 'x', 1), item('/a/2', 'y', 2)], revision: 2 })
    const seen = record(relay, '/a/', 3)
    relay.replace({ items: [item('/a/2', 'y', 2), item('/a/3', 'z', 5)], revision: 6 })
    await eventually('both', () => seen.events.length === 2)
    assert.deepEqual(seen.events.map(brief), ['put /a/3=z', 'delete /a/1'])
    assert.deepEqual(seen.revisions, [6])
  })

  it('ends its watches when the store went back in time', async () => {
    const relay = store()
    relay.replace({ items: [item('/a/1', 'x', 8)], revision: 8 })
    const seen = record(relay, '/a/', 9)
    relay.replace({ items: [item('/a/1', 'old', 2)], revision: 3 })
    await eventually('the end', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'rolled-back')
    assert.equal((await relay.list('/a/')).revision, 3)
    const anew = record(relay, '/a/', 4)
    relay.apply([{ type: 'put', item: item('/a/1', 'new', 4) }], 4)
    await eventually('what follows', () => anew.events.length === 1)
  })

  it('takes no writes', async () => {
    const relay = store()
    for (const write of [relay.put(), relay.delete(), relay.deletePrefix(), relay.grantLease()]) {
      await assert.rejects(write, ReadOnlyStoreError)
    }
  })

  it('refuses everything once closed, lists that wait among it', async () => {
    const relay = store()
    const waiting = relay.list('/')
    const refused = assert.rejects(waiting, StoreUnavailableError)
    await Promise.all([relay.close(), relay.close()])
    await refused
    await assert.rejects(relay.get('/a'), StoreUnavailableError)
    const seen = record(relay, '/', 1)
    await eventually('the end', () => seen.ends.length === 1)
    assert.deepEqual(seen.ends, [{ reason: 'closed' }])
  })
})
