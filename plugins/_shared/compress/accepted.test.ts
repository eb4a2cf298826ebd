import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAccepted } from './accepted.ts'

describe('a coding is accepted', () => {
  for (const [header, expected] of [
    ['gzip', true],
    ['deflate, gzip;q=0.5, br', true],
    ['GZIP', true],
    ['*', true],
    ['br, *;q=0.1', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000', false],
    ['gzip; q=0 , *', false],
    ['*;q=0', false],
    ['gzip;q=', false],
    ['gzip;q=x', false],
    ['xgzip, gzipx, br', false],
    ['', false],
    [undefined, false],
  ] as const) {
    it(`${expected ? '' : 'not '}by ${header}`, () => assert.equal(isAccepted(header, 'gzip'), expected))
  }
})
