import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { envSource } from './read-env.ts'
import { resolveReferences } from './resolve.ts'

const source = envSource({ A: 'one', B: 'two' })

describe('resolving references', () => {
  it('returns the document itself when it holds none', () => {
    const document = { a: ['x', { b: 1 }] }
    assert.equal(resolveReferences(document, source).document, document)
  })

  it('puts values in, leaves the document as it was, and shares what did not change', () => {
    const document = { a: '$env://A', list: ['$env://B', 'x'], rest: { c: 1 } }
    const { document: resolved, unresolved } = resolveReferences(document, source)
    assert.deepEqual(resolved, { a: 'one', list: ['two', 'x'], rest: { c: 1 } })
    assert.deepEqual(unresolved, [])
    assert.equal(document.a, '$env://A')
    assert.equal(resolved.rest, document.rest)
  })

  it('says of each reference without a value where it stands and why', () => {
    const { document, unresolved } = resolveReferences({ plugins: { p: { keys: ['$env://NONE'] } } }, source)
    assert.deepEqual(unresolved, [
      {
        reference: '$env://NONE',
        path: 'plugins.p.keys.0',
        reason: 'the environment variable NONE is not set',
      },
    ])
    assert.deepEqual(document, { plugins: { p: { keys: ['$env://NONE'] } } })
  })

  it('never leaves a reference unmentioned because it stands too deep', () => {
    let deep: unknown = '$env://A'
    for (let level = 0; level < 50_000; level++) deep = [deep]
    const { unresolved } = resolveReferences(deep, source)
    assert.equal(unresolved.length, 1)
    assert.match(unresolved[0]!.reason, /more than 200 levels deep/)
  })

  it('does not reach prototypes through names', () => {
    const document = JSON.parse('{"__proto__": {"polluted": "$env://A"}}')
    const { document: resolved } = resolveReferences(document, source)
    assert.equal(Object.getPrototypeOf(resolved), Object.prototype)
    assert.deepEqual(Object.keys(resolved), ['__proto__'])
    assert.equal(JSON.stringify(resolved), '{"__proto__":{"polluted":"one"}}')
  })
})
