import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import mocking from './index.ts'

const madeUp = async (response_schema: Record<string, unknown>, extra: Record<string, unknown> = {}) =>
  (await mountPlugin(mocking, { response_schema, ...extra }).request()).body
const object = (properties: Record<string, unknown>) => ({ type: 'object', properties })

describe('mocking with an example', () => {
  it('answers with it in place of the upstream and says that it is made up', async () => {
    const answer = await mountPlugin(mocking, { response_example: '{"a":1}' }).request()
    assert.deepEqual([answer.status, answer.body, answer.sent], [200, '{"a":1}', undefined])
    assert.deepEqual(answer.headers.raw(), [
      ...['Content-Type', 'application/json;charset=utf8'],
      ...['x-mock-by', 'APISIX/3.18.0'],
    ])
  })

  it('has a status, a content type and headers of its own', async () => {
    const config = {
      response_example: '<p>',
      response_status: 404,
      content_type: 'Text/HTML; charset=utf-8',
      with_mock_header: false,
      response_headers: { 'X-A': 'é$uri', 'X-N': 3 },
    }
    const answer = await mountPlugin(mocking, config).request()
    assert.equal(answer.status, 404)
    assert.deepEqual(answer.headers.raw(), [
      ...['Content-Type', 'Text/HTML; charset=utf-8'],
      ...['X-A', 'Ã©$uri', 'X-N', '3'],
    ])
  })

  it('fills in variables', async () => {
    const mounted = mountPlugin(mocking, { response_example: 'hello $arg_name from $remote_addr' })
    assert.equal((await mounted.request({ target: '/?name=jack' })).body, 'hello jack from 192.0.2.1')
  })

  it('prefers it to a schema', async () => {
    const config = { response_example: 'example', response_schema: { type: 'object' } }
    assert.equal((await mountPlugin(mocking, config).request()).body, 'example')
  })

  it('waits before it answers', async () => {
    const startedAt = performance.now()
    await mountPlugin(mocking, { response_example: '', delay: 1 }).request()
    assert.ok(performance.now() - startedAt > 900)
  })
})

describe('mocking with a schema', () => {
  it('takes the examples in it', async () => {
    const properties = {
      s: { type: 'string', example: 'abc' },
      n: { type: 'integer', example: 7 },
      list: { type: 'array', example: [1, 'a'] },
      falsy: { type: 'boolean', example: false },
    }
    assert.equal(await madeUp(object(properties)), '{"s":"abc","n":7,"list":[1,"a"],"falsy":false}')
  })

  it('makes up values of every type', async () => {
    const properties = {
      s: { type: 'string' },
      n: { type: 'number' },
      i: { type: 'integer' },
      b: { type: 'boolean' },
      o: object({ inner: { type: 'string' } }),
      list: { type: 'array', items: { type: 'integer' } },
      unknown: { type: 'date' },
    }
    for (let i = 0; i < 50; i++) {
      const body = JSON.parse(await madeUp(object(properties)))
      assert.match(body.s, /^[a-z]{1,10}$/)
      assert.ok(body.n >= 0 && body.n <= 10_000)
      assert.ok(Number.isInteger(body.i) && body.i >= 1 && body.i <= 10_000)
      assert.equal(typeof body.b, 'boolean')
      assert.match(body.o.inner, /^[a-z]+$/)
      assert.ok(body.list.length >= 1 && body.list.length <= 3)
      assert.ok(body.list.every(Number.isInteger))
      assert.equal('unknown' in body, false)
    }
  })

  it('makes up another body for each request', async () => {
    const mounted = mountPlugin(mocking, {
      response_schema: object({ s: { type: 'string', minLength: 10 } }),
    })
    assert.notEqual((await mounted.request()).body, (await mounted.request()).body)
  })

  it('keeps to the bounds that it has', async () => {
    const properties = {
      s: { type: 'string', minLength: 3, maxLength: 4 },
      long: { type: 'string', minLength: 30 },
      i: { type: 'integer', minimum: -5, maximum: -3 },
      few: { type: 'integer', maximum: -100 },
      n: { type: 'number', minimum: 0.5, maximum: 0.6 },
      list: { type: 'array', minItems: 5, maxItems: 5, items: { enum: ['x', 'y'] } },
    }
    for (let i = 0; i < 50; i++) {
      const body = JSON.parse(await madeUp(object(properties)))
      assert.match(body.s, /^[a-z]{3,4}$/)
      assert.match(body.long, /^[a-z]{30,40}$/)
      assert.ok(body.i >= -5 && body.i <= -3)
      assert.ok(body.few <= -100)
      assert.ok(body.n >= 0.5 && body.n <= 0.6)
      assert.match(body.list.join(''), /^[xy]{5}$/)
    }
  })

  it('writes XML', async () => {
    const schema = object({
      name: { type: 'string', example: 'a<b' },
      tag: { type: 'array', example: ['x', 'y'] },
    })
    const expected = '<data>\n<name>a&lt;b</name>\n<tag>x</tag>\n<tag>y</tag>\n</data>'
    assert.equal(await madeUp(schema, { content_type: 'application/xml' }), expected)
  })

  it('keeps names such as __proto__ as data', async () => {
    const schema = object(JSON.parse('{"__proto__":{"type":"string","example":"p"}}'))
    assert.equal(await madeUp(schema), '{"__proto__":"p"}')
  })
})

describe('the configuration of mocking', () => {
  it('refuses what cannot be used', () => {
    const refused = (config: Record<string, unknown>) => refusal(mocking, config) ?? ''
    assert.equal(
      refused({}),
      'object matches none of the required: ["response_example"] or ["response_schema"]',
    )
    assert.equal(refused({ response_example: '', content_type: 'image/png' }), 'unsupported content type!')
    assert.match(refused({ response_schema: {}, content_type: 'text/html' }), /takes a response_example/)
    assert.match(refused({ response_example: '', response_status: 100 }), /expected 100 to be at least 200/)
    assert.match(refused({ response_example: '', delay: -1 }), /expected -1 to be at least 0/)
    assert.equal(
      refused({ response_example: '', response_headers: { A: 'a\nb' } }),
      'invalid value character in header',
    )
    const xml = { content_type: 'text/xml' }
    assert.match(refused({ response_schema: object({ 'a b': {} }), ...xml }), /"a b" cannot be the name/)
    assert.match(
      refused({ response_schema: object({ n: { type: 'integer', minimum: 3, maximum: 1 } }) }),
      /response_schema\.n has no values between its bounds 3 and 1/,
    )
    for (const bad of [
      { type: 'integer', minimum: 1.2, maximum: 1.8 },
      { type: 'string', minLength: 'x' },
    ])
      assert.match(refused({ response_schema: object({ bad }) }), /has no values between its bounds/)
    assert.equal(refused({ response_schema: object({ odd: null, other: true }), ...xml }), '')
  })

  it('refuses a schema whose bodies would be without end', () => {
    let schema: Record<string, unknown> = { type: 'string' }
    for (let depth = 0; depth < 15; depth++) schema = { type: 'array', items: schema }
    assert.match(refusal(mocking, { response_schema: schema }) ?? '', /more than 1048576 characters/)
    const long = object({ s: { type: 'string', maxLength: 1e9 } })
    assert.match(refusal(mocking, { response_schema: long }) ?? '', /response_schema\.s can make up more/)
  })
})
