import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { namedValues } from './named-values.ts'

describe('the values of a form', () => {
  it('are lists where a name comes more than once', () => {
    const values = namedValues('a=1&b=%20x+y&a=2&c&a=3&__proto__=4')
    const expected: [string, string | string[]][] = [
      ['a', ['1', '2', '3']],
      ['b', ' x y'],
      ['c', ''],
      ['__proto__', '4'],
    ]
    assert.deepEqual([...values], expected)
  })

  it('are read in one pass, however many names there are', () => {
    const text = Array.from({ length: 100_000 }, (_, i) => `a${i}=${i}`).join('&')
    const before = performance.now()
    assert.equal(namedValues(text).size, 100_000)
    // Looking each name up anew took half a minute.
    assert.ok(performance.now() - before < 10_000)
  })
})
