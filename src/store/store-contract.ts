import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import {
  type ConfigStore,
  LeaseLostError,
  RevisionConflictError,
  StoreUnavailableError,
} from './config-store.ts'

/** Makes the store under test; registers its clean-up with `t.after`. Other tests may use the same data meanwhile. */
export type OpenStore = (t: TestContext) => Promise<ConfigStore>

interface Bench {
  readonly store: ConfigStore
  /** Unique to the test, so that stores may share one server. */
  readonly prefix: string
}

type Case = (bench: Bench) => Promise<void>

/** What every writable store owes; called once per implementation. Cases run side by side, each under a prefix of its own. */
export function storeContract(name: string, open: OpenStore): void {
  let prefixes = 0
  describe(`the ${name} store`, { concurrency: true }, () => {
    for (const [sentence, run] of Object.entries({
      ...READ_AND_WRITE,
      ...REVISIONS,
      ...LEASES,
      ...WATCHES,
    })) {
      it(sentence, async (t) => {
        prefixes++
        const prefix = `/contract-${process.pid}-${prefixes}/`
        await run({ store: await open(t), prefix })
      })
    }
  })
}

const AWKWARD_VALUES = [
  '',
  '{"uri":"/a b"}',
  'ends in a line\n',
  '\u0000\u0001\u007f',
  'ĝŭäß€ 你好 😀 👩‍👩‍👧',
  '\ufeff bom',
  '"\\',
  'x'.repeat(100_000),
]

const READ_AND_WRITE: Record<string, Case> = {
  'returns what was put': async ({ store, prefix }) => {
    const key = `${prefix}routes/1`
    assert.equal(await store.get(key), undefined)
    const { revision, createRevision } = await store.put(key, '{"uri":"/"}')
    assert.equal(createRevision, revision)
    assert.deepEqual(await store.get(key), {
      key,
      value: '{"uri":"/"}',
      createRevision: revision,
      modRevision: revision,
    })
  },
  'keeps any unicode text as a value': async ({ store, prefix }) => {
    for (const [i, value] of AWKWARD_VALUES.entries()) await store.put(`${prefix}${i}`, value)
    for (const [i, value] of AWKWARD_VALUES.entries())
      assert.equal((await store.get(`${prefix}${i}`))?.value, value)
    const { items } = await store.list(prefix)
    assert.deepEqual(
      items.map((item) => item.value),
      AWKWARD_VALUES,
    )
  },
  'takes keys that mean something to JavaScript or to a path': async ({ store, prefix }) => {
    const keys = ['__proto__', 'a/../b', 'a//b', 'constructor', 'ключ 😀', '%2F', 'tab\tkey'].map(
      (key) => prefix + key,
    )
    for (const key of keys) await store.put(key, `value of ${key}`)
    for (const key of keys) assert.equal((await store.get(key))?.value, `value of ${key}`)
    assert.deepEqual(new Set((await store.list(prefix)).items.map((item) => item.key)), new Set(keys))
  },
  'refuses keys that are empty, too long or not whole characters': async ({ store, prefix }) => {
    for (const key of ['', `${prefix}${'k'.repeat(1024)}`, `${prefix}\ud800`]) {
      await assert.rejects(store.put(key, 'v'), RangeError)
      await assert.rejects(store.get(key), RangeError)
      await assert.rejects(store.delete(key), RangeError)
    }
  },
  'lists in the byte order of keys': async ({ store, prefix }) => {
    const keys = ['10', '2', 'A', 'a', 'a/', 'a0', 'é', '\uff5e', '\u{10000}', '\u{1f600}'].map(
      (key) => prefix + key,
    )
    for (const key of [...keys].reverse()) await store.put(key, 'v')
    assert.deepEqual(
      (await store.list(prefix)).items.map((item) => item.key),
      keys,
    )
  },
  'keeps prefixes apart': async ({ store, prefix }) => {
    const keys = ['routes', 'routes/', 'routes/1', 'routes2/1', 'route', 'routes0'].map((key) => prefix + key)
    for (const key of keys) await store.put(key, 'v')
    const { items } = await store.list(`${prefix}routes/`)
    assert.deepEqual(
      items.map((item) => item.key),
      [`${prefix}routes/`, `${prefix}routes/1`],
    )
    assert.equal((await store.deletePrefix(`${prefix}routes2/`)).deleted.length, 1)
    assert.equal((await store.list(prefix)).items.length, 5)
  },
  'lists nothing under an unused prefix, at the present revision': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}a`, 'v')
    const listing = await store.list(`${prefix}nothing/`)
    assert.deepEqual(listing.items, [])
    assert.ok(listing.revision >= revision)
  },
  'deletes a key and answers what stood there': async ({ store, prefix }) => {
    const put = await store.put(`${prefix}a`, 'v')
    const gone = await store.delete(`${prefix}a`)
    assert.ok(gone.revision > put.revision)
    assert.deepEqual(
      gone.deleted.map((item) => item.value),
      ['v'],
    )
    assert.equal(await store.get(`${prefix}a`), undefined)
    assert.deepEqual((await store.delete(`${prefix}a`)).deleted, [])
  },
  'deletes a prefix in one revision': async ({ store, prefix }) => {
    for (const key of ['b', 'a', 'c']) await store.put(`${prefix}x/${key}`, key)
    const { revision } = await store.put(`${prefix}y`, 'stays')
    const seen = record(store, prefix, revision + 1)
    const gone = await store.deletePrefix(`${prefix}x/`)
    assert.deepEqual(
      gone.deleted.map((item) => item.value),
      ['a', 'b', 'c'],
    )
    await eventually('three deletes', () => seen.events.length === 3)
    assert.deepEqual(
      seen.events.map((event) => event.type === 'delete' && event.modRevision),
      [gone.revision, gone.revision, gone.revision],
    )
    assert.deepEqual(
      (await store.list(prefix)).items.map((item) => item.key),
      [`${prefix}y`],
    )
  },
  'answers many writes at once, each with a revision of its own': async ({ store, prefix }) => {
    const writes = Array.from({ length: 200 }, (_, i) => store.put(`${prefix}${i}`, String(i)))
    const revisions = (await Promise.all(writes)).map((result) => result.revision)
    assert.equal(new Set(revisions).size, 200)
    assert.equal((await store.list(prefix)).items.length, 200)
  },
  'refuses everything once closed, and closing again is no error': async ({ store, prefix }) => {
    await store.put(`${prefix}a`, 'v')
    await Promise.all([store.close(), store.close()])
    await store.close()
    await assert.rejects(store.put(`${prefix}a`, 'w'), StoreUnavailableError)
    await assert.rejects(store.get(`${prefix}a`), StoreUnavailableError)
    await assert.rejects(store.list(prefix), StoreUnavailableError)
    await assert.rejects(store.grantLease(5), StoreUnavailableError)
    const seen = record(store, prefix, 1)
    await eventually('the watch of a closed store to end', () => seen.ends.length === 1)
    assert.deepEqual(seen.ends, [{ reason: 'closed' }])
  },
}

const REVISIONS: Record<string, Case> = {
  'keeps the create revision over updates and renews it after a delete': async ({ store, prefix }) => {
    const key = `${prefix}a`
    const first = await store.put(key, '1')
    const second = await store.put(key, '2')
    assert.equal(second.createRevision, first.revision)
    assert.deepEqual(second.previous, {
      key,
      value: '1',
      createRevision: first.revision,
      modRevision: first.revision,
    })
    assert.ok(second.revision > first.revision)
    await store.delete(key)
    const third = await store.put(key, '3')
    assert.equal(third.previous, undefined)
    assert.equal(third.createRevision, third.revision)
    assert.equal((await store.get(key))?.createRevision, third.revision)
  },
  'writes only at the expected revision': async ({ store, prefix }) => {
    const key = `${prefix}a`
    const first = await store.put(key, '1')
    const second = await store.put(key, '2', { expectedRevision: first.revision })
    await assert.rejects(store.put(key, 'late', { expectedRevision: first.revision }), RevisionConflictError)
    assert.equal((await store.get(key))?.value, '2')
    assert.equal(second.createRevision, first.revision)
    assert.equal(second.previous?.value, '1')
    await assert.rejects(store.put(`${prefix}absent`, 'x', { expectedRevision: 7 }), RevisionConflictError)
  },
  'creates only what does not exist when revision 0 is expected': async ({ store, prefix }) => {
    const key = `${prefix}a`
    const created = await store.put(key, '1', { expectedRevision: 0 })
    assert.equal(created.createRevision, created.revision)
    await assert.rejects(store.put(key, '2', { expectedRevision: 0 }), RevisionConflictError)
    assert.equal((await store.get(key))?.value, '1')
  },
  'lets exactly one of many competing creators win': async ({ store, prefix }) => {
    const attempts = Array.from({ length: 20 }, (_, i) =>
      store.put(`${prefix}a`, String(i), { expectedRevision: 0 }),
    )
    const outcomes = await Promise.allSettled(attempts)
    const losers = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.equal(losers.length, 19)
    for (const loser of losers) assert.ok(loser.reason instanceof RevisionConflictError)
  },
  'deletes only at the expected revision': async ({ store, prefix }) => {
    const key = `${prefix}a`
    const first = await store.put(key, '1')
    const second = await store.put(key, '2')
    await assert.rejects(store.delete(key, { expectedRevision: first.revision }), RevisionConflictError)
    await assert.rejects(store.delete(`${prefix}no`, { expectedRevision: 3 }), RevisionConflictError)
    assert.equal((await store.get(key))?.value, '2')
    assert.equal((await store.delete(key, { expectedRevision: second.revision })).deleted.length, 1)
  },
  'lists at a revision that covers every item in it': async ({ store, prefix }) => {
    const writer = (async () => {
      for (let i = 0; i < 60; i++) await store.put(`${prefix}${i % 7}`, String(i))
    })()
    for (let i = 0; i < 10; i++) {
      const { items, revision } = await store.list(prefix)
      for (const item of items) assert.ok(item.modRevision <= revision)
    }
    await writer
  },
}

const LEASES: Record<string, Case> = {
  'drops the keys of a lease when it runs out, in one revision': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}stays`, 'v')
    const seen = record(store, prefix, revision + 1)
    const lease = await store.grantLease(1)
    await store.put(`${prefix}a`, '1', { leaseId: lease.id })
    await store.put(`${prefix}b`, '2', { leaseId: lease.id })
    await eventually('the lease to run out', async () => (await store.list(prefix)).items.length === 1)
    await eventually('two deletes', () => seen.events.length === 4)
    const deletes = seen.events.slice(2)
    assert.deepEqual(deletes.map(brief), [`delete ${prefix}a`, `delete ${prefix}b`])
    assert.equal(new Set(deletes.map((event) => event.type === 'delete' && event.modRevision)).size, 1)
    await assert.rejects(lease.keepAlive(), LeaseLostError)
    await assert.rejects(store.put(`${prefix}c`, '3', { leaseId: lease.id }), LeaseLostError)
  },
  'keeps a lease as long as it is renewed': async ({ store, prefix }) => {
    const lease = await store.grantLease(1)
    await store.put(`${prefix}a`, '1', { leaseId: lease.id })
    const end = Date.now() + 2500
    while (Date.now() < end) {
      await lease.keepAlive()
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    assert.equal((await store.get(`${prefix}a`))?.value, '1')
    await lease.revoke()
  },
  'drops the keys at once when a lease is revoked': async ({ store, prefix }) => {
    const lease = await store.grantLease(60)
    await store.put(`${prefix}a`, '1', { leaseId: lease.id })
    await store.put(`${prefix}b`, '2', { leaseId: lease.id })
    await store.put(`${prefix}b`, 'no longer leased')
    await lease.revoke()
    assert.deepEqual(
      (await store.list(prefix)).items.map((item) => item.value),
      ['no longer leased'],
    )
    await assert.rejects(lease.revoke(), LeaseLostError)
    await assert.rejects(lease.keepAlive(), LeaseLostError)
  },
  'refuses a lease shorter than a second': async ({ store }) => {
    await assert.rejects(store.grantLease(0), RangeError)
    await assert.rejects(store.grantLease(Number.NaN), RangeError)
  },
}

const WATCHES: Record<string, Case> = {
  'replays what happened since a revision, then goes on live, in order': async ({ store, prefix }) => {
    const first = await store.put(`${prefix}a`, '1')
    await store.put(`${prefix}a`, '2')
    await store.delete(`${prefix}a`)
    const seen = record(store, prefix, first.revision)
    await eventually('the replay', () => seen.events.length === 3)
    await store.put(`${prefix}b`, '3')
    await eventually('the live event', () => seen.events.length === 4)
    assert.deepEqual(seen.events.map(brief), [
      `put ${prefix}a=1`,
      `put ${prefix}a=2`,
      `delete ${prefix}a`,
      `put ${prefix}b=3`,
    ])
    assert.deepEqual(
      seen.revisions,
      [...seen.revisions].sort((a, b) => a - b),
    )
  },
  'shows each put with the revisions a get would show': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}a`, '1')
    const seen = record(store, prefix, revision + 1)
    await store.put(`${prefix}a`, '2')
    await eventually('the put', () => seen.events.length === 1)
    assert.deepEqual(seen.events[0], { type: 'put', item: await store.get(`${prefix}a`) })
    assert.equal(seen.revisions[0], (await store.get(`${prefix}a`))?.modRevision)
  },
  'misses nothing between a list and the watch that follows it': async ({ store, prefix }) => {
    const writer = (async () => {
      for (let i = 0; i < 200; i++) await store.put(`${prefix}${i}`, String(i))
    })()
    await eventually('some writes', async () => (await store.list(prefix)).items.length >= 20)
    const { items, revision } = await store.list(prefix)
    const seen = record(store, prefix, revision + 1)
    await writer
    await eventually('the rest', () => items.length + seen.events.length >= 200)
    assert.equal(items.length + seen.events.length, 200)
  },
  'tells two watches the same, each under its own prefix': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}start`, 'v')
    const all = record(store, prefix, revision + 1)
    const same = record(store, prefix, revision + 1)
    const routes = record(store, `${prefix}routes/`, revision + 1)
    await store.put(`${prefix}routes/1`, 'a')
    await store.put(`${prefix}routes2/1`, 'b')
    await store.put(`${prefix}routes/2`, 'c')
    await eventually('all events', () => all.events.length === 3 && same.events.length === 3)
    await eventually('the routes', () => routes.events.length === 2)
    assert.deepEqual(all.events, same.events)
    assert.deepEqual(routes.events.map(brief), [`put ${prefix}routes/1=a`, `put ${prefix}routes/2=c`])
  },
  'says nothing more to a watch that was closed, and goes on with the others': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}start`, 'v')
    const closed = record(store, prefix, revision + 1)
    const open = record(store, prefix, revision + 1)
    await closed.watch.close()
    await closed.watch.close()
    await store.put(`${prefix}a`, '1')
    await eventually('the open watch', () => open.events.length === 1)
    assert.deepEqual([closed.events, closed.ends], [[], []])
  },
  'goes on after a watcher has thrown': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}start`, 'v')
    const told: string[] = []
    store.watch(prefix, revision + 1, {
      onEvents(events) {
        told.push(...events.map(brief))
        throw new Error('the watcher is broken')
      },
      onEnd: () => {},
    })
    await store.put(`${prefix}a`, '1')
    await eventually('the first event', () => told.length === 1)
    await store.put(`${prefix}b`, '2')
    await eventually('the second event', () => told.length === 2)
  },
  'ends a watch that asks for a revision the store has not reached by far': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}a`, '1')
    const seen = record(store, prefix, revision + 1_000_000)
    await eventually('the end', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'rolled-back')
  },
  'ends its watches when it is closed': async ({ store, prefix }) => {
    const { revision } = await store.put(`${prefix}a`, '1')
    const seen = record(store, prefix, revision)
    await eventually('the replay', () => seen.events.length === 1)
    await store.close()
    await eventually('the end', () => seen.ends.length === 1)
    assert.deepEqual(seen.ends, [{ reason: 'closed' }])
  },
}
