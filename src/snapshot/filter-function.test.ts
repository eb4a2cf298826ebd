import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileFilterFunction } from './filter-function.ts'

const source = (vars: Record<string, unknown>) => ({ var: (name: string) => vars[name] })

describe('compileFilterFunction', () => {
  it('gives the request variables as properties', () => {
    const filter = compileFilterFunction("function(vars) { return vars.arg_name === 'json' }")
    assert.equal(filter(source({ arg_name: 'json' })), true)
    assert.equal(filter(source({ arg_name: 'xml' })), false)
    assert.equal(filter(source({})), false)
  })

  it('says whether a variable is there', () => {
    const filter = compileFilterFunction("function(vars) { return 'http_x' in vars }")
    assert.equal(filter(source({ http_x: '' })), true)
    assert.equal(filter(source({})), false)
  })

  it('refuses Lua with a sentence that shows the JavaScript form', () => {
    assert.throws(
      () => compileFilterFunction("function(vars) return vars['arg_name'] == 'json' end"),
      /^ConfigError: failed to load 'filter_func' string: Lua .*function\(vars\) \{ return vars\.arg_name/,
    )
  })

  it('refuses what cannot be parsed, naming the place', () => {
    assert.throws(
      () => compileFilterFunction('function(vars) { return ( }'),
      /failed to load 'filter_func' string: /,
    )
  })

  for (const form of ['async function() { return false }', 'function*() { return false }']) {
    it(`refuses ${form}, whose result would always be true`, () => {
      assert.throws(() => compileFilterFunction(form), /neither async nor a generator/)
    })
  }

  it('shows nothing of a request once it is over', () => {
    const filter = compileFilterFunction(
      'function(vars) { globalThis.leaked = globalThis.leaked || vars; return globalThis.leaked.uri }',
    )
    assert.equal(filter(source({ uri: '/a' })), true)
    const { leaked } = globalThis as unknown as { leaked: { uri?: unknown } }
    delete (globalThis as { leaked?: unknown }).leaked
    assert.equal(leaked.uri, undefined)
  })

  it('cannot be used to write to the variables', () => {
    const filter = compileFilterFunction('function(vars) { vars.uri = 1; return true }')
    assert.throws(() => filter(source({ uri: '/a' })), TypeError)
  })
})
