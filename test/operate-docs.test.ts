import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = 'docs/operate'
const LAST_COLUMN = 'shown by'
const NOT_MEASURED = 'not measured'

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const pages = readdirSync(join(ROOT, FOLDER), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path: `${FOLDER}/${path}`, text: read(`${FOLDER}/${path}`) }))

interface Claim {
  readonly page: string
  readonly row: string
  /** `path: words of a test's name`, or that it was not measured. */
  readonly evidence: string | undefined
}

/** Rows of the tables whose last column says what shows them. */
function claimsOf(page: string, text: string): Claim[] {
  const claims: Claim[] = []
  let isInside = false
  for (const row of text.split('\n')) {
    const cells = row.split('|').slice(1, -1)
    if (cells.length === 0) isInside = false
    else if (cells.at(-1)!.trim() === LAST_COLUMN) isInside = true
    else if (isInside && !/^-+$/.test(cells[0]!.trim())) {
      claims.push({ page, row, evidence: /^`(.+)`$/.exec(cells.at(-1)!.trim())?.[1] })
    }
  }
  return claims
}

const claims = pages.flatMap(({ path, text }) => claimsOf(path, text))

describe('the pages on operating', () => {
  it('have a test for each claim of their tables, or say that there is none', () => {
    assert.ok(claims.length > 50, String(claims.length))
    for (const { page, row, evidence } of claims) {
      assert.ok(evidence, `${page} does not say what shows it: ${row}`)
      if (evidence === NOT_MEASURED) continue
      const [, path, words] = /^([^:]+): (.+)$/.exec(evidence) ?? []
      assert.ok(path && existsSync(join(ROOT, `${path}.test.ts`)), `${page}: no such test file: ${evidence}`)
      assert.ok(read(`${path}.test.ts`).includes(words!), `${page}: no such test: ${evidence}`)
    }
  })

  it('name only metrics that exist', () => {
    const known = read('docs/reference/metrics.md')
    for (const { path, text } of pages) {
      const names = text.matchAll(/\b(?:gatewright|apisix)_[a-z0-9]+(?:_[a-z0-9]+)+\b/g)
      for (const [name] of names) assert.ok(known.includes(`\`${name}\``), `${path}: ${name}`)
    }
  })

  it('lead to each other: production to failures, upgrade, backup and troubleshooting', () => {
    const production = read(`${FOLDER}/production.md`)
    for (const page of ['failures', 'upgrade', 'backup', 'troubleshooting', 'compose/README']) {
      assert.ok(production.includes(`](${page}.md)`), page)
    }
  })
})
