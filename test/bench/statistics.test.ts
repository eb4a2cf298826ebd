import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { median, quantile, renderTable, shuffled } from './statistics.ts'

describe('the statistics of the bench', () => {
  it('take the middle of the values by size, not by position or text', () => {
    assert.equal(median([100, 9, 20]), 20)
    assert.equal(quantile([4, 3, 2, 1], 0.25), 2)
    assert.equal(quantile([4, 3, 2, 1], 0), 1)
    assert.equal(quantile([4, 3, 2, 1], 1), 4)
  })

  it('refuse to call nothing a measurement', () => {
    assert.throws(() => median([]), /no values were measured/)
  })

  it('leave the list as it was when they sort or shuffle it', () => {
    const values = Object.freeze([3, 1, 2])
    median(values)
    assert.deepEqual(shuffled(values).toSorted(), [1, 2, 3])
  })

  it('align names to the left and numbers to the right', () => {
    assert.equal(
      renderTable([
        ['', 'req/s'],
        ['nginx', '9'],
      ]),
      '       req/s\nnginx      9',
    )
  })
})
