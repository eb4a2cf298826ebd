import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { linkPair } from '../../test/support/channel-pair.ts'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import type { ConfigStore, StoredItem, StoreEvent } from '../store/config-store.ts'
import { type FollowListener, followStore } from '../store/follow.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { RelayStore } from '../store/relay-store.ts'
import { storeContract } from '../store/store-contract.ts'
import { feedStore, StoreFeed } from './store-feed.ts'

const logger = createLogger('silent')
const DEAF: FollowListener = { onState: () => undefined, onEvents: () => undefined }

/** What a worker reads of a store that the primary process writes; a write is over when the worker has heard of it. */
async function openRelayed(t: TestContext): Promise<ConfigStore> {
  const origin = new MemoryStore({ logger })
  const relay = new RelayStore({ logger })
  const feed = new StoreFeed()
  const { primary, worker } = linkPair()
  feedStore(worker, relay)
  feed.attach(primary)
  const following = followStore({ store: origin, prefix: '', listener: feed.listener(DEAF), logger })
  const close = async () => {
    await following.close()
    await Promise.all([origin.close(), relay.close()])
  }
  t.after(close)
  await relay.list('')
  const told = async <T extends { readonly revision: number }>(write: Promise<T>): Promise<T> => {
    const result = await write
    const seen = async () => (await relay.list('')).revision >= result.revision
    await eventually('the worker is told', seen)
    return result
  }
  return {
    name: 'relayed',
    isReadOnly: false,
    list: (prefix) => relay.list(prefix),
    get: (key) => relay.get(key),
    watch: (prefix, fromRevision, sink) => relay.watch(prefix, fromRevision, sink),
    put: (...of) => told(origin.put(...of)),
    delete: (...of) => told(origin.delete(...of)),
    deletePrefix: (prefix) => told(origin.deletePrefix(prefix)),
    grantLease: async (ttlSeconds) => {
      const lease = await origin.grantLease(ttlSeconds)
      const revoke = async () => {
        await lease.revoke()
        await told(origin.list(''))
      }
      return { id: lease.id, keepAlive: () => lease.keepAlive(), revoke }
    },
    close,
  }
}

storeContract('relayed', openRelayed)

const item = (key: string, revision: number, value = 'v'): StoredItem => ({
  key,
  value,
  createRevision: revision,
  modRevision: revision,
})
const put = (key: string, revision: number): StoreEvent => ({ type: 'put', item: item(key, revision) })

function stage() {
  const feed = new StoreFeed()
  const relay = new RelayStore({ logger })
  const { primary, worker, close } = linkPair()
  feedStore(worker, relay)
  return { listener: feed.listener(DEAF), attach: () => feed.attach(primary), relay, close, primary }
}

interface Comer extends ReturnType<typeof linkPair> {
  readonly relay: RelayStore
  attach(): void
}

const keysOf = async (relay: RelayStore) => (await relay.list('/')).items.map(({ key }) => key)

describe('what a worker is told of the store', () => {
  it('tells a worker everything again when it could not take something in, so that it never misses a change', async () => {
    for (const failures of [1, 2]) {
      const { listener, attach, relay } = stage()
      attach()
      listener.onState({ items: [item('/a', 1)], revision: 1 })
      await eventually('the state', async () => (await relay.list('')).revision === 1)
      let left = failures
      const apply = relay.apply.bind(relay)
      const replace = relay.replace.bind(relay)
      const failing = <A extends unknown[]>(act: (...of: A) => void) => {
        return (...of: A) => {
          if (left-- > 0) throw new Error('not this time')
          act(...of)
        }
      }
      Object.assign(relay, { apply: failing(apply), replace: failing(replace) })
      listener.onEvents([put('/b', 2)], 2, 'watch')
      if (failures === 1)
        await eventually('the change', async () => (await relay.get('/b')) !== undefined, 5000)
      else await eventually('both failures', () => left <= 0)
      listener.onEvents([put('/c', 3)], 3, 'watch')
      await eventually('the next change', async () => (await relay.get('/c')) !== undefined, 5000)
      assert.equal((await relay.get('/b'))?.value, 'v')
    }
  })

  it('is whole, however much it is, whether it comes before or after the first state', async () => {
    const { listener, attach, relay } = stage()
    attach()
    const items = Array.from({ length: 1201 }, (_, index) => item(`/${index}`, 1))
    listener.onState({ items, revision: 1 })
    assert.equal((await relay.list('/')).items.length, 1201)
    listener.onEvents(
      items.map(({ key }) => put(key, 2)),
      2,
      'watch',
    )
    await eventually('all events', async () => (await relay.list('/')).revision === 2)
    assert.ok((await relay.list('/')).items.every(({ modRevision }) => modRevision === 2))
  })

  it('is never the middle of a revision, although it comes in parts', async () => {
    const { listener, attach, relay } = stage()
    listener.onState({ items: [], revision: 1 })
    attach()
    await relay.list('/')
    const seen = record(relay, '/', 2)
    listener.onEvents(
      Array.from({ length: 1100 }, (_, index) => put(`/${index}`, 2)),
      2,
      'watch',
    )
    await eventually('all of it', () => seen.events.length > 0)
    assert.deepEqual([seen.events.length, seen.revisions], [1100, [2]])
  })

  it('goes back when the store did, and forward from there', async () => {
    const { listener, attach, relay } = stage()
    listener.onState({ items: [item('/a', 8), item('/b', 9)], revision: 9 })
    attach()
    assert.deepEqual(await keysOf(relay), ['/a', '/b'])
    const seen = record(relay, '/', 10)
    listener.onEvents([{ type: 'delete', key: '/b', modRevision: 3 }, put('/c', 3)], 3, 'rolled-back')
    await eventually('the watch ends', () => seen.ends[0]?.reason === 'rolled-back')
    assert.deepEqual(await keysOf(relay), ['/a', '/c'])
    const anew = record(relay, '/', 4)
    listener.onEvents([put('/d', 4)], 4, 'watch')
    await eventually('what follows', () => anew.events.length === 1)
    assert.deepEqual(anew.events.map(brief), ['put /d=v'])
  })

  it('is the whole state instead of more events than may wait', async () => {
    const { listener, attach, relay } = stage()
    listener.onState({ items: [], revision: 1 })
    attach()
    await relay.list('/')
    const seen = record(relay, '/', 2)
    for (let revision = 2; revision <= 20_010; revision++) {
      listener.onEvents([put(`/${revision % 10}`, revision)], revision, 'watch')
    }
    await eventually('the newest', async () => (await relay.list('/')).revision === 20_010)
    assert.ok(seen.events.length < 20, `${seen.events.length} events`)
    assert.equal((await keysOf(relay)).length, 10)
  })

  it('never goes back for one that comes while a change is tried by another', async () => {
    const feed = new StoreFeed()
    const listener = feed.listener(DEAF)
    listener.onState({ items: [item('/a', 1)], revision: 1 })
    const [first, second, third] = [1, 2, 3].map(() => {
      const pair = linkPair()
      const relay = new RelayStore({ logger })
      feedStore(pair.worker, relay)
      return { ...pair, relay, attach: () => feed.attach(pair.primary) }
    }) as [Comer, Comer, Comer]
    first.attach()
    feed.applied(first.primary, 1)
    second.attach()
    await second.relay.list('/')
    listener.onEvents([put('/a', 2)], 2, 'watch')
    third.attach()
    for (const revision of [3, 4]) listener.onEvents([put('/a', revision)], revision, 'watch')
    await eventually('the first one has it', async () => (await first.relay.list('/')).revision === 4)
    assert.equal((await second.relay.list('/')).revision, 1)
    feed.applied(first.primary, 2)
    await eventually('the third one has the state', async () => (await third.relay.list('/')).revision === 4)
    const told: number[] = []
    const apply = third.relay.apply.bind(third.relay)
    third.relay.apply = (events, revision) => {
      told.push(revision)
      apply(events, revision)
    }
    feed.applied(first.primary, 4)
    await eventually('the second one has it', async () => (await second.relay.list('/')).revision === 4)
    listener.onEvents([put('/b', 5)], 5, 'watch')
    feed.applied(first.primary, 5)
    await eventually('what comes later', async () => (await third.relay.list('/')).revision === 5)
    assert.deepEqual(told, [5])
  })

  it('ends with the worker', async () => {
    const { listener, attach, primary, close } = stage()
    attach()
    listener.onState({ items: [item('/a', 1)], revision: 1 })
    close()
    listener.onEvents([put('/b', 2)], 2, 'watch')
    assert.equal(primary.outstanding, 0)
  })
})
