import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeJsonError } from '../../../admin/api/json-error.ts'
import { startAdmin } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }

describe('a body', () => {
  const faults: [string, string][] = [
    ['{abc', 'Expected object key string but found invalid token at character 2'],
    ['{', 'Expected object key string but found T_END at character 2'],
    ['{"a":1,}', 'Expected object key string but found T_OBJ_END at character 8'],
    ['{"a" 1}', 'Expected colon but found T_NUMBER at character 6'],
    ['{"a":}', 'Expected value but found T_OBJ_END at character 6'],
    ['{"a":1 "b"}', 'Expected comma or object end but found T_STRING at character 8'],
    ['[1 2]', 'Expected comma or array end but found T_NUMBER at character 4'],
    ['[1,]', 'Expected value but found T_ARR_END at character 4'],
    ['{} x', 'Expected the end but found invalid token at character 4'],
    ['[[]]]', 'Expected the end but found T_ARR_END at character 5'],
    ['{"a":01}', 'Expected value but found invalid number at character 6'],
    ['{"a":"b', 'Expected value but found unexpected end of string at character 8'],
    ['{"a":"\\x"}', 'Expected value but found invalid escape code at character 7'],
    ['{"a":"\\u12"}', 'Expected value but found invalid unicode escape code at character 7'],
    ['   ', 'Expected value but found T_END at character 4'],
    ['\ufeff{}', 'Expected value but found invalid token at character 1'],
    ['{"a":NaN}', 'Expected value but found invalid token at character 6'],
  ]
  for (const [text, reason] of faults) {
    it(`of ${JSON.stringify(text)} is refused with the parser's words`, async () => {
      const admin = await startAdmin()
      const shown = await admin.send('PUT', '/routes/1', { body: text })
      assert.deepEqual(
        [shown.status, shown.body],
        [400, { error_msg: `invalid request body: ${reason}`, req_body: text }],
      )
      assert.deepEqual(await admin.content(), [])
    })
  }

  const unfit: [string, string | Buffer, string][] = [
    ['null', 'null', 'expected a JSON object, got null'],
    ['a text', '"a"', 'expected a JSON object, got a string'],
    ['a number', '1', 'expected a JSON object, got a number'],
    ['an array', '[1]', 'expected a JSON object, got an array'],
    ['a number that cannot be kept', '{"uri":"/a","priority":1e400}', 'a number is too large to be kept'],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0x7d]), 'not valid UTF-8'],
    [
      'more levels than can be kept',
      `${'['.repeat(1001)}${']'.repeat(1001)}`,
      'Found too many nested data structures (1001)',
    ],
    [
      'a hundred thousand levels',
      `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`,
      'Found too many nested data structures (1001)',
    ],
  ]
  for (const [what, body, reason] of unfit) {
    it(`of ${what} is refused`, async () => {
      const shown = await (await startAdmin()).send('PUT', '/routes/1', { body })
      assert.equal(shown.status, 400)
      assert.equal((shown.body as { error_msg: string }).error_msg, `invalid request body: ${reason}`)
    })
  }

  it('that is an empty array counts as an empty object', async () => {
    const shown = await (await startAdmin()).send('PUT', '/services/1', { body: '[]' })
    assert.equal(shown.status, 201)
    assert.deepEqual(Object.keys((shown.body as { value: object }).value), [
      'id',
      'create_time',
      'update_time',
    ])
  })

  for (const type of [
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'garbage',
    '\tx/y',
    'application/json\t; x',
    '',
  ]) {
    it(`is JSON under the label ${JSON.stringify(type)}, and checked like any other`, async () => {
      const admin = await startAdmin()
      const headers = { 'content-type': type }
      assert.equal((await admin.send('PUT', '/routes/1', { body: { uri: 1 }, headers })).status, 400)
      assert.equal((await admin.send('PUT', '/routes/1', { body: ROUTE, headers })).status, 201)
    })
  }

  it('may be as large as the limit and no larger', async () => {
    const admin = await startAdmin({ bodyLimit: 100 })
    const body = (size: number) => JSON.stringify({ desc: 'd'.repeat(size - 11) })
    assert.equal((await admin.send('PUT', '/services/1', { body: body(100) })).status, 201)
    const shown = await admin.send('PUT', '/services/2', { body: body(101) })
    assert.deepEqual(
      [shown.status, shown.body, shown.headers['x-api-version']],
      [
        400,
        { error_msg: 'invalid request body: request size 101 is greater than the maximum size 100 allowed' },
        undefined,
      ],
    )
  })

  it('is limited to 1.5 MiB when nothing else is said', async () => {
    const shown = await (await startAdmin()).send('PUT', '/services/1', { body: 'x'.repeat(1572865) })
    assert.equal(
      (shown.body as { error_msg: string }).error_msg,
      'invalid request body: request size 1572865 is greater than the maximum size 1572864 allowed',
    )
  })

  it('is looked at only after the key and the resource', async () => {
    const admin = await startAdmin({ bodyLimit: 10 })
    const body = 'x'.repeat(20)
    assert.equal((await admin.send('PUT', '/routes/1', { body, headers: { 'x-api-key': '' } })).status, 401)
    assert.equal((await admin.send('PUT', '/routs/1', { body })).status, 404)
  })

  it('of any size is described without exhausting the stack', () => {
    assert.match(
      describeJsonError(`{"a":"${'x\\n'.repeat(500_000)}"`),
      /^Expected comma or object end but found T_END/,
    )
    assert.match(describeJsonError('['.repeat(1_500_000)), /^Expected value but found T_END/)
  })
})

describe('names that mean something to JavaScript', () => {
  const attacks: [string, string, string, string][] = [
    [
      'PUT',
      '/routes/1',
      '{"uri":"/a","plugins":{},"__proto__":{"admin":true}}',
      'invalid configuration: additional properties forbidden, found __proto__',
    ],
    [
      'PUT',
      '/routes/1',
      '{"uri":"/a","plugins":{},"constructor":{"prototype":{}}}',
      'invalid configuration: additional properties forbidden, found constructor',
    ],
    ['PUT', '/routes/1', '{"uri":"/a","plugins":{"__proto__":{}}}', 'unknown plugin [__proto__]'],
    ['PUT', '/routes/1', '{"uri":"/a","plugins":{"constructor":{}}}', 'unknown plugin [constructor]'],
    [
      'PUT',
      '/routes/1',
      '{"__proto__":{"uri":"/a","plugins":{}}}',
      'invalid configuration: additional properties forbidden, found __proto__',
    ],
    [
      'PATCH',
      '/routes/old',
      '{"__proto__":{"polluted":1}}',
      'invalid configuration: additional properties forbidden, found __proto__',
    ],
    [
      'PATCH',
      '/routes/old',
      '{"constructor":{"prototype":{"polluted":1}}}',
      'invalid configuration: additional properties forbidden, found constructor',
    ],
    [
      'PATCH',
      '/routes/old/__proto__/polluted',
      '1',
      'invalid configuration: additional properties forbidden, found __proto__',
    ],
    [
      'PATCH',
      '/routes/old/constructor/prototype/polluted',
      '1',
      'invalid configuration: additional properties forbidden, found constructor',
    ],
    ['PATCH', '/routes/old/plugins/__proto__/polluted', '1', 'unknown plugin [__proto__]'],
  ]
  for (const [method, path, body, message] of attacks) {
    it(`are plain members in ${method} ${path} ${body}`, async () => {
      const admin = await startAdmin()
      await admin.send('PUT', '/routes/old', { body: ROUTE })
      const before = await admin.content()
      const shown = await admin.send(method, path, { body })
      assert.deepEqual([shown.status, shown.body], [400, { error_msg: message }])
      assert.deepEqual(await admin.content(), before)
      assert.equal(({} as { polluted?: unknown }).polluted, undefined)
    })
  }

  it('are plain members where any name is allowed', async () => {
    const admin = await startAdmin()
    const body = '{"uri":"/a","plugins":{},"labels":{"__proto__":"x"}}'
    const { text } = await admin.send('PUT', '/routes/1', { body })
    assert.match(text, /"labels":\{"__proto__":"x"\}/)
    assert.match(
      (await admin.send('PATCH', '/routes/1', { body: '{"labels":{"a":"b"}}' })).text,
      /"labels":\{"__proto__":"x","a":"b"\}/,
    )
    assert.match(
      (await admin.send('PATCH', '/routes/1', { body: '{"labels":{"__proto__":null}}' })).text,
      /"labels":\{"a":"b"\}/,
    )
  })

  for (const id of [
    'constructor',
    '__proto__',
    'toString',
    '..',
    '.',
    '%2e%2e',
    '..%2f..%2fgen_id',
    '%2e%2e%2fservices',
  ]) {
    it(`reach nothing as the id ${id}`, async () => {
      const admin = await startAdmin()
      assert.notEqual((await admin.send('GET', `/routes/${id}`)).status, 500)
      assert.notEqual((await admin.send('DELETE', `/routes/${id}`)).status, 200)
      assert.deepEqual(await admin.content(), [])
    })
  }

  it('are ids like any other', async () => {
    const admin = await startAdmin()
    for (const id of ['constructor', '__proto__']) {
      assert.equal((await admin.send('PUT', `/routes/${id}`, { body: ROUTE })).status, 201)
      assert.equal((await admin.send('DELETE', `/routes/${id}`)).status, 200)
    }
    for (const name of ['constructor', '__proto__']) {
      assert.equal((await admin.send('GET', `/${name}`)).status, 404)
      assert.equal((await admin.send('GET', `/plugins/${name}`)).status, 404)
      assert.equal((await admin.send('GET', `/schema/${name}`)).status, 400)
    }
  })
})
