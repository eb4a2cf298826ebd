import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

const ROW = /^\| .+ \| `([^`]+\.test\.ts)` \| (.+) \|$/gm

it('the tables of the registry name only tests that are there', () => {
  const text = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  const rows = [...text.matchAll(ROW)]
  assert.ok(rows.length > 30, `only ${rows.length} rows were read`)
  for (const [, file, test] of rows) {
    const source = readFileSync(join(import.meta.dirname, '../../..', file!), 'utf8')
    assert.ok(source.includes(test!), `no test in ${file} says "${test}"`)
  }
})
