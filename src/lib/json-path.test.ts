import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { queryJsonPath } from './json-path.ts'

const DOCUMENT = JSON.parse(
  '{"a":{"b":[{"c":1},{"c":2},{"d":3}]},"list":[10,20,30],"odd key":"x","__proto__":{"p":1},"c":0}',
)

describe('a JSON path', () => {
  const cases: readonly (readonly [path: string, found: unknown[]])[] = [
    ['a.b[*].c', [1, 2]],
    ['a.b[0]', [{ c: 1 }]],
    ['a.b[-1].d', [3]],
    ['list[*]', [10, 20, 30]],
    ['list[3]', []],
    ['list.*', [10, 20, 30]],
    ['a.*[1].c', [2]],
    ['..c', [0, 1, 2]],
    ['a..c', [1, 2]],
    ['..[0]', [{ c: 1 }, 10]],
    ["['odd key']", ['x']],
    ['["odd key"]', ['x']],
    ['__proto__.p', [1]],
    ['constructor', []],
    ['list.length', []],
    ['list[0].x', []],
  ]
  for (const [path, found] of cases) {
    it(`${path} finds ${JSON.stringify(found)}`, () => {
      assert.deepEqual(queryJsonPath(DOCUMENT, path), found)
    })
  }

  it('of another form finds nothing', () => {
    for (const path of ['a[', 'a]', 'a.', 'a...b', 'a[?(@.x)]', 'a[1:2]', 'a[0,1]', 'a b', "['a"]) {
      assert.equal(queryJsonPath(DOCUMENT, path), undefined, path)
    }
  })

  it('gives up where a body makes it look at too much, however deep that is', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`)
    assert.equal(queryJsonPath(deep, '..a')?.length, 5000)
    assert.equal(queryJsonPath(deep, '..*..*..*..*'), undefined)
  })
})
