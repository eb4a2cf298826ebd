import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSize, parseTime } from './measures.ts'

describe('a time', () => {
  it('is read as nginx writes it', () => {
    const read = ['60s', '500ms', '1m', '2h', '1d', '10', 10, 0].map(parseTime)
    assert.deepEqual(read, [60_000, 500, 60_000, 7_200_000, 86_400_000, 10_000, 10_000, 0])
  })

  it('is nothing else', () => {
    for (const value of ['', 's', '-1s', '1.5s', '1 s', '1w', '1h30m', -1, true, null])
      assert.equal(parseTime(value), undefined, String(value))
  })
})

describe('a size', () => {
  it('is read as nginx writes it', () => {
    const read = ['0', '8k', '10M', '1g', 1025].map(parseSize)
    assert.deepEqual(read, [0, 8192, 10_485_760, 1_073_741_824, 1025])
  })

  it('is nothing else', () => {
    for (const value of ['', 'k', '-1', '1.5k', '1kb', '999999999999999g', -1, true, null])
      assert.equal(parseSize(value), undefined, String(value))
  })
})
