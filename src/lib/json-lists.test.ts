import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseJsonLists } from './json-lists.ts'
import { TimeSlices } from './time-slices.ts'

const parse = async (text: string) => [...(await parseJsonLists(text, new TimeSlices()))]

describe('parseJsonLists', () => {
  it('makes of any object what JSON.parse makes of it, however it is spaced', async () => {
    const members = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }))
    await fc.assert(
      fc.asyncProperty(members, fc.constantFrom(undefined, 1, '\t\r\n '), async (document, space) => {
        const text = JSON.stringify(document, undefined, space)
        assert.deepEqual(await parse(text), Object.entries(JSON.parse(text)))
      }),
    )
  })

  it('refuses exactly the texts that JSON.parse refuses or that are no objects', async () => {
    const members = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    const damage = fc.tuple(fc.nat(), fc.constantFrom('', '{', '}', '[', ']', '"', ',', ':', '\\', '1', ' '))
    await fc.assert(
      fc.asyncProperty(members, damage, async (document, [place, sign]) => {
        const whole = JSON.stringify(document)
        const at = place % (whole.length + 1)
        const text = whole.slice(0, at) + sign + whole.slice(at + 1)
        const isRefused = await parse(text).then(
          () => false,
          (error: unknown) => error instanceof SyntaxError,
        )
        assert.equal(isRefused, !isObjectText(text), text)
      }),
      { numRuns: 500 },
    )
  })

  it('lets the last of several members with one name count, and keeps names that mean something to JavaScript', async () => {
    assert.deepEqual(await parse('{"a":[1],"__proto__":[{"__proto__":1}],"a":[2]}'), [
      ['a', [2]],
      ['__proto__', [JSON.parse('{"__proto__":1}')]],
    ])
  })

  it('gives way to others once a slice is used up', async () => {
    let now = 0
    // Every look at the clock takes 3 ms.
    const slices = new TimeSlices(() => {
      now += 3
      return now
    })
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    const list = Array.from({ length: 400 }, (_, i) => i)
    assert.deepEqual((await parseJsonLists(JSON.stringify({ list }), slices)).get('list'), list)
    clearInterval(counting)
    assert.ok(turns > 0, `${turns} turns`)
  })
})

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    // Not JSON at all.
    return false
  }
}
