import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PrefixMap } from './prefix-map.ts'

const key = fc.stringMatching(/^[ab/]{0,6}$/)

function found(map: PrefixMap<string>, text: string): string[] {
  const values: string[] = []
  let entry = map.longest(text, Number.POSITIVE_INFINITY)
  while (entry !== undefined) {
    values.push(entry.value)
    entry = map.longest(text, entry.key.length)
  }
  return values
}

describe('prefix map', () => {
  for (const fromEnd of [false, true]) {
    it(`finds every key the text ${fromEnd ? 'ends' : 'starts'} with, longest first, after any additions and removals`, () => {
      const steps = fc.array(fc.tuple(key, fc.boolean()), { maxLength: 40 })
      fc.assert(
        fc.property(steps, key, (changes, text) => {
          const map = new PrefixMap<string>({ fromEnd, boundary: '/' })
          const model = new Set<string>()
          for (const [name, isRemoval] of changes) {
            if (isRemoval) assert.equal(map.delete(name), model.delete(name))
            else {
              map.set(name, name)
              model.add(name)
            }
          }
          const fits = (name: string): boolean => (fromEnd ? text.endsWith(name) : text.startsWith(name))
          const expected = [...model].filter(fits).sort((a, b) => b.length - a.length)
          assert.deepEqual(found(map, text), expected)
          assert.equal(map.get(text), model.has(text) ? text : undefined)
          for (const name of model) assert.equal(map.delete(name), true)
          assert.equal(map.isEmpty, true)
        }),
        { numRuns: 500 },
      )
    })
  }

  it('tells keys with the same hash apart', () => {
    // Two words that collide under 32-bit FNV-1a, the hash of the map.
    const hash = (text: string): number =>
      [...text].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 0x01000193), 0x811c9dc5)
    assert.equal(hash('costarring'), hash('liquid'))
    const map = new PrefixMap<string>({ fromEnd: false, boundary: '/' })
    for (const word of ['costarring', 'liquid']) map.set(word, word)
    assert.deepEqual([found(map, 'costarring/x'), found(map, 'liquid/x')], [['costarring'], ['liquid']])
    assert.equal(map.delete('costarring'), true)
    assert.deepEqual([found(map, 'costarring/x'), found(map, 'liquid/x')], [[], ['liquid']])
    map.set('costarring', 'again')
    assert.equal(map.delete('liquid'), true)
    assert.deepEqual([found(map, 'costarring/x'), found(map, 'liquid/x')], [['again'], []])
  })
})
