import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findReferences, parseReference } from './reference.ts'

describe('a reference to a secret', () => {
  const understood: [text: string, reference: object][] = [
    ['$env://NAME', { kind: 'env', name: 'NAME', field: undefined }],
    ['$ENV://NAME/key', { kind: 'env', name: 'NAME', field: 'key' }],
    ['$Env://NAME/a/b', { kind: 'env', name: 'NAME', field: 'a/b' }],
    ['$secret://vault/1/jack/key', { kind: 'secret', manager: 'vault/1', path: 'jack', field: 'key' }],
    [
      '$secret://vault/a-b/team/x/jack/key',
      { kind: 'secret', manager: 'vault/a-b', path: 'team/x/jack', field: 'key' },
    ],
    ['$SECRET://aws/1/jack', { kind: 'secret', manager: 'aws/1', path: 'jack', field: undefined }],
  ]
  for (const [text, reference] of understood) {
    it(`is understood as ${text}`, () => assert.deepEqual(parseReference(text), { ok: true, reference }))
  }

  const meaningless: [text: string, reason: RegExp][] = [
    ['$env://', /names no variable/],
    ['$env:///key', /names no variable/],
    ['$env://NAME/', /names no key/],
    ['$secret://', /names no secret manager/],
    ['$secret://vault', /names no secrets resource of vault/],
    ['$secret://vault/1', /names no secret in vault\/1/],
    ['$secret://vault/1/', /empty or dotted part/],
    ['$secret://vault/1/a//b', /empty or dotted part/],
    ['$secret://vault/1/../../sys/raw/key', /empty or dotted part/],
    ['$secret://vault/1/./a/key', /empty or dotted part/],
  ]
  for (const [text, reason] of meaningless) {
    it(`means nothing as ${text}, and says why`, () => {
      const parsed = parseReference(text)
      assert.ok(parsed && !parsed.ok)
      assert.match(parsed.reason, reason)
    })
  }

  it('is not any other text', () => {
    for (const text of ['', 'secret', 'env://A', '$env:/A', ' $env://A', '$envelope://A', '$uri']) {
      assert.equal(parseReference(text), undefined, text)
    }
  })
})

describe('finding references', () => {
  it('yields those in values at any depth, each once', () => {
    const document = {
      a: '$env://A',
      b: [{ c: '$secret://vault/1/p/f' }, '$env://A', 7, null, true],
      '$env://KEY': 'not in keys',
    }
    assert.deepEqual([...findReferences(document)].sort(), ['$env://A', '$secret://vault/1/p/f'])
  })

  it('ends on documents that are very deep or contain themselves', () => {
    let deep: unknown = '$env://A'
    for (let level = 0; level < 100_000; level++) deep = [deep]
    assert.deepEqual([...findReferences(deep)], ['$env://A'])
    const round: Record<string, unknown> = { a: '$env://B' }
    round['self'] = round
    assert.deepEqual([...findReferences(round)], ['$env://B'])
  })
})
