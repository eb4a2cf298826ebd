import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compilePcre } from './pcre.ts'
import { PatternLimitError, UnsafePatternError } from './safe-pattern.ts'
import { compileLinear, NotLinearError, toLinearSource } from './safe-pattern-linear.ts'
import { parsePattern } from './safe-pattern-tree.ts'

const long = (unit: string, length = 50_000) => unit.repeat(length / unit.length)

/** Generous: with an engine that backtracks each of the texts takes from seconds to the age of the universe. */
const CPU_LIMIT_MS = 2000

function cpuMs(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

describe('a pattern that could search for years', () => {
  const slow: [pattern: string, text: string][] = [
    ['(a+)+$', `${long('a')}!`],
    ['^(a+)+$', `${long('a')}!`],
    ['(a|aa)+$', `${long('a')}!`],
    ['(a|a?)+$', `${long('a')}!`],
    ['^(?:a?b?)*$', `${long('ab')}!`],
    ['(.*a){20}$', `${long('a')}!`],
    ['([a-zA-Z]+)*$', `${long('a')}1`],
    ['(x+x+)+y', long('x')],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', long('a')],
    ['(a?){30}a{30}$', `${long('a')}!`],
    ['\\s+$', `${long(' ')}x`],
    ['.*.*=.*', long('x')],
    ['^\\s*(\\w+\\s*)*:$', `${long('ab ', 49_998)}!`],
    ['(?i)(?:straße|stra.e)*x$', long('straße', 49_998)],
    ['(?m)^(a+)+$', `${long('a')}!`],
    ['(\\d+\\.?)+(?:\\.\\w+)*#', long('1')],
  ]
  for (const [pattern, text] of slow) {
    it(`${pattern} gives up on ${text.length} characters in time`, () => {
      const compiled = compilePcre(pattern)
      assert.ok(compiled)
      let found: boolean | undefined
      assert.ok(cpuMs(() => (found = compiled.test(text))) < CPU_LIMIT_MS)
      assert.equal(found, pattern === '^(([a-z])+.)+[A-Z]([a-z])+$' ? false : found)
    })
  }

  for (const [pattern, construct] of [
    ['^(?!b)(a+)+$', 'a lookahead'],
    ['(?<=b)(a|a)*$', 'a lookbehind'],
    ['^(a+)+\\1$', 'a back-reference'],
    ['(?<!x)a.*b.*c', 'a lookbehind'],
    ['(a{1,100}){1,100}$', 'more than 1000 counted repetitions'],
    [`(a+)+${'b{900}'.repeat(6)}`, 'more than 5000 characters to read'],
  ] as const) {
    it(`${pattern} is refused for ${construct}`, () => {
      assert.throws(
        () => compilePcre(pattern),
        (error) => error instanceof UnsafePatternError && error.message.includes(construct),
      )
    })
  }

  it('with a lookaround and a bound is searched for up to that, and never taken for absent beyond', () => {
    const pattern = compilePcre('(?<!a)b.*c')
    assert.ok(pattern)
    assert.equal(pattern.test(`${long('x', 1000)}bc`), true)
    assert.throws(() => pattern.test(`${long('b', 8000)}c`), PatternLimitError)
  })
})

describe('patterns of every day', () => {
  for (const pattern of [
    '^/api',
    '^/v(\\d+)/users/([^/]+)$',
    '^(/[^/]+)*$',
    '(?i)bot|crawler|spider',
    '^(?!/admin)(?:/[^/]+)*$',
    '^(?=.*foo)(?=.*bar).*$',
    '^(?:(?!secret).)*$',
    '^[a-z0-9]+(?:\\.[a-z0-9]+)*$',
    'http://internal',
  ]) {
    it(`${pattern} needs time in proportion to a text of a million characters`, () => {
      const compiled = compilePcre(pattern)
      assert.ok(compiled)
      assert.ok(cpuMs(() => compiled.test(long('/a', 1_000_000))) < CPU_LIMIT_MS)
    })
  }
})

const leaf = fc.constantFrom(
  ...[
    'a',
    'b',
    'B',
    'é',
    '\\n',
    '[^\\n]',
    '[ab]',
    '[^a]',
    '\\w',
    '\\W',
    '\\d',
    '\\s',
    '\\S',
    '\\b',
    '\\B',
    '^',
    '$',
    '[a-cx]',
    'K',
    '\\u017f',
  ],
)
const { pattern: patterns } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('pattern'), tie('pattern')).map((both) => both.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `(?:${one}|${other})`),
    tie('pattern').map((one) => `(${one})`),
    fc
      .tuple(
        tie('pattern'),
        fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?', '{2,}'),
      )
      .map(([one, sign]) => `(?:${one})${sign}`),
  ),
}))
const texts = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      'A',
      'B',
      'c',
      'x',
      '1',
      ' ',
      '\n',
      '\r',
      'é',
      'É',
      'k',
      '\u212a',
      's',
      'ſ',
      '\u2028',
      '😀',
      '\ue000',
    ),
    {
      maxLength: 8,
    },
  )
  .map((chars) => chars.join(''))
const modes = fc.constantFrom('', 'i', 's', 'u')

describe('the two engines', () => {
  it('find in every text the same', () => {
    fc.assert(
      fc.property(patterns, texts, modes, (source, text, flags) => {
        const linear = orNotLinear(() =>
          toLinearSource(parsePattern(source, flags), { captures: false, flags }),
        )
        if (linear === undefined) return
        const found = compileLinear(linear, flags === 'u').test(text)
        assert.equal(found, new RegExp(source, flags).test(text))
      }),
      { numRuns: 1000 },
    )
  })

  it('find the same matches with the same captures, one behind the other', () => {
    let compared = 0
    fc.assert(
      fc.property(patterns, texts, modes, (source, text, flags) => {
        const linear = orNotLinear(() =>
          toLinearSource(parsePattern(source, flags), { captures: true, flags }),
        )
        if (linear === undefined) return
        compared++
        const find = compileLinear(linear, flags === 'u').finder(text)!
        const wanted = new RegExp(source, `${flags}g`)
        for (let from = 0; from <= text.length; ) {
          wanted.lastIndex = from
          const expected = wanted.exec(text)
          const match = find(from)
          assert.deepEqual(match && [match.index, ...match], expected && [expected.index, ...expected])
          if (!match) break
          from = match.index + match[0].length
          if (match[0] === '') from += flags === 'u' && (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1
        }
      }),
      { numRuns: 1000 },
    )
    assert.ok(compared > 300, `only ${compared} could be compared`)
  })
})

function orNotLinear(write: () => string): string | undefined {
  try {
    return write()
  } catch (error) {
    if (error instanceof NotLinearError) return undefined
    throw error
  }
}

describe('replacing', () => {
  const brackets = (match: RegExpExecArray) => `<${match[1] ?? match[0]}>`
  const long = 'a'.repeat(2000)
  const table: [pattern: string, text: string, scope: 'once' | 'global', expected: string][] = [
    ['a*', 'aab', 'global', '<aa><>b<>'],
    ['(b)', 'abcb', 'once', 'a<b>cb'],
    ['(b)', 'abcb', 'global', 'a<b>c<b>'],
    ['x', 'abc', 'global', 'abc'],
    ['\\s+$', `${long}  `, 'once', `${long}<  >`],
    ['(a+)+!', `${long}!`, 'global', `<${long}>`],
    ['(?:a|aa)*?(b)', `${long}b${long}b`, 'global', '<b><b>'],
  ]
  for (const [pattern, text, scope, expected] of table) {
    it(`${pattern} ${scope} in ${text.length} characters`, () => {
      assert.equal(compilePcre(pattern, { captures: true })?.replace(text, brackets, scope), expected)
    })
  }

  it('keeps to the places behind each other when sticky, on both engines', () => {
    for (const pattern of ['a', '(?:a|a)+?']) {
      const sticky = compilePcre(pattern, { captures: true, sticky: true })
      assert.equal(
        sticky?.replace('aaba', () => 'x', 'global'),
        'xxba',
      )
      assert.equal(sticky?.test('ba'), false)
    }
  })
})
