import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { renderAdminApi } from './support/admin-api-reference.ts'

const FILE = new URL('../docs/reference/admin-api.md', import.meta.url)
const OPEN = '<!-- generated -->\n\n'
const CLOSE = '\n\n<!-- /generated -->'
/** `UPDATE_DOCS=1` writes the generated part in place of comparing it. */
const isUpdate = process.env['UPDATE_DOCS'] === '1'

describe('docs/reference/admin-api.md', () => {
  it('shows the requests and answers that the admin API is tested with', () => {
    const page = readFileSync(FILE, 'utf8')
    const start = page.indexOf(OPEN) + OPEN.length
    const end = page.indexOf(CLOSE)
    const expected = renderAdminApi()
    if (isUpdate) writeFileSync(FILE, page.slice(0, start) + expected + page.slice(end))
    else {
      const hint = 'to write it anew: UPDATE_DOCS=1 node --import tsx --test test/admin-api-docs.test.ts'
      assert.equal(page.slice(start, end), expected, hint)
    }
  })
})
