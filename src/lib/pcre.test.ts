import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compilePcre } from './pcre.ts'

describe('pcre', () => {
  const table: [pattern: string, subject: string, expected: boolean][] = [
    ['^/api', '/api/x', true],
    ['(?i)^CURL', 'curl/8', true],
    ['(?is)a.b', 'A\nB', true],
    ['a.b', 'a\nb', false],
    ['a.b', 'a\rb', true],
    ['\\Aab\\z', 'ab', true],
    ['\\Aab\\z', 'ab\n', false],
    ['ab\\Z', 'ab\n', true],
    ['^[[:alpha:]]+$', 'abc', true],
    ['^[^[:digit:]]+$', 'ab1', false],
    ['^[]a]+$', ']a', true],
    ['^[^]a]+$', 'b]', false],
    ['^[[]$', '[', true],
    ['^\\Qa.b\\E$', 'a.b', true],
    ['^\\Qa.b\\E$', 'axb', false],
    ['^(?P<x>a)$', 'a', true],
    ['^[\\h]$', '\t', true],
    ['^\\h$', ' ', true],
    ['^a\\-b\\_$', 'a-b_', true],
    ['^[.]$', 'x', false],
    ['^\\.$', 'x', false],
  ]
  for (const [pattern, subject, expected] of table) {
    it(`${pattern} ${expected ? 'finds' : 'does not find'} ${JSON.stringify(subject)}`, () => {
      assert.equal(compilePcre(pattern)?.test(subject), expected)
    })
  }

  for (const pattern of ['(', '[a', 'a++', '(?>a)', 'a(?i)b', '[[:nope:]]', '*', '\\']) {
    it(`${pattern} does not compile`, () => assert.equal(compilePcre(pattern), undefined))
  }

  it('ignores case when asked to', () => {
    assert.equal(compilePcre('^abc$', { ignoreCase: true })?.test('ABC'), true)
  })

  it('never throws, whatever the pattern', () => {
    const piece = fc.constantFrom(
      '\\',
      '[',
      ']',
      '(',
      ')',
      '?',
      'P',
      '<',
      ':',
      '^',
      'a',
      '*',
      '\\Q',
      '\\E',
      '[:',
      '.',
      '|',
    )
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        (pattern) => void compilePcre(pattern),
      ),
    )
  })
})
