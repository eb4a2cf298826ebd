import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')
const PAGE = 'docs/reference/metrics.md'

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(ROOT, folder, path), 'utf8'))
}

describe('the reference of metrics', () => {
  it('has every metric of our own, and none that does not exist', () => {
    const code = [...sources('src'), ...sources('plugins')].join('\n')
    const declared = new Set([...code.matchAll(/'(gatewright_[a-z0-9_]+)'/g)].map(([, name]) => name!))
    const page = readFileSync(join(ROOT, PAGE), 'utf8')
    const shown = [...page.matchAll(/^\| `(gatewright_[a-z0-9_]+)`/gm)].map(([, name]) => name!)
    assert.deepEqual(shown.sort(), [...declared].sort(), `make the tables in ${PAGE} fit the code`)
  })
})
