import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import { MemoryStore } from './memory-store.ts'
import { storeContract } from './store-contract.ts'
import { transactionContract } from './transaction-contract.ts'

const logger = createLogger('silent')

const open = async (t: TestContext) => {
  const store = new MemoryStore({ logger })
  t.after(() => store.close())
  return store
}

storeContract('memory', open)
transactionContract('memory', open)

describe('MemoryStore', () => {
  it('ends a watch as compacted when its revision has fallen out of the history', async () => {
    const store = new MemoryStore({ logger, history: { maxEvents: 3 } })
    for (let i = 0; i < 5; i++) await store.put(`/a/${i}`, 'v')
    const { revision } = await store.list('/')
    const gone = record(store, '/', revision - 3)
    const held = record(store, '/', revision - 2)
    await eventually('the end', () => gone.ends.length === 1)
    assert.equal(gone.ends[0]?.reason, 'compacted')
    await eventually('the replay', () => held.events.length === 3)
    assert.deepEqual(held.ends, [])
    await store.close()
  })

  it('bounds the history by size as well as by count', async () => {
    const store = new MemoryStore({ logger, history: { maxCharacters: 1000 } })
    await store.put('/a', 'x'.repeat(900))
    await store.put('/b', 'x'.repeat(900))
    const seen = record(store, '/', 2)
    await eventually('the end', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'compacted')
    await store.close()
  })

  it('starts at revision 1 and raises it by one for each write', async () => {
    const store = new MemoryStore({ logger })
    assert.equal((await store.list('/')).revision, 1)
    assert.equal((await store.put('/a', 'v')).revision, 2)
    assert.equal((await store.delete('/b')).revision, 2)
    assert.equal((await store.delete('/a')).revision, 3)
    await store.close()
  })
})
