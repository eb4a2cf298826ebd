import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { packDatagrams } from './datagrams.ts'

const texts = (datagrams: readonly Buffer[]) => datagrams.map((datagram) => datagram.toString())

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
    assert.match(unsendable?.reason.message ?? '', /1 entries are longer than the 20 bytes/)
  })
})
