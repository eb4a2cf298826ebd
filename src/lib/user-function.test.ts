import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileUserFunction } from './user-function.ts'

const form = 'function (vars) { return vars.arg_a === "1" }'

describe('compileUserFunction', () => {
  it('runs a function expression and an arrow function', () => {
    assert.equal(compileUserFunction('function (a) { return a + 1 }', form)(1), 2)
    assert.equal(compileUserFunction('(a) => a + 2', form)(1), 3)
  })

  it('refuses Lua with a sentence that shows the JavaScript form', () => {
    const lua = 'function(vars) if vars.arg_a == "1" then return true end end'
    assert.throws(() => compileUserFunction(lua, form), /Lua source is not run here.*function \(vars\)/)
    assert.throws(() => compileUserFunction('function(vars) return vars.x ~= nil end', form), /Lua/)
  })

  it('tells what is wrong with broken JavaScript', () => {
    assert.throws(() => compileUserFunction('function (a) { return a + }', form), /Unexpected token/)
    assert.throws(() => compileUserFunction('42', form), /not a function/)
  })
})
