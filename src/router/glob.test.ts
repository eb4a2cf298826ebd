import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePattern } from './pattern.ts'

/** The regular expression that the contract describes, with literals escaped. */
function toRegExp(pattern: string): RegExp {
  const segments = pattern.split('/').map((segment) => {
    if (segment.startsWith('*')) return '([^]*)'
    if (segment.length > 1 && segment.startsWith(':')) return '([^/]+)'
    return segment
      .split('*')
      .map((literal) => literal.replace(/[.+]/g, '\\$&'))
      .join('[^]*')
  })
  return new RegExp(`^${segments.join('/')}$`)
}

describe('glob', () => {
  it('takes the paths that the regular expression of the contract takes, and captures the same', () => {
    const segment = fc.constantFrom('a', 'b', '*', ':x', '*y', 'a*', '*', 'a.b', '', 'a*b*')
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 6 })
      .map((segments) => `/${segments.join('/')}`)
    const path = fc
      .array(fc.constantFrom('a', 'b', '/', 'aab', '/a/', 'a.b'), { maxLength: 12 })
      .map((all) => `/${all.join('')}`)
    let taken = 0
    fc.assert(
      fc.property(pattern, path, (source, sent) => {
        const { glob } = parsePattern(source, true)
        if (glob === undefined) return
        const expected = toRegExp(source).exec(sent)
        assert.equal(glob.matches(sent), expected !== null)
        if (expected === null) return
        taken++
        const captures: Record<string, string> = {}
        glob.capture(sent, captures)
        const names = source.split('/').filter((name) => name.startsWith('*') || name.startsWith(':x'))
        const model: Record<string, string> = {}
        names.forEach((name, index) => {
          model[name === '*' ? 'ext' : name.slice(1)] = expected[index + 1]!
        })
        assert.deepEqual(captures, model)
      }),
      { numRuns: 10_000, seed: 1 },
    )
    assert.ok(taken > 200, `only ${taken} pairs matched`)
  })
})
