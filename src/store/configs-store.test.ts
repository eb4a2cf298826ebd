import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import { ReadOnlyStoreError, StoreUnavailableError } from './config-store.ts'
import { type Configs, ConfigsStore } from './configs-store.ts'

function open(t: TestContext): ConfigsStore {
  const store = new ConfigsStore({ logger: createLogger('silent') })
  t.after(() => store.close())
  return store
}

/** Routes by id and value; versions and indexes do not matter to the store. */
function configs(routes: Record<string, string>, digest = 'd'): Configs {
  const entries = Object.entries(routes).map(([id, value]) => ({
    key: `/apisix/routes/${id}`,
    value,
    index: 1,
    isIndexed: false,
  }))
  return { digest, lastModified: 1, lists: new Map([['routes', { version: 1, entries }]]) }
}

describe('ConfigsStore', () => {
  it('begins empty and without a digest', async (t) => {
    const store = open(t)
    assert.deepEqual(await store.list('/'), { items: [], revision: 1 })
    assert.equal(store.configs.digest, undefined)
    assert.equal(store.configs.lists.size, 0)
  })

  it('replaces everything in one revision; what has the same value keeps its own', async (t) => {
    const store = open(t)
    await store.replace(configs({ kept: '1', changed: '1', gone: '1' }))
    const seen = record(store, '/apisix/', 3)
    await store.replace(configs({ added: '1', changed: '2', kept: '1' }))
    await eventually('the change', () => seen.events.length === 3)
    assert.deepEqual(seen.events.map(brief), [
      'put /apisix/routes/added=1',
      'put /apisix/routes/changed=2',
      'delete /apisix/routes/gone',
    ])
    assert.deepEqual(seen.revisions, [3])
    assert.deepEqual(
      (await store.list('/')).items.map(({ key, createRevision, modRevision }) => [
        key.slice('/apisix/routes/'.length),
        createRevision,
        modRevision,
      ]),
      [
        ['added', 3, 3],
        ['changed', 2, 3],
        ['kept', 2, 2],
      ],
    )
  })

  it('shows the old configuration until the new one is complete', async (t) => {
    const store = open(t)
    await store.replace(configs({ a: 'old', b: 'old' }))
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`r${i}`, `"${i}"`]))
    let isDone = false
    const replacing = store.replace(configs({ ...many, a: 'new' }, 'next')).then(() => {
      isDone = true
    })
    let looks = 0
    while (!isDone) {
      const { revision, items } = await store.list('/')
      assert.equal(items.length, revision === 2 ? 2 : 50_001)
      assert.equal(store.configs.digest, revision === 2 ? 'd' : 'next')
      looks++
      await new Promise((resolve) => setImmediate(resolve))
    }
    await replacing
    assert.ok(looks > 0)
  })

  it('raises no revision for a configuration that is the same, but takes its digest', async (t) => {
    const store = open(t)
    await store.replace(configs({ a: '1' }, 'one'))
    await store.replace(configs({ a: '1' }, 'two'))
    assert.equal((await store.list('/')).revision, 2)
    assert.equal(store.configs.digest, 'two')
  })

  it('changes nothing when a key cannot be one', async (t) => {
    const store = open(t)
    await store.replace(configs({ a: '1' }))
    await assert.rejects(store.replace(configs({ b: '1', ['x'.repeat(2000)]: '1' }, 'bad')), RangeError)
    assert.deepEqual(
      (await store.list('/')).items.map(({ key }) => key),
      ['/apisix/routes/a'],
    )
    assert.equal(store.configs.digest, 'd')
    await store.replace(configs({ b: '1' }))
    assert.equal((await store.get('/apisix/routes/b'))?.value, '1')
  })

  it('takes one configuration at a time, and none by single items', async (t) => {
    const store = open(t)
    const first = store.replace(configs({ a: '1' }))
    await assert.rejects(store.replace(configs({ b: '1' })), /another configuration/)
    await first
    for (const write of [store.put(), store.delete(), store.deletePrefix(), store.grantLease()]) {
      await assert.rejects(write, ReadOnlyStoreError)
    }
  })

  it('ends its watches when closed, and tells a watch that is ahead', async (t) => {
    const store = open(t)
    const ahead = record(store, '/', 9)
    await eventually('the end', () => ahead.ends.length === 1)
    assert.equal(ahead.ends[0]?.reason, 'rolled-back')
    const seen = record(store, '/', 2)
    await store.close()
    assert.deepEqual(seen.ends, [{ reason: 'closed' }])
    await assert.rejects(store.list('/'), StoreUnavailableError)
    await assert.rejects(store.replace(configs({})), StoreUnavailableError)
  })
})
