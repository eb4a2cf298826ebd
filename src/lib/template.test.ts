import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileTemplate } from './template.ts'

const values: Record<string, string> = { a: '1', remote_addr: '10.0.0.1', arg_b: 'B' }
const resolve = (name: string) => values[name]

const rows: [text: string, rendered: string][] = [
  ['plain', 'plain'],
  ['$a', '1'],
  ['x$a-$arg_b!', 'x1-B!'],
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are the templates under test
  ['${a}b', '1b'],
  ['${missing ?? other}', 'other'],
  ['${a ?? other}', '1'],
  ['${missing}', ''],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: these are the templates under test
  ['$missing', ''],
  ['costs 5$', 'costs 5$'],
  ['$ a', '$ a'],
  ['\\$a', '\\$a'],
]

describe('compileTemplate', () => {
  for (const [text, rendered] of rows) {
    it(`renders ${JSON.stringify(text)} as ${JSON.stringify(rendered)}`, () => {
      assert.equal(compileTemplate(text).render(resolve), rendered)
    })
  }

  it('knows whether anything can be resolved', () => {
    assert.equal(compileTemplate('$a$missing').isResolvable(resolve), true)
    assert.equal(compileTemplate('$missing').isResolvable(resolve), false)
    assert.equal(compileTemplate('plain').hasVariables, false)
  })
})
