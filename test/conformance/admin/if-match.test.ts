import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, type Row, startAdmin } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }
/** As in etcd, the first thing in a store has revision 2. */
const GIVEN = { 'routes/1': { ...ROUTE, id: '1', create_time: 1, update_time: 1 } }
const AT_2 = 'precondition failed: /apisix/routes/1 is at revision 2; '
const NOT_THERE = 'precondition failed: /apisix/routes/2 does not exist; '

const WRITES: readonly [string, string, unknown][] = [
  ['PUT', '/routes/1', { uri: '/b', plugins: {} }],
  ['PATCH', '/routes/1', { uri: '/b' }],
  ['PATCH', '/routes/1/uri', '"/b"'],
  ['DELETE', '/routes/1', undefined],
]

describe('If-Match', () => {
  const met = ['"2"', '2', ' "2" ', '"7", "2"', '*'].flatMap((value) =>
    WRITES.map(
      ([method, path, body]): Row => ({
        rule: `${value} lets ${method} ${path} of revision 2 pass`,
        given: GIVEN,
        request: [method, path, body],
        headers: { 'if-match': value },
        status: 200,
      }),
    ),
  )
  const failed = ['"7"', '7', '"0"', '"7", "8"'].flatMap((value) =>
    WRITES.map(
      ([method, path, body]): Row => ({
        rule: `${value} refuses ${method} ${path} of revision 2 and names it`,
        given: GIVEN,
        request: [method, path, body],
        headers: { 'if-match': value },
        status: 412,
        answer: `${AT_2}If-Match asks for revision ${value.replaceAll('"', '').replace(', ', ' or ')}`,
      }),
    ),
  )
  const malformed = ['x', '""', '"1', 'W/"1"', '"1",', '', '-1', '1.5', '"99999999999999999"'].map(
    (value): Row => ({
      rule: `${JSON.stringify(value)} is malformed`,
      given: GIVEN,
      request: ['PUT', '/routes/1', ROUTE],
      headers: { 'if-match': value },
      status: 400,
      answer: `invalid If-Match: ${value}; use the modifiedIndex of the resource, such as "123", or *`,
    }),
  )
  checkRows([
    ...met,
    ...failed,
    ...malformed,
    {
      rule: 'a revision refuses a PUT of what does not exist',
      request: ['PUT', '/routes/2', ROUTE],
      headers: { 'if-match': '"1"' },
      status: 412,
      answer: `${NOT_THERE}If-Match asks for revision 1`,
    },
    {
      rule: '* refuses a PUT of what does not exist',
      request: ['PUT', '/routes/2', ROUTE],
      headers: { 'if-match': '*' },
      status: 412,
      answer: `${NOT_THERE}If-Match: * asks that it exists`,
    },
    {
      rule: 'refuses a POST, whose resource has no revision',
      request: ['POST', '/routes', ROUTE],
      headers: { 'if-match': '"1"' },
      status: 412,
      answer: 'precondition failed: POST makes a new resource, which has no revision for If-Match',
    },
    {
      rule: 'leaves a 404 of PATCH as it is',
      request: ['PATCH', '/routes/2', { uri: '/b' }],
      headers: { 'if-match': '"1"' },
      status: 404,
      answer: { message: 'Key not found' },
    },
    {
      rule: 'leaves a 404 of DELETE as it is',
      request: ['DELETE', '/routes/2'],
      headers: { 'if-match': '"1"' },
      status: 404,
      answer: { message: 'Key not found' },
    },
    {
      rule: 'is looked at before the credentials of a consumer are deleted',
      given: {
        'consumers/jack': { username: 'jack' },
        'consumers/jack/credentials/1': { id: '1', plugins: {} },
      },
      request: ['DELETE', '/consumers/jack'],
      headers: { 'if-match': '"9"' },
      status: 412,
    },
    {
      rule: 'is looked at before what uses a resource',
      given: { 'upstreams/1': { nodes: {} }, 'routes/1': { uri: '/a', upstream_id: '1' } },
      dependents: [{ kind: 'routes', id: '1', via: 'reference' }],
      request: ['DELETE', '/upstreams/1'],
      headers: { 'if-match': '"9"' },
      status: 412,
    },
    {
      rule: 'means nothing to a GET',
      given: GIVEN,
      request: ['GET', '/routes/1'],
      headers: { 'if-match': 'x' },
      status: 200,
    },
  ])

  for (const [method, path, body] of WRITES) {
    it(`refuses ${method} ${path} when another write comes between the look and the write`, async () => {
      const { store } = await startAdmin()
      let interfere = async () => {}
      const racing = new Proxy(store, {
        get: (target, name) => {
          const member = Reflect.get(target, name)
          if (typeof member !== 'function') return member
          return async (...args: unknown[]) => {
            if (name === 'put' || name === 'delete') await interfere()
            return member.apply(target, args)
          }
        },
      })
      const admin = await startAdmin({ store: racing })
      await store.put('/apisix/routes/1', JSON.stringify(ROUTE))
      interfere = async () => {
        await store.put('/apisix/routes/1', '{"uri":"/other","plugins":{}}')
      }
      const shown = await admin.send(method, path, { body, headers: { 'if-match': '"2"' } })
      assert.equal(shown.status, 412, shown.text)
      assert.deepEqual(shown.body, {
        error_msg:
          'precondition failed: /apisix/routes/1 is at revision 3; it was changed while this request was being checked',
      })
      assert.match((await store.get('/apisix/routes/1'))!.value, /other/)
    })
  }
})

describe('If-None-Match', () => {
  checkRows([
    {
      rule: '* lets a PUT create',
      request: ['PUT', '/routes/1', ROUTE],
      headers: { 'if-none-match': '*' },
      status: 201,
      has: { etag: '"2"' },
    },
    ...WRITES.map(
      ([method, path, body]): Row => ({
        rule: `* refuses ${method} ${path} of what exists`,
        given: GIVEN,
        request: [method, path, body],
        headers: { 'if-none-match': '*' },
        status: 412,
        answer: `${AT_2}If-None-Match: * asks that it does not exist`,
      }),
    ),
    {
      rule: '* lets a POST pass',
      request: ['POST', '/routes', ROUTE],
      headers: { 'if-none-match': '*' },
      status: 201,
    },
    {
      rule: 'takes nothing but *',
      request: ['PUT', '/routes/1', ROUTE],
      headers: { 'if-none-match': '"1"' },
      status: 400,
      answer: 'invalid If-None-Match: "1"; only * is supported, "must not exist"',
    },
  ])

  it('* lets exactly one of many PUTs create', async () => {
    const admin = await startAdmin()
    const shown = await Promise.all(
      Array.from({ length: 8 }, () =>
        admin.send('PUT', '/routes/1', { body: ROUTE, headers: { 'if-none-match': '*' } }),
      ),
    )
    assert.deepEqual(shown.map(({ status }) => status).sort(), [201, 412, 412, 412, 412, 412, 412, 412])
  })
})

describe('ETag', () => {
  checkRows([
    {
      rule: 'is on a GET of one',
      given: GIVEN,
      request: ['GET', '/routes/1'],
      status: 200,
      has: { etag: '"2"' },
    },
    {
      rule: 'is not on a list',
      given: GIVEN,
      request: ['GET', '/routes'],
      status: 200,
      has: { etag: undefined },
    },
    {
      rule: 'is not on a DELETE',
      given: GIVEN,
      request: ['DELETE', '/routes/1'],
      status: 200,
      has: { etag: undefined },
    },
    {
      rule: 'is not on a refusal',
      given: GIVEN,
      request: ['PUT', '/routes/1', {}],
      status: 400,
      has: { etag: undefined },
    },
  ])

  it('of each write is what the next If-Match takes', async () => {
    const admin = await startAdmin()
    const created = await admin.send('PUT', '/routes/1', { body: ROUTE })
    const patched = await admin.send('PATCH', '/routes/1', {
      body: { uri: '/b' },
      headers: { 'if-match': String(created.headers.etag) },
    })
    assert.equal(patched.status, 200)
    const { headers, body } = await admin.send('GET', '/routes/1')
    assert.equal(headers.etag, patched.headers.etag)
    assert.equal(headers.etag, `"${(body as { modifiedIndex: number }).modifiedIndex}"`)
    const late = await admin.send('PUT', '/routes/1', {
      body: ROUTE,
      headers: { 'if-match': String(created.headers.etag) },
    })
    assert.equal(late.status, 412)
  })

  it('of a POST is that of the resource, not of the number it is called by', async () => {
    const admin = await startAdmin()
    const posted = await admin.send('POST', '/routes', { body: ROUTE })
    const { id } = (posted.body as { value: { id: string } }).value
    assert.equal((await admin.send('GET', `/routes/${id}`)).headers.etag, posted.headers.etag)
  })
})
