import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { canonicalText, toDraft7 } from './draft7.ts'
import requestValidation from './index.ts'
import { compileUserSchema } from './user-schema.ts'

type Config = Record<string, unknown>

const FORM = 'application/x-www-form-urlencoded'
const PERSON = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', minLength: 2 },
    age: { type: 'integer', minimum: 0 },
    tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
    role: { type: 'string', default: 'reader' },
  },
}

/** Sends bodies to a gateway; answers with status, text, and what the node got. */
async function behind(t: TestContext, config: Config) {
  const node = await fakeUpstream(t, (incoming, response) => {
    let body = ''
    incoming.on('data', (chunk) => (body += chunk))
    incoming.on('end', () => response.end(body))
  })
  const plugins = { 'request-validation': config }
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
  })
  return async (body: string | Uint8Array | undefined, headers: Record<string, string> = {}) => {
    const init = { method: 'POST', headers, ...(body !== undefined && { body }) }
    const response = await fetch(gateway.proxyUrl, init)
    return [response.status, await response.text(), response.headers.get('content-type')] as const
  }
}

describe('request-validation of bodies', () => {
  it('lets a body through that fits, written anew with the defaults of the schema', async (t) => {
    const send = await behind(t, { body_schema: PERSON })
    const [status, body] = await send('{ "name": "jack",\n "age": 7 }')
    assert.deepEqual([status, body], [200, '{"name":"jack","age":7,"role":"reader"}'])
  })

  it('refuses one that does not, and says why as plain text', async (t) => {
    const send = await behind(t, { body_schema: PERSON })
    for (const [body, reason] of [
      ['{}', 'property "name" is required'],
      ['{"name":7}', 'property "name" validation failed: wrong type: expected string, got number'],
      ['{"name":"x"}', 'property "name" validation failed: string too short, expected at least 2, got 1'],
      [
        '{"name":"jack","tags":["a",null]}',
        'property "tags" validation failed: failed to validate item 2: wrong type: expected string, got userdata',
      ],
      ['[]', 'wrong type: expected object, got table'],
      ['{"name":"$env://HOME_","age":-1}', 'property "age" validation failed: expected -1 to be at least 0'],
    ] as const)
      assert.deepEqual(await send(body), [400, reason, 'text/plain; charset=utf-8'], body)
  })

  it('takes forms, whose values are strings, lists and true', async (t) => {
    const schema = {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string' },
        tags: { type: 'array' },
        flag: { type: 'boolean' },
        more: { default: 'ä&' },
      },
    }
    const send = await behind(t, { body_schema: schema })
    const form = { 'content-type': `${FORM}; charset=utf-8` }
    const [status, body] = await send('name=a+b%26&tags=1&tags=2&flag', form)
    assert.deepEqual([status, body], [200, 'name=a%20b%26&tags=1&tags=2&flag&more=%C3%A4%26'])
    assert.deepEqual((await send('nam=a', form)).slice(0, 2), [400, 'property "name" is required'])
    assert.equal((await send('name=%ff', form))[0], 400)
  })

  it('has a status and a message of its own', async (t) => {
    const send = await behind(t, { body_schema: PERSON, rejected_code: 422, rejected_msg: 'try again' })
    for (const body of ['{}', 'no json', undefined])
      assert.deepEqual((await send(body)).slice(0, 2), [422, 'try again'])
  })

  it('answers the page of the status when there is no body', async (t) => {
    const send = await behind(t, { body_schema: PERSON })
    assert.deepEqual((await send(undefined)).slice(0, 2), [400, '{"error_msg":"400 Bad Request"}\n'])
  })

  it('refuses a body beyond max_req_body_size with 413', async (t) => {
    const send = await behind(t, { body_schema: {}, max_req_body_size: 10 })
    assert.equal((await send('"12345678"'))[0], 200)
    assert.equal((await send('"123456789"'))[0], 413)
  })

  it('forwards one reading of a key that stands twice, and refuses what readers take in different ways', async (t) => {
    const schema = { properties: { role: { enum: ['user'] } } }
    const send = await behind(t, { body_schema: schema })
    assert.deepEqual((await send('{"role":"admin","role":"user"}')).slice(0, 2), [200, '{"role":"user"}'])
    assert.equal((await send('{"role":"user","role":"admin"}'))[0], 400)
    for (const odd of [
      '\ufeff{"role":"user"}',
      '{"role":NaN}',
      '{"n":1e400}',
      '{"n":12345678901234567890}',
      '{',
    ])
      assert.equal((await send(odd))[0], 400, odd)
    assert.equal((await send(Buffer.from('{"role":"user","x":"\xff"}', 'latin1')))[0], 400)
    assert.equal((await send(`${'['.repeat(10_000)}${']'.repeat(10_000)}`))[0] < 500, true)
    const exact = '{"n":9007199254740992,"s":"12345678901234567890","f":0.1,"e":1e3}'
    assert.deepEqual((await send(exact)).slice(0, 2), [200, exact.replace('1e3', '1000')])
    assert.deepEqual((await send('{"__proto__":{"a":1}}')).slice(0, 2), [200, '{"__proto__":{"a":1}}'])
  })

  it('is not held up by patterns, nor by long lists that have to be unique', async (t) => {
    const properties = { a: { pattern: '^(a+)+$' }, list: { uniqueItems: true } }
    const send = await behind(t, { body_schema: { properties } })
    const startedAt = performance.now()
    assert.equal((await send(JSON.stringify({ a: `${'a'.repeat(50_000)}!` })))[0], 400)
    const list = Array.from({ length: 20_000 }, (_, i) => ({ i }))
    assert.equal((await send(JSON.stringify({ list })))[0], 200)
    assert.equal((await send(JSON.stringify({ list: [...list, { i: 0 }] })))[0], 400)
    assert.ok(performance.now() - startedAt < 3000)
  })
})

describe('request-validation of headers', () => {
  const header_schema = {
    type: 'object',
    required: ['x-a'],
    properties: { 'x-a': { type: 'string', pattern: '^\\d+$' }, 'X-B': { enum: ['b'] } },
  }
  const answer = (headers: Record<string, string | string[]>, config: Config = {}) =>
    mountPlugin(requestValidation, { header_schema, ...config }).request({ headers })

  it('lets those through that fit, by lower-case names or as the schema spells them', async () => {
    assert.equal((await answer({ 'X-A': '12', 'x-b': 'b' })).status, 200)
  })

  it('refuses others in the words of APISIX', async () => {
    const refused = async (headers: Record<string, string | string[]>) => (await answer(headers)).body
    assert.equal(await refused({}), 'property "x-a" is required')
    assert.equal(
      await refused({ 'x-a': 'b' }),
      'property "x-a" validation failed: failed to match pattern "^\\d+$" with "b"',
    )
    assert.equal(
      await refused({ 'x-a': '1', 'x-b': 'c' }),
      'property "X-B" validation failed: matches none of the enum values',
    )
    assert.match(await refused({ 'x-a': ['1', '2'] }), /wrong type: expected string, got table/)
  })

  it('quotes no more than a line of what was sent', async () => {
    assert.ok((await answer({ 'x-a': 'b'.repeat(5000) })).body.length <= 1000)
  })

  it('come before the body', async () => {
    const { status, body } = await answer({}, { body_schema: PERSON })
    assert.deepEqual([status, body], [400, 'property "x-a" is required'])
  })

  it('and a body need one Content-Type', async () => {
    const headers = { 'content-type': ['application/json', FORM] }
    const mounted = mountPlugin(requestValidation, { body_schema: {} })
    assert.equal((await mounted.request({ headers })).status, 400)
  })
})

describe('a schema of the configuration', () => {
  it('says what is wrong in the words of contract §3.1', () => {
    for (const [schema, value, words] of [
      [{ dependencies: { a: ['b'] } }, { a: 1 }, 'property "b" is required when "a" is set'],
      [{ properties: {}, additionalProperties: false }, { x: 1 }, 'additional properties forbidden, found x'],
      [{ minProperties: 1 }, {}, 'expect object to have at least 1 properties'],
      [{ maxItems: 1 }, [1, 2], 'expect array to have at most 1 items'],
      [{ maxLength: 1 }, 'ab', 'string too long, expected at most 1, got 2'],
      [{ exclusiveMaximum: 3 }, 3, 'expected 3 to be smaller than 3'],
      [{ multipleOf: 2 }, 3, 'expected 3 to be a multiple of 2'],
      [
        { anyOf: [{ required: ['a'] }, { required: ['b'] }] },
        {},
        'object matches none of the required: ["a"] or ["b"]',
      ],
      [{ oneOf: [{ type: 'null' }] }, 1, 'value should match only one schema, but matches none'],
      [{ oneOf: [{}, {}] }, 1, 'value should match only one schema, but matches both schemas 1 and 2'],
      [{ not: {} }, 1, "value wasn't supposed to match schema"],
      [{ format: 'ipv4' }, 'x', 'expect valid ipv4 format but got: x'],
      [
        { uniqueItems: true },
        [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
        'expected unique items',
      ],
    ] as const)
      assert.equal(compileUserSchema(schema, 's')(value), words)
  })

  it('may refer to its own definitions, and be of draft 4, 6 or 7', () => {
    const schema = {
      $schema: 'http://json-schema.org/draft-04/schema#',
      id: 'http://a/b',
      definitions: { positive: { minimum: 0, exclusiveMinimum: true } },
      properties: { n: { $ref: '#/definitions/positive' }, id: { type: 'string' } },
    }
    const check = compileUserSchema(schema, 's')
    assert.equal(check({ n: 1, id: 'x' }), undefined)
    assert.equal(check({ n: 0 }), 'property "n" validation failed: expected 0 to be greater than 0')
    assert.match(check({ id: 7 }) ?? '', /property "id"/)
    assert.deepEqual(toDraft7({ maximum: 1, exclusiveMaximum: false }), { maximum: 1 })
    assert.equal(canonicalText({ b: [1], a: 'x' }), '{"a":"x","b":[1]}')
  })

  it('of the same address can be used twice', () => {
    for (let i = 0; i < 2; i++) compileUserSchema({ $id: 'http://a/b', type: 'object' }, 's')
  })
})

describe('the configuration of request-validation', () => {
  it('refuses what cannot be used', () => {
    const refused = (config: Config) => refusal(requestValidation, config) ?? ''
    assert.equal(refused({}), 'object matches none of the required: ["header_schema"] or ["body_schema"]')
    assert.match(refused({ body_schema: { type: 'thing' } }), /^body_schema: schema is invalid/)
    assert.match(refused({ header_schema: { properties: { a: { pattern: '(' } } } }), /^header_schema: /)
    assert.match(
      refused({ body_schema: { $ref: 'http://elsewhere/x' } }),
      /^body_schema: can't resolve reference/,
    )
    assert.match(
      refused({ body_schema: { $schema: 'https://json-schema.org/draft/2020-12/schema' } }),
      /draft 4, 6 or 7/,
    )
    assert.match(refused({ body_schema: {}, rejected_code: 199 }), /expected 199 to be at least 200/)
    assert.match(refused({ body_schema: {}, rejected_msg: '' }), /string too short/)
    assert.match(refused({ body_schema: {}, max_req_body_size: 0 }), /expected 0 to be at least 1/)
  })
})
