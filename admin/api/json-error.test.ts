import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { describeJsonError } from './json-error.ts'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('describeJsonError', () => {
  it('finds a fault in whatever is no JSON, and none in what is', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"',
      '\\',
      '\\u00e9',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'nul',
      ' ',
      '\n',
      '\u0001',
      'é',
    )
    const mutilated = fc.tuple(fc.json(), fc.nat(), piece).map(([text, at, inserted]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + inserted + text.slice(place + 1)
    })
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      mutilated,
      fc.json(),
    )
    fc.assert(
      fc.property(text, (sample) => {
        assert.equal(describeJsonError(sample) === 'not valid JSON', isJson(sample), sample)
      }),
      { numRuns: 2000 },
    )
  })
})
