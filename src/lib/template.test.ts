import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileTemplate, parseTemplate } from './template.ts'

const values: Record<string, unknown> = {
  uri: '/a',
  http_x: 'X',
  arg_q: '',
  status: 200,
  '1': 'one',
  'post_arg.a[*]': ['p', 'q'],
}
const source = { var: (name: string) => values[name] }
const rendered = (text: string) => compileTemplate(text).render(source)

describe('a template', () => {
  it('fills in $name and ${name}, as often as they stand', () => {
    assert.equal(rendered('$uri'), '/a')
    assert.equal(rendered('${uri}b$uri-$http_x.'), '/ab/a-X.')
    assert.equal(rendered('$status'), '200')
    assert.equal(rendered('${ uri }'), '/a')
  })

  it('gives the empty string for a variable without a value, its fallback when one is written', () => {
    assert.equal(rendered('[$arg_none]'), '[]')
    assert.equal(rendered('[${arg_none ?? none of it}]'), '[none of it]')
    assert.equal(rendered('[${arg_none ??}]'), '[]')
    assert.equal(rendered('[${http_x ?? other}]'), '[X]')
    assert.equal(rendered('[${arg_q ?? other}]'), '[]')
  })

  it('keeps an escaped dollar with its backslash, and a dollar without a name', () => {
    assert.equal(rendered('\\$uri costs 5$ or $ 5 or ${}'), '\\$uri costs 5$ or $ 5 or ${}')
    assert.equal(rendered('${uri'), '${uri')
  })

  it('ends a numbered name after its digits, and takes structured names in braces', () => {
    assert.equal(rendered('$1abc'), 'oneabc')
    assert.equal(rendered('${post_arg.a[*]}'), '["p","q"]')
  })

  it('encodes what variables give and not its own text', () => {
    assert.equal(compileTemplate('a b/$uri', encodeURIComponent).render(source), 'a b/%2Fa')
    assert.equal(compileTemplate('$uri', encodeURIComponent).render(source), '%2Fa')
  })

  it('tells whether any variable was resolved', () => {
    assert.equal(compileTemplate('k-$uri-$arg_none').renderResolved(source), 'k-/a-')
    assert.equal(compileTemplate('k-$arg_none').renderResolved(source), undefined)
    assert.equal(compileTemplate('$arg_none').renderResolved(source), undefined)
    assert.equal(compileTemplate('${arg_none ?? d}').renderResolved(source), 'd')
    assert.equal(compileTemplate('constant').renderResolved(source), undefined)
    assert.equal(compileTemplate('constant').isConstant, true)
  })

  it('can be taken apart', () => {
    assert.deepEqual(parseTemplate('/a$uri?b=${arg_c ?? d}'), [
      '/a',
      { name: 'uri', fallback: undefined },
      '?b=',
      { name: 'arg_c', fallback: 'd' },
    ])
  })
})
