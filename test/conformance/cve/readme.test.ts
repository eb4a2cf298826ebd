import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const FOLDER = import.meta.dirname
const ROW = /^\| (.+) \| `([^`]+\.test\.ts)` \| (.+) \|$/gm

function rows(): { id: string; file: string; test: string }[] {
  const text = readFileSync(join(FOLDER, 'README.md'), 'utf8')
  return [...text.matchAll(ROW)].map(([, id, file, test]) => ({ id: id!, file: file!, test: test! }))
}

describe('the table of what went wrong elsewhere', () => {
  it('names only tests that are there', () => {
    const found = rows()
    assert.ok(found.length > 80, `only ${found.length} rows were read`)
    for (const { id, file, test } of found) {
      assert.ok(
        readFileSync(join(FOLDER, file), 'utf8').includes(test),
        `${id}: no test in ${file} says "${test}"`,
      )
    }
  })

  it('has a row for each identifier that a test of this folder is named by', () => {
    const ids = new Set(rows().map(({ id }) => id))
    for (const file of ['gateways.test.ts', 'cache.test.ts', 'node.test.ts']) {
      const named = readFileSync(join(FOLDER, file), 'utf8').matchAll(/CVE-\d{4}-\d+/g)
      for (const [id] of named) assert.ok(ids.has(id), `${id} of ${file} has no row`)
    }
  })
})
