import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { explain } from './explain.ts'
import { SCHEMAS } from './schemas/index.ts'
import { compileValidator } from './validator.ts'

const REQUIRED_AB = { type: 'object', required: ['a', 'b'] }
const STRING = { type: 'string' }

/** Schema, value, message; one row per line of contract §3.1. */
const MESSAGES: [object, unknown, string | undefined][] = [
  [STRING, 1, 'wrong type: expected string, got number'],
  [STRING, null, 'wrong type: expected string, got userdata'],
  [STRING, undefined, 'wrong type: expected string, got nil'],
  [STRING, true, 'wrong type: expected string, got boolean'],
  [STRING, {}, 'wrong type: expected string, got table'],
  [STRING, [], 'wrong type: expected string, got table'],
  [{ type: 'integer' }, 1.5, 'wrong type: expected integer, got number'],
  [{ type: 'integer' }, '1', 'wrong type: expected integer, got string'],
  [{ type: ['string', 'object'] }, 1, 'wrong type: expected one of string, object, got number'],
  [{ type: 'array' }, { a: 1 }, 'wrong type: expected array, got table'],
  [{ type: 'object' }, [1], 'wrong type: expected object, got table'],
  [
    { properties: { x: STRING } },
    { x: 1 },
    'property "x" validation failed: wrong type: expected string, got number',
  ],
  [REQUIRED_AB, { a: 1 }, 'property "b" is required'],
  [{ dependencies: { a: ['b'] } }, { a: 1 }, 'property "b" is required when "a" is set'],
  [
    { dependencies: { a: { required: ['c'] } } },
    { a: 1 },
    'failed to validate dependent schema for "a": property "c" is required',
  ],
  [
    { patternProperties: { '^e': STRING } },
    { env: 1 },
    'failed to validate env (matching "^e"): wrong type: expected string, got number',
  ],
  [
    { properties: { a: {} }, additionalProperties: false },
    { b: 1 },
    'additional properties forbidden, found b',
  ],
  [
    { additionalProperties: STRING },
    { b: 1 },
    'failed to validate additional property b: wrong type: expected string, got number',
  ],
  [{ type: 'object', minProperties: 2 }, { a: 1 }, 'expect object to have at least 2 properties'],
  [{ type: 'object', maxProperties: 1 }, { a: 1, b: 1 }, 'expect object to have at most 1 properties'],
  [{ type: 'array', minItems: 1 }, [], 'expect array to have at least 1 items'],
  [{ type: 'array', minItems: 1 }, {}, 'expect array to have at least 1 items'],
  [{ type: 'array', maxItems: 1 }, [1, 2], 'expect array to have at most 1 items'],
  [{ items: STRING }, ['a', 1], 'failed to validate item 2: wrong type: expected string, got number'],
  [
    { items: [STRING, STRING] },
    ['a', 1],
    'failed to validate item 2: wrong type: expected string, got number',
  ],
  [
    { type: 'array', uniqueItems: true },
    ['a', 'b', 'a'],
    'expected unique items but items 1 and 3 are equal',
  ],
  [
    { type: 'array', uniqueItems: true },
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    'expected unique items but items 1 and 2 are equal',
  ],
  [{ minLength: 2 }, '€', 'string too short, expected at least 2, got 1'],
  [{ maxLength: 1 }, '😀😀', 'string too long, expected at most 1, got 2'],
  [{ pattern: '^a$' }, 'b', 'failed to match pattern "^a$" with "b"'],
  [{ minimum: 1 }, 0, 'expected 0 to be at least 1'],
  [{ exclusiveMinimum: 0 }, 0, 'expected 0 to be greater than 0'],
  [{ maximum: 1 }, 1.5, 'expected 1.5 to be at most 1'],
  [{ exclusiveMaximum: 1 }, 1e15, 'expected 1e+15 to be smaller than 1'],
  [{ multipleOf: 2 }, 3, 'expected 3 to be a multiple of 2'],
  [{ enum: ['a', 1] }, 'b', 'matches none of the enum values'],
  [{ allOf: [{}, STRING] }, 1, 'allOf 2 failed: wrong type: expected string, got number'],
  [{ anyOf: [STRING, { type: 'boolean' }] }, 1, 'object matches none of the required'],
  [
    { anyOf: [{ required: ['a', 'b'] }, { required: ['c'] }] },
    { d: 1 },
    'object matches none of the required: ["a","b"] or ["c"]',
  ],
  [{ oneOf: [STRING, { type: 'boolean' }] }, 1, 'value should match only one schema, but matches none'],
  [
    { oneOf: [{ minimum: 5 }, { minimum: 1 }, { minimum: 2 }] },
    3,
    'value should match only one schema, but matches both schemas 2 and 3',
  ],
  // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON schema
  [{ if: { minimum: 5 }, then: { maximum: 6 } }, 7, 'then clause did not match'],
  [{ if: { minimum: 5 }, else: { maximum: 3 } }, 4, 'else clause did not match'],
  [{ not: STRING }, 'a', "value wasn't supposed to match schema"],
  [{ format: 'ipv4' }, '1.2.3.400', 'expect valid ipv4 format but got: 1.2.3.400'],
  [{ format: 'ipv6' }, '1.2.3.4', 'expect valid ipv6 format but got: 1.2.3.4'],
]

const ACCEPTED: [string, object, unknown][] = [
  ['an empty array where an object is wanted', { type: 'object' }, []],
  ['an empty object where an array is wanted', { type: 'array', items: STRING }, {}],
  ['a regex found anywhere in the text', { pattern: 'b' }, 'abc'],
  ['a length in code points', { type: 'string', maxLength: 2 }, '😀😀'],
  ['a pattern that is none under the "u" flag', { pattern: '^[\\w-.]+$' }, 'a-b.c'],
  [
    'a secret reference in place of a text',
    { type: 'string', maxLength: 3, pattern: '^x$' },
    '$secret://vault/1/a/b',
  ],
  ['an environment reference in either case', { minLength: 99 }, '$ENV://HOME'],
  ['an unknown format', { format: 'something' }, 'else'],
]

describe('compileValidator', () => {
  for (const [schema, value, message] of MESSAGES) {
    it(`answers ${JSON.stringify(value)} against ${JSON.stringify(schema)} with the contract's message`, () => {
      assert.equal(compileValidator(schema)(value), message)
    })
  }

  for (const [what, schema, value] of ACCEPTED) {
    it(`accepts ${what}`, () => assert.equal(compileValidator(schema)(value), undefined))
  }

  it('keeps nothing of a schema that nobody holds any more', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const makeAndForget = () => {
      const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^x', default: 'x' } } }
      assert.equal(compileValidator(schema)({}), undefined)
      return new WeakRef(schema)
    }
    const forgotten = Array.from({ length: 100 }, makeAndForget)
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    // One or another may still lie on a stack.
    assert.ok(forgotten.filter((one) => one.deref() !== undefined).length < 10)
  })

  it('does not take a secret reference for a number', () => {
    assert.equal(compileValidator({ type: 'number' })('$env://A'), 'wrong type: expected number, got string')
  })

  it('checks a value before it looks for what is missing, and members before the whole', () => {
    const schema = {
      properties: { a: STRING, b: STRING },
      required: ['b'],
      anyOf: [{ required: ['c'] }],
      additionalProperties: false,
    }
    assert.match(compileValidator(schema)({ a: 1 }) ?? '', /^property "a" validation failed/)
    assert.equal(compileValidator(schema)({ z: 1 }), 'property "b" is required')
    assert.equal(compileValidator(schema)({ b: '', z: 1 }), 'additional properties forbidden, found z')
    assert.equal(compileValidator(schema)({ b: '' }), 'object matches none of the required: ["c"]')
  })

  it('fills defaults in place, also below anyOf and in items', () => {
    const value = { nodes: [{ host: 'a', weight: 1 }], checks: { active: { healthy: [] } } }
    assert.equal(compileValidator(SCHEMAS.upstreams)(value), undefined)
    const { checks, ...rest } = value as Record<string, unknown>
    assert.deepEqual(rest, {
      nodes: [{ host: 'a', weight: 1, priority: 0 }],
      type: 'roundrobin',
      hash_on: 'vars',
      scheme: 'http',
      pass_host: 'pass',
    })
    const { active } = checks as { active: Record<string, unknown> }
    assert.deepEqual(active['healthy'], { interval: 1, http_statuses: [200, 302], successes: 2 })
    assert.equal(active['unhealthy'], undefined)
  })

  it('leaves nothing of a branch that does not fit', () => {
    const schema = {
      anyOf: [
        { properties: { mode: { default: 'a' } }, required: ['x'] },
        { properties: { y: { default: 1 } }, additionalProperties: false },
      ],
    }
    const value = {}
    assert.equal(compileValidator(schema)(value), undefined)
    assert.deepEqual(value, { y: 1 })
  })

  it('fills defaults with fresh values', () => {
    const validate = compileValidator({ properties: { list: { default: [] } } })
    const [one, two] = [{} as { list?: unknown[] }, {} as { list?: unknown[] }]
    validate(one)
    validate(two)
    one.list?.push(1)
    assert.deepEqual(two.list, [])
  })

  it('turns an empty container into the kind that the schema names', () => {
    const value = { list: {}, map: [] }
    const schema = { properties: { list: { type: 'array' }, map: { type: 'object' } } }
    assert.equal(compileValidator(schema)(value), undefined)
    assert.deepEqual(value, { list: [], map: {} })
  })

  it('does not take inherited names for members', () => {
    const schema = { type: 'object', required: ['constructor'], properties: { toString: { type: 'string' } } }
    assert.equal(compileValidator(schema)({}), 'property "constructor" is required')
  })

  it('sees a __proto__ key as the ordinary member it is', () => {
    const value = JSON.parse('{"__proto__":{"admin":true}}')
    assert.equal(
      compileValidator({ type: 'object', additionalProperties: false })(value),
      'additional properties forbidden, found __proto__',
    )
    assert.match(
      compileValidator({ additionalProperties: STRING })(value) ?? '',
      /property __proto__: wrong type/,
    )
  })

  it('compiles one validator per schema object', () => {
    const schema = { type: 'string' }
    assert.equal(compileValidator(schema), compileValidator(schema))
  })

  it('refuses a schema whose rules it could not explain', () => {
    const schema = { properties: { a: { items: { $ref: '#/x' } } } }
    assert.throws(
      () => compileValidator(schema),
      /schema \/properties\/a\/items: the keyword "\$ref" is not supported/,
    )
  })

  it('refuses a schema that is none before there is anything to check', () => {
    assert.throws(() => compileValidator({ properties: { a: { type: 'txt' } } }), /schema is invalid/)
    assert.throws(() => compileValidator({ items: { pattern: '(' } }), /schema \/items: Invalid regular/)
    assert.throws(() => compileValidator({ patternProperties: { '[': true } }), /schema \/: Invalid regular/)
  })

  it('finds nothing wrong with what ajv accepted', () => {
    const names = fc.constantFrom(
      'a',
      'b',
      'id',
      'nodes',
      'uri',
      'plugins',
      'status',
      'labels',
      '__proto__',
      'type',
    )
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('', 'a', '/x', 'GET', 'chash', '::1', 'a b', null, 0, 1, 2, 70000, 1.5, true),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.array(fc.tuple(names, tie('any')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
      ),
    })).any
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(SCHEMAS)), value, (schema, document) => {
        const copy = structuredClone(document)
        const message = compileValidator(schema)(document)
        assert.equal(message, explain(schema, copy))
        if (message === undefined) assert.deepEqual(document, copy)
      }),
      { numRuns: 500 },
    )
  })
})
