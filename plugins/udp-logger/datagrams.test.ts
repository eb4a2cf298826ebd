import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { packDatagrams } from './datagrams.ts'

const texts = (datagrams: readonly { readonly bytes: Buffer }[]) =>
  datagrams.map(({ bytes }) => bytes.toString())

describe('packing a batch into datagrams', () => {
  it('makes one list of what fits', () => {
    const { datagrams, unsendable } = packDatagrams([{ a: 1 }, { b: 2 }], 1000)
    assert.deepEqual(texts(datagrams), ['[{"a":1},{"b":2}]'])
    assert.equal(unsendable, undefined)
  })

  it('sends an entry by itself when batches hold one', () => {
    assert.deepEqual(texts(packDatagrams([{ a: 1 }], 1).datagrams), ['{"a":1}'])
  })

  it('begins another list where a datagram is full, to the byte', () => {
    const entries = ['aaa', 'bbb', 'ccc']
    assert.deepEqual(texts(packDatagrams(entries, 9, 19).datagrams), ['["aaa","bbb","ccc"]'])
    assert.deepEqual(texts(packDatagrams(entries, 9, 18).datagrams), ['["aaa","bbb"]', '["ccc"]'])
    assert.deepEqual(texts(packDatagrams(entries, 9, 7).datagrams), ['["aaa"]', '["bbb"]', '["ccc"]'])
  })

  it('counts bytes, not characters', () => {
    assert.equal(packDatagrams(['ää', 'ää'], 9, 14).datagrams.length, 2)
  })

  it('leaves out, and counts, entries that no datagram holds', () => {
    const { datagrams, unsendable } = packDatagrams(['aaa', 'b'.repeat(99), 'ccc'], 9, 20)
    assert.deepEqual(texts(datagrams), ['["aaa","ccc"]'])
    assert.equal(unsendable?.unsendable, 1)
    assert.match(unsendable?.reason.message ?? '', /1 entries are longer than the 20 bytes.*use tcp-logger/)
  })

  it('knows with each datagram which entries are done with', () => {
    const long = 'b'.repeat(99)
    const parts = (batchMaxSize: number) =>
      packDatagrams([long, 'aaa', 'ccc', long, 'ddd', 'eee', long], batchMaxSize, 14).datagrams.map(
        ({ entries, upTo }) => [entries, upTo],
      )
    assert.deepEqual(parts(9), [
      [2, 3],
      [2, 6],
    ])
    assert.deepEqual(parts(1), [
      [1, 2],
      [1, 3],
      [1, 5],
      [1, 6],
    ])
  })
})
