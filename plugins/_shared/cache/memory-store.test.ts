import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemoryStore } from './memory-store.ts'
import { addressOf, headOf, keep, testStore } from './store-contract.ts'

describe('the memory store', () => {
  testStore(async (limits) => ({ store: new MemoryStore(limits), settled: async () => {} }))

  it('bounds what arrives at one time', () => {
    const store = new MemoryStore({ maxBytes: 100_000, maxEntries: 100 })
    const first = store.record(addressOf('a'), headOf(), undefined)!
    const second = store.record(addressOf('b'), headOf(), undefined)!
    assert.equal(first.write(Buffer.alloc(60_000)), true)
    assert.equal(second.write(Buffer.alloc(60_000)), false)
    first.abort()
    assert.equal(store.bytes, 0)
  })

  it('lends nobody the bytes that it keeps', async () => {
    const store = new MemoryStore({ maxBytes: 100_000, maxEntries: 100 })
    await keep(store, addressOf('a'), { body: 'clean' })
    const lent = store.find(addressOf('a'))!.body() as Uint8Array
    lent.fill(0)
    assert.equal(Buffer.from(store.find(addressOf('a'))!.body() as Uint8Array).toString(), 'clean')
  })
})
