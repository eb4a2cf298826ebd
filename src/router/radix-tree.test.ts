import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nextShorter, RadixTree } from './radix-tree.ts'

const key = fc.stringMatching(/^[ab/]{0,6}$/)

function found(tree: RadixTree<string>, text: string): string[] {
  const values: string[] = []
  for (let node = tree.longest(text); node !== undefined; node = nextShorter(node)) values.push(node.value!)
  return values
}

describe('radix tree', () => {
  for (const fromEnd of [false, true]) {
    it(`finds every key the text ${fromEnd ? 'ends' : 'starts'} with, longest first, after any additions and removals`, () => {
      const steps = fc.array(fc.tuple(key, fc.boolean()), { maxLength: 40 })
      fc.assert(
        fc.property(steps, key, (changes, text) => {
          const tree = new RadixTree<string>(fromEnd)
          const model = new Set<string>()
          for (const [name, isRemoval] of changes) {
            if (isRemoval) assert.equal(tree.delete(name), model.delete(name))
            else {
              tree.set(name, name)
              model.add(name)
            }
          }
          const fits = (name: string): boolean => (fromEnd ? text.endsWith(name) : text.startsWith(name))
          const expected = [...model].filter(fits).sort((a, b) => b.length - a.length)
          assert.deepEqual(found(tree, text), expected)
          assert.equal(tree.get(text), model.has(text) ? text : undefined)
          for (const name of model) assert.equal(tree.delete(name), true)
          assert.equal(tree.isEmpty, true)
        }),
        { numRuns: 500 },
      )
    })
  }

  it('keeps no more nodes than branches need after removals', () => {
    const tree = new RadixTree<number>(false)
    for (const name of ['/a/b', '/a/c', '/a']) tree.set(name, 1)
    tree.delete('/a/c')
    tree.delete('/a')
    const only = tree.longest('/a/b')
    assert.equal(only?.label, '/a/b')
    assert.equal(only?.parent?.label, '')
  })
})
