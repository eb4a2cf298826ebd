import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import { LeaseLostError } from './config-store.ts'
import type { TransactionalStore } from './transactions.ts'

type Case = (bench: { readonly store: TransactionalStore; readonly prefix: string }) => Promise<void>

/** What every store with transactions owes beyond the store contract; called once per implementation. */
export function transactionContract(
  name: string,
  open: (t: TestContext) => Promise<TransactionalStore>,
): void {
  let prefixes = 0
  describe(`transactions of the ${name} store`, { concurrency: true }, () => {
    for (const [sentence, run] of Object.entries({ ...CONDITIONS, ...SHARED_LEASES })) {
      it(sentence, async (t) => {
        prefixes++
        const prefix = `/transaction-${process.pid}-${prefixes}/`
        await run({ store: await open(t), prefix })
      })
    }
  })
}

const CONDITIONS: Record<string, Case> = {
  'writes and deletes at one revision when every condition holds': async ({ store, prefix }) => {
    const [a, b, c] = [`${prefix}a`, `${prefix}b`, `${prefix}c`]
    const { revision } = await store.put(c, 'old')
    const seen = record(store, prefix, revision + 1)
    const result = await store.transact({
      conditions: [
        { key: a, modRevision: 0 },
        { key: c, modRevision: revision },
      ],
      puts: [
        { key: a, value: '1' },
        { key: b, value: '2' },
      ],
      deletes: [c],
    })
    assert.ok(result.isDone && result.revision > revision)
    await eventually('the events', () => seen.events.length === 3)
    assert.deepEqual(seen.events.map(brief).sort(), [`delete ${c}`, `put ${a}=1`, `put ${b}=2`])
    assert.equal((await store.get(a))?.modRevision, result.revision)
    assert.equal((await store.get(b))?.createRevision, result.revision)
  },

  'writes nothing when one does not, and tells what stands at the keys': async ({ store, prefix }) => {
    const [a, b] = [`${prefix}a`, `${prefix}b`]
    const lease = await store.grantLease(60)
    const { revision } = await store.put(a, 'mine', { leaseId: lease.id })
    const result = await store.transact({
      conditions: [
        { key: a, modRevision: 0 },
        { key: b, modRevision: 0 },
      ],
      puts: [{ key: b, value: '2' }],
    })
    assert.ok(!result.isDone && result.revision >= revision)
    assert.deepEqual(result.present, [
      { key: a, value: 'mine', createRevision: revision, modRevision: revision, leaseId: lease.id },
      undefined,
    ])
    assert.equal(await store.get(b), undefined)
    await lease.revoke()
  },

  'tells a key by the lease that holds it': async ({ store, prefix }) => {
    const node = `${prefix}node`
    const [one, other] = [await store.grantLease(60), await store.grantLease(60)]
    const put = (leaseId: string) =>
      store.transact({
        conditions: [{ key: node, leaseId }],
        puts: [{ key: `${prefix}agent`, value: leaseId, leaseId }],
      })
    assert.equal((await put(one.id)).isDone, false)
    await store.put(node, 'v', { leaseId: one.id })
    assert.equal((await put(other.id)).isDone, false)
    assert.equal((await put(one.id)).isDone, true)
    await one.revoke()
    assert.deepEqual((await store.list(prefix)).items, [])
    await other.revoke()
  },

  'lets one of many win who want the same key': async ({ store, prefix }) => {
    const key = `${prefix}key`
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        store.transact({
          conditions: [{ key, modRevision: 0 }],
          puts: [{ key, value: String(index) }],
        }),
      ),
    )
    assert.equal(results.filter(({ isDone }) => isDone).length, 1)
    const item = await store.get(key)
    assert.equal(item?.createRevision, item?.modRevision)
  },

  'refuses a key that is written twice, and a lease that has ended': async ({ store, prefix }) => {
    const key = `${prefix}key`
    const put = { key, value: 'v' }
    await assert.rejects(store.transact({ conditions: [], puts: [put], deletes: [key] }), RangeError)
    const lease = await store.grantLease(60)
    await lease.revoke()
    const late = store.transact({ conditions: [], puts: [{ ...put, leaseId: lease.id }] })
    await assert.rejects(late, LeaseLostError)
    assert.equal(await store.get(key), undefined)
  },

  'reads only, when there is nothing to write': async ({ store, prefix }) => {
    const before = (await store.put(`${prefix}a`, '1')).revision
    const conditions = [{ key: `${prefix}a`, modRevision: before }]
    assert.deepEqual((await store.transact({ conditions })).isDone, true)
    assert.equal((await store.get(`${prefix}a`))?.modRevision, before)
  },
}

const SHARED_LEASES: Record<string, Case> = {
  'renews and ends a lease by its id alone': async ({ store, prefix }) => {
    const { id } = await store.grantLease(60)
    await store.put(`${prefix}a`, '1', { leaseId: id })
    const shared = store.openLease(id)
    await shared.keepAlive()
    const remaining = await shared.remainingSeconds()
    assert.ok(remaining > 50 && remaining <= 60, `${remaining} s`)
    await shared.revoke()
    assert.equal(await store.get(`${prefix}a`), undefined)
  },

  'says of a lease that is not there that it is lost': async ({ store }) => {
    const shared = store.openLease('12345')
    await assert.rejects(shared.keepAlive(), LeaseLostError)
    await assert.rejects(shared.remainingSeconds(), LeaseLostError)
    await assert.rejects(shared.revoke(), LeaseLostError)
  },
}
