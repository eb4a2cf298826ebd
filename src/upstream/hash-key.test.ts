import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileHashKey, type HashSource } from './hash-key.ts'
import type { UpstreamSpec } from './spec.ts'

const VARIABLES: Readonly<Record<string, unknown>> = {
  arg_a: 'x',
  number: 7,
  empty: '',
  'http_X-User': 'jack',
  cookie_sid: 's1',
  consumer_name: 'c1',
}
const source: HashSource = { remoteAddr: '192.0.2.1', var: (name) => VARIABLES[name] }

const CASES: readonly (readonly [hashOn: UpstreamSpec['hashOn'], key: string | undefined, value: string])[] =
  [
    ['vars', 'arg_a', 'x'],
    ['vars', 'number', '7'],
    ['vars', 'missing', '192.0.2.1'],
    ['vars', 'empty', '192.0.2.1'],
    ['header', 'X-User', 'jack'],
    ['cookie', 'sid', 's1'],
    ['cookie', 'other', '192.0.2.1'],
    ['consumer', undefined, 'c1'],
    ['vars_combinations', '$arg_a$number', 'x7'],
    ['vars_combinations', '$missing', '192.0.2.1'],
  ]

describe('the key to hash on', () => {
  for (const [hashOn, key, value] of CASES) {
    it(`for ${hashOn} ${key ?? ''} is ${value}`, () => {
      assert.equal(compileHashKey({ hashOn, hashKey: key })(source), value)
    })
  }
})
