import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreUnavailableError } from '../../../src/store/config-store.ts'
import { ADMIN_KEY, startAdmin, VIEWER_KEY } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }
const HTML = { accept: 'text/html' }

describe('the admin API lets in', () => {
  const rows: [string, string, string, Record<string, string>, number, unknown][] = [
    ['a key in the header', 'GET', '/routes', { 'x-api-key': ADMIN_KEY }, 200, undefined],
    ['a key in the query', 'GET', `/routes?api_key=${ADMIN_KEY}`, { 'x-api-key': 'wrong' }, 200, undefined],
    ['a key in the cookie', 'GET', '/routes', { cookie: `a=b; x_api_key=${ADMIN_KEY}` }, 200, undefined],
    ['a viewer who reads', 'GET', '/routes', { 'x-api-key': VIEWER_KEY }, 200, undefined],
    ['nobody without a key', 'GET', '/routes', {}, 401, 'missing apikey'],
    ['nobody with a wrong key', 'GET', '/routes', { 'x-api-key': 'wrong' }, 401, 'wrong apikey'],
    ['nobody with an empty key', 'GET', '/routes', { 'x-api-key': '' }, 401, 'wrong apikey'],
    [
      'nobody with an empty key in the query',
      'GET',
      '/routes?api_key=',
      { 'x-api-key': ADMIN_KEY },
      401,
      'wrong apikey',
    ],
    [
      'no viewer who writes',
      'PUT',
      '/routes/1',
      { 'x-api-key': VIEWER_KEY },
      401,
      'invalid method for role viewer',
    ],
    [
      'no viewer who deletes',
      'DELETE',
      '/routes/1',
      { 'x-api-key': VIEWER_KEY },
      401,
      'invalid method for role viewer',
    ],
    [
      'no viewer who validates',
      'POST',
      '/schema/validate/routes',
      { 'x-api-key': VIEWER_KEY },
      401,
      'invalid method for role viewer',
    ],
    ['nobody to a path that does not exist', 'GET', '/nothing', {}, 401, 'missing apikey'],
    ['nobody to the plugins', 'GET', '/plugins/list', {}, 401, 'missing apikey'],
  ]
  for (const [who, method, path, headers, status, description] of rows) {
    it(who, async () => {
      const admin = await startAdmin()
      const body = method === 'PUT' ? ROUTE : undefined
      const shown = await admin.send(method, path, {
        body,
        headers: { 'x-api-key': undefined, ...headers },
      })
      assert.equal(shown.status, status)
      if (description) assert.deepEqual(shown.body, { error_msg: 'failed to check token', description })
      assert.deepEqual(await admin.content(), [])
    })
  }

  it('anyone when no key is required', async () => {
    const admin = await startAdmin({ keyRequired: false })
    assert.equal(
      (await admin.send('PUT', '/routes/1', { body: ROUTE, headers: { 'x-api-key': '' } })).status,
      201,
    )
  })

  it('no page of another site that brings no key of its own', async () => {
    const headers = { 'x-api-key': undefined, 'sec-fetch-site': 'cross-site' }
    const open = await startAdmin({ keyRequired: false })
    assert.equal((await open.send('PUT', '/routes/1', { body: ROUTE, headers })).status, 403)
    const admin = await startAdmin()
    const cookie = `x_api_key=${ADMIN_KEY}`
    assert.equal(
      (await admin.send('PUT', '/routes/1', { body: ROUTE, headers: { ...headers, cookie } })).status,
      403,
    )
    const own = { 'sec-fetch-site': 'cross-site' }
    assert.equal((await admin.send('PUT', '/routes/1', { body: ROUTE, headers: own })).status, 201)
  })

  it('only addresses of allow_admin, whatever headers say, and before the key is looked at', async () => {
    const admin = await startAdmin()
    const headers = { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' }
    const refused = await admin.send('GET', '/routes', { remoteAddress: '10.0.0.1', headers })
    assert.deepEqual([refused.status, refused.body], [403, { error_msg: '403 Forbidden' }])
    const page = await admin.send('OPTIONS', '/routes', { remoteAddress: '10.0.0.1', headers: HTML })
    assert.deepEqual([page.status, page.headers['content-type']], [403, 'text/html; charset=utf-8'])
    for (const remoteAddress of ['127.0.0.9', '::1', '::ffff:127.0.0.1']) {
      assert.equal((await admin.send('GET', '/routes', { remoteAddress })).status, 200)
    }
  })

  it('every address when allow_admin is absent', async () => {
    const admin = await startAdmin({ allowAdmin: undefined })
    assert.equal((await admin.send('GET', '/routes', { remoteAddress: '10.0.0.1' })).status, 200)
  })
})

describe('the admin API answers with', () => {
  it('its versions and a JSON label, also for plain text', async () => {
    const admin = await startAdmin()
    for (const path of ['/routes', '/nothing', '/plugins/list?subsystem=x', '//elsewhere']) {
      const { headers } = await admin.send('GET', path)
      assert.equal(headers.server, 'APISIX/3.18.0')
      assert.equal(headers['x-gatewright-version'], '0.1.0')
      assert.equal(headers['content-type'], 'application/json')
      assert.equal(headers['access-control-allow-origin'], '*')
    }
  })

  it('a newline after JSON', async () => {
    const admin = await startAdmin()
    assert.equal((await admin.send('GET', '/routes')).text, '{"total":0,"list":[]}\n')
  })

  const versioned: [string, string, unknown, boolean][] = [
    ['GET', '/routes', undefined, true],
    ['GET', '/routes/none', undefined, true],
    ['PUT', '/routes/1', ROUTE, true],
    ['PUT', '/routes/1', {}, true],
    ['POST', '/consumers', {}, true],
    ['GET', '/plugins/test-limit', undefined, true],
    ['GET', '/routs', undefined, false],
    ['PUT', '/routes/1', '{', false],
    ['PUT', '/routes/1?ttl=x', ROUTE, false],
    ['GET', '/plugins/list', undefined, false],
    ['POST', '/schema/validate/routes', ROUTE, false],
  ]
  for (const [method, path, body, isVersioned] of versioned) {
    it(`${isVersioned ? 'X-API-VERSION' : 'no X-API-VERSION'} to ${method} ${path} ${JSON.stringify(body) ?? ''}`, async () => {
      const { headers } = await (await startAdmin()).send(method, path, { body })
      assert.equal(headers['x-api-version'], isVersioned ? 'v3' : undefined)
    })
  }

  it('no X-API-VERSION to 401', async () => {
    const { headers } = await (await startAdmin()).send('GET', '/routes', { headers: { 'x-api-key': 'no' } })
    assert.equal(headers['x-api-version'], undefined)
  })

  it('200 to OPTIONS below its root, without a key', async () => {
    const shown = await (await startAdmin()).send('OPTIONS', '/any/thing', { headers: { 'x-api-key': '' } })
    assert.deepEqual([shown.status, shown.text], [200, ''])
    assert.equal(shown.headers['access-control-allow-methods'], 'POST, GET, PUT, OPTIONS, DELETE, PATCH')
    assert.equal(shown.headers['access-control-allow-headers'], '*')
    assert.equal(shown.headers['access-control-allow-origin'], '*')
    assert.equal(shown.headers['access-control-expose-headers'], undefined)
    assert.equal(shown.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(shown.headers['content-length'], '0')
  })

  it('no CORS headers when they are switched off', async () => {
    const admin = await startAdmin({ enableCors: false })
    assert.equal((await admin.send('GET', '/routes')).headers['access-control-allow-origin'], undefined)
    assert.equal((await admin.send('OPTIONS', '/routes')).status, 405)
  })

  it('200 to HEAD of its root, without a key', async () => {
    const shown = await (await startAdmin()).send('HEAD', '', { headers: { 'x-api-key': '' } })
    assert.deepEqual([shown.status, shown.text], [200, ''])
  })

  const bare: [string, string, number, string][] = [
    ['HEAD', '/routes', 404, ''],
    ['GET', '', 404, '404 Not Found'],
    ['GET', '//', 404, '404 Not Found'],
    ['GET', '//routes', 404, '404 Not Found'],
    ['PUT', '//apisix/adminx/routes/1', 404, '404 Not Found'],
    ['TRACE', '/routes', 405, '405 Method Not Allowed'],
    ['GET', '/../../routes', 404, '404 Not Found'],
    ['GET', '/routes/%00', 400, '400 Bad Request'],
  ]
  for (const [method, path, status, words] of bare) {
    it(`${status} to ${method} ${path}`, async () => {
      const admin = await startAdmin()
      const shown = await admin.send(method, path)
      assert.equal(shown.status, status)
      if (words) assert.deepEqual(shown.body, { error_msg: words })
      const page = await admin.send(method, path, { headers: HTML })
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
    })
  }

  it('503 and the reason when the store does not answer', async () => {
    const { store } = await startAdmin()
    const down = new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return () => Promise.reject(new StoreUnavailableError('has no healthy etcd endpoint available'))
      },
    })
    const admin = await startAdmin({ store: down })
    for (const [method, path, body] of [
      ['GET', '/routes'],
      ['GET', '/routes/1'],
      ['PUT', '/routes/1', ROUTE],
      ['PUT', '/routes/1', { uri: '/a', upstream_id: 1 }],
      ['POST', '/routes', ROUTE],
      ['PATCH', '/routes/1', ROUTE],
      ['DELETE', '/routes/1'],
    ] as const) {
      const shown = await admin.send(method, path, { body })
      assert.deepEqual(
        [shown.status, shown.body],
        [503, { error_msg: 'has no healthy etcd endpoint available' }],
      )
    }
  })

  it('500 without a word of the cause when something unforeseen fails', async () => {
    const { store } = await startAdmin()
    const broken = new Proxy(store, {
      get: (target, name) =>
        name === 'get' ? () => Promise.reject(new Error('secret detail')) : Reflect.get(target, name),
    })
    const shown = await (await startAdmin({ store: broken })).send('GET', '/routes/1')
    assert.deepEqual([shown.status, shown.body], [500, { error_msg: '500 Internal Server Error' }])
  })

  it('405 to writes while the store is read-only', async () => {
    const { store } = await startAdmin()
    const readOnly = new Proxy(store, {
      get: (target, name) => {
        if (name === 'isReadOnly') return true
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const admin = await startAdmin({ store: readOnly })
    const shown = await admin.send('PUT', '/routes/1', { body: ROUTE })
    assert.equal(shown.status, 405)
    assert.match(shown.text, /comes from the memory store, which is read-only/)
    assert.equal((await admin.send('GET', '/routes')).status, 200)
  })
})
