import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readGrpcTimeout } from './grpc-deadline.ts'

describe('grpc-timeout', () => {
  it('is read in every unit, and rounded up to whole milliseconds', () => {
    const cases = { '2H': 7_200_000, '3M': 180_000, '4S': 4000, '5m': 5, '1500u': 2, '1n': 1, '0n': 0 }
    for (const [value, ms] of Object.entries(cases)) assert.equal(readGrpcTimeout(value), ms, value)
    assert.equal(readGrpcTimeout('99999999H'), 99_999_999 * 3_600_000)
  })

  it('is none with another unit, a sign, a fraction, more than eight digits, or twice', () => {
    for (const value of ['', '1', 'S', '1s', '-1S', '+1S', '1.5S', '123456789m', '1S, 2S', ' 1S', '1 S']) {
      assert.equal(readGrpcTimeout(value), undefined, JSON.stringify(value))
    }
  })
})
