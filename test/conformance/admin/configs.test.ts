import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse, stringify } from 'yaml'
import { createLogger } from '../../../src/observe/logger.ts'
import { ConfigsStore } from '../../../src/store/configs-store.ts'
import { NOW, type Shown, startAdmin, VIEWER_KEY } from './start-admin.ts'

const KINDS = [
  ...[
    'routes',
    'services',
    'upstreams',
    'consumers',
    'consumer_groups',
    'ssls',
    'global_rules',
    'plugin_configs',
  ],
  ...['plugin_metadata', 'protos', 'secrets', 'stream_routes', 'plugins'],
]
const YAML = { 'content-type': 'application/yaml' }
const VERSIONS = (version: number) =>
  Object.fromEntries(KINDS.map((kind) => [`${kind}_conf_version`, version]))

const upstream = (port: number) => ({ nodes: { [`127.0.0.1:${port}`]: 1 } })
const route = (id: string, more: object = {}) => ({ id, uri: `/${id}`, upstream: upstream(80), ...more })

async function start() {
  const store = new ConfigsStore({ logger: createLogger('silent') })
  const admin = await startAdmin({ store })
  let puts = 0
  return {
    ...admin,
    /** With a digest of its own unless one is given. */
    put: (body: unknown, headers: Record<string, string | undefined> = {}) =>
      admin.send('PUT', '/configs', { body, headers: { 'x-digest': `digest-${++puts}`, ...headers } }),
    /** Puts what has to be taken. */
    take: async (body: unknown, digest?: string) => {
      const shown = await admin.send('PUT', '/configs', {
        body,
        headers: { 'x-digest': digest ?? `d-${++puts}` },
      })
      assert.equal(shown.status, 202, shown.text)
      return shown
    },
    get: async () => (await admin.send('GET', '/configs')).body as Record<string, unknown>,
    /** Key below the prefix to revision. */
    revisions: async () =>
      Object.fromEntries(
        (await store.list('/apisix/')).items.map(({ key, modRevision }) => [key.slice(8), modRevision]),
      ),
  }
}

const marks = ({ headers }: Shown) => [headers['x-digest'], headers['x-last-modified']]

describe('GET and HEAD configs', () => {
  it('show every version as 0 and no marks before there is a configuration', async () => {
    const admin = await start()
    const shown = await admin.send('GET', '/configs')
    assert.equal(shown.status, 200)
    assert.deepEqual(shown.body, VERSIONS(0))
    assert.deepEqual(marks(shown), [undefined, undefined])
    const head = await admin.send('HEAD', '/configs')
    assert.equal(head.status, 200)
    assert.equal(head.text, '')
    assert.deepEqual(marks(head), [undefined, undefined])
  })

  it('show what was put, its digest and when it came, in headers and body', async () => {
    const admin = await start()
    const body = {
      routes: [route('1')],
      consumers: [{ username: 'jack' }, { id: 'jack/credentials/a', plugins: { 'test-auth': { key: 'k' } } }],
      plugins: [{ name: 'test-limit' }],
      secrets: [{ id: 'vault/1', uri: 'http://127.0.0.1:1', prefix: 'kv', token: 't' }],
    }
    await admin.take(body, 'the "digest"')
    const shown = await admin.send('GET', '/configs')
    assert.deepEqual(shown.body, {
      ...VERSIONS(1),
      ...body,
      'X-Digest': 'the "digest"',
      'X-Last-Modified': NOW,
    })
    assert.equal(shown.headers['content-type'], 'application/json')
    for (const method of ['GET', 'HEAD']) {
      assert.deepEqual(marks(await admin.send(method, '/configs')), ['the "digest"', String(NOW)])
    }
  })

  it('shows YAML to who accepts it, without marks of a document', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')] }, 'd')
    const shown = await admin.send('GET', '/configs', { headers: { accept: 'application/yaml' } })
    assert.equal(shown.headers['content-type'], 'application/yaml')
    assert.doesNotMatch(shown.text, /^(---|\.\.\.)/m)
    assert.match(shown.text, /^routes:\n {2}- id: "?1"?\n/m)
    assert.deepEqual(parse(shown.text), await admin.get())
    assert.deepEqual(marks(shown), ['d', String(NOW)])
  })

  it('neither fills in defaults nor adds ids, timestamps or indexes', async () => {
    const admin = await start()
    const body = { routes: [{ uri: '/a', upstream: upstream(80), plugins: { 'test-limit': { count: 1 } } }] }
    await admin.take(body)
    assert.deepEqual((await admin.get())['routes'], body.routes)
    assert.deepEqual(Object.keys(await admin.revisions()), ['routes/arr_1'])
  })
})

describe('PUT configs', () => {
  it('answers 202 without a body and with both marks', async () => {
    const admin = await start()
    const shown = await admin.put({ routes: [route('1')] }, { 'x-digest': 'abc' })
    assert.equal(shown.status, 202)
    assert.equal(shown.text, '')
    assert.deepEqual(marks(shown), ['abc', String(NOW)])
  })

  it('answers 204 without marks for the digest that is there already, and changes nothing', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')] }, 'abc')
    const before = await admin.content()
    const shown = await admin.put({ routes: [route('2')] }, { 'x-digest': 'abc' })
    assert.equal(shown.status, 204)
    assert.equal(shown.text, '')
    assert.deepEqual(marks(shown), [undefined, undefined])
    assert.deepEqual(await admin.content(), before)
  })

  it('replaces everything: what is absent is emptied', async () => {
    const admin = await start()
    await admin.take({
      routes: [route('1'), route('2')],
      services: [{ id: 's' }],
      plugins: [{ name: 'test-log' }],
    })
    await admin.take({ routes: [route('2')], upstreams: [{ id: 'u', ...upstream(80) }] })
    assert.deepEqual(Object.keys(await admin.revisions()), ['routes/2', 'upstreams/u'])
    assert.deepEqual((await admin.get())['services'], undefined)
  })

  it('reads YAML when the label says so', async () => {
    const admin = await start()
    const body = { routes: [route('1', { priority: 5 })] }
    const shown = await admin.put(stringify(body), { 'content-type': 'application/yaml' })
    assert.equal(shown.status, 202, shown.text)
    assert.deepEqual((await admin.get())['routes'], body.routes)
  })

  it('puts items under the keys of the store', async () => {
    const admin = await start()
    await admin.take({
      routes: [route('r'), { uri: '/no-id', upstream: upstream(80) }],
      consumers: [{ username: 'jack' }, { id: 'jack/credentials/a' }],
      plugin_metadata: [{ id: 'test-log', size: 1 }],
      secrets: [{ id: 'vault/1', uri: 'http://127.0.0.1:1', prefix: 'kv', token: 't' }],
      plugins: [{ name: 'test-log' }],
    })
    assert.deepEqual(Object.keys(await admin.revisions()), [
      ...['consumers/jack', 'consumers/jack/credentials/a', 'plugin_metadata/test-log', 'plugins'],
      ...['routes/arr_2', 'routes/r', 'secrets/vault/1'],
    ])
  })

  const REFUSED: readonly [
    rule: string,
    body: unknown,
    message: string,
    headers?: Record<string, string | undefined>,
  ][] = [
    ['no digest', {}, 'missing digest header', { 'x-digest': undefined }],
    ['no digest, whatever the body is', '{', 'missing digest header', { 'x-digest': undefined }],
    ['no body', undefined, 'invalid request body: empty request body'],
    ['an empty body', '', 'invalid request body: empty request body'],
    ['broken JSON', '{"routes"}', 'invalid request body: Expected colon but found T_OBJ_END at character 10'],
    [
      'broken YAML',
      'a: [',
      'invalid request body: invalid yaml request body',
      { 'content-type': 'application/yaml' },
    ],
    ['a version that is no number', { routes_conf_version: 'abc' }, 'routes_conf_version must be a number'],
    [
      'an item with a fault, with the first fault only',
      { routes: [route('ok'), { id: 'r', uri: 1 }, { id: 's', uri: 1 }] },
      'invalid routes at index 1, err: invalid configuration: property "uri" validation failed: wrong type: expected string, got number',
    ],
    [
      'an unknown plugin',
      { routes: [route('1', { plugins: { no: {} } })] },
      'invalid routes at index 0, err: unknown plugin [no]',
    ],
    ['an id twice', { routes: [route('r1'), route('r1')] }, 'found duplicate id r1 in routes'],
    [
      'a secret without a manager',
      { secrets: [{ id: '1' }] },
      'invalid secrets at index 0, err: invalid secret id: 1',
    ],
  ]
  for (const [rule, body, message, headers] of REFUSED) {
    it(`refuses ${rule}`, async () => {
      const admin = await start()
      await admin.take({ upstreams: [{ id: 'u', ...upstream(80) }] })
      const before = [await admin.content(), await admin.get()]
      const shown = await admin.put(body, headers)
      assert.deepEqual(shown.body, { error_msg: message })
      assert.equal(shown.status, 400)
      assert.deepEqual([await admin.content(), await admin.get()], before)
    })
  }

  it('takes one of two with the same digest that come together', async () => {
    const admin = await start()
    const both = ['1', '2'].map((id) => admin.put({ routes: [route(id)] }, { 'x-digest': 'same' }))
    assert.deepEqual((await Promise.all(both)).map(({ status }) => status).sort(), [202, 204])
    assert.deepEqual((await admin.get())['routes_conf_version'], 1)
  })

  it('refuses with 503 what would wait for too many others, and takes the rest in turn', async () => {
    const admin = await start()
    const all = Array.from({ length: 12 }, (_, i) => admin.put(stringify({ routes: [route(`r${i}`)] }), YAML))
    const statuses = (await Promise.all(all)).map(({ status }) => status)
    assert.deepEqual([...new Set(statuses)].sort(), [202, 503])
    assert.equal(
      (await admin.get())['routes_conf_version'],
      statuses.filter((status) => status === 202).length,
    )
  })

  it('keeps names that mean something to JavaScript as they are', async () => {
    const admin = await start()
    const text =
      '{"__proto__":[{"id":"x"}],"routes":[{"id":"1","uri":"/","plugins":{},"labels":{"__proto__":"a"}}]}'
    const { status, text: answer } = await admin.put(text)
    assert.equal(status, 202, answer)
    assert.match((await admin.send('GET', '/configs')).text, /"labels":\{"__proto__":"a"\}/)
    assert.equal(({} as { id?: string }).id, undefined)
  })
})

describe('<kind>_conf_version', () => {
  it('grows by one with every configuration when it is left out, for all kinds alike', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')] })
    await admin.take({})
    const { 'X-Digest': _, 'X-Last-Modified': __, ...shown } = await admin.get()
    assert.deepEqual(shown, VERSIONS(2))
  })

  it('becomes what was sent', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')], routes_conf_version: 1_700_000_000_000 })
    const shown = await admin.get()
    assert.equal(shown['routes_conf_version'], 1_700_000_000_000)
    assert.equal(shown['services_conf_version'], 1)
  })

  it('must not go back', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')], routes_conf_version: 10 })
    const shown = await admin.put({ routes: [route('2')], routes_conf_version: 9 })
    assert.equal(shown.status, 400)
    assert.deepEqual(shown.body, { error_msg: 'routes_conf_version must be greater than or equal to (10)' })
    assert.deepEqual(Object.keys(await admin.revisions()), ['routes/1'])
  })

  it('keeps the items of its kind untouched when it is repeated, whatever the body holds', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')], routes_conf_version: 10, services: [{ id: 's' }] })
    const before = await admin.revisions()
    await admin.take({ routes: [route('2')], routes_conf_version: 10, services: [{ id: 't' }] })
    assert.deepEqual(await admin.revisions(), { 'routes/1': before['routes/1'], 'services/t': 3 })
    assert.deepEqual((await admin.get())['routes'], [route('1')])
    await admin.take({ routes_conf_version: 10, services_conf_version: 2 })
    assert.deepEqual(Object.keys(await admin.revisions()), ['routes/1', 'services/t'])
  })

  it('is still checked when it is repeated', async () => {
    const admin = await start()
    const shown = await admin.put({ routes: [{ id: '1', uri: 1 }], routes_conf_version: 0 })
    assert.equal(shown.status, 400)
  })
})

describe('modifiedIndex', () => {
  it('keeps an item that repeats it, even with another content', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1', { modifiedIndex: 3 }), route('2', { modifiedIndex: 3 })] })
    await admin.take({
      routes: [route('1', { modifiedIndex: 3, uri: '/new' }), route('2', { modifiedIndex: 4, uri: '/new' })],
    })
    assert.deepEqual(await admin.revisions(), { 'routes/1': 2, 'routes/2': 3 })
    assert.deepEqual((await admin.get())['routes'], [
      route('1', { modifiedIndex: 3 }),
      route('2', { modifiedIndex: 4, uri: '/new' }),
    ])
  })

  it('may go back: only being the same counts', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1', { modifiedIndex: 3 })] })
    await admin.take({ routes: [route('1', { modifiedIndex: 2, uri: '/new' })] })
    assert.deepEqual(await admin.revisions(), { 'routes/1': 3 })
  })

  it('is the new version of its kind for an item that has none', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1')], routes_conf_version: 7 })
    await admin.take({ routes: [route('1', { modifiedIndex: 7, uri: '/ignored' })], routes_conf_version: 8 })
    assert.deepEqual((await admin.get())['routes'], [route('1')])
    await admin.take({ routes: [route('1', { uri: '/new' })], routes_conf_version: 9 })
    assert.deepEqual((await admin.get())['routes'], [route('1', { uri: '/new' })])
  })

  it('is part of no stored document', async () => {
    const admin = await start()
    await admin.take({ routes: [route('1', { modifiedIndex: 3 })] })
    assert.deepEqual(await admin.content(), [['/apisix/routes/1', JSON.stringify(route('1'))]])
  })

  for (const modifiedIndex of ['3', 1.5, null]) {
    it(`is refused when it is ${JSON.stringify(modifiedIndex)}`, async () => {
      const admin = await start()
      const shown = await admin.put({ routes: [route('1', { modifiedIndex })] })
      assert.equal(shown.status, 400)
      assert.match(
        shown.text,
        /invalid routes at index 0, err: invalid configuration: property \\"modifiedIndex\\"/,
      )
    })
  }
})

describe('an admin API for whole configurations', () => {
  it('answers nothing else', async () => {
    const admin = await start()
    const paths = [
      ...['/routes', '/routes/1', '/plugins/list', '/plugins', '/schema/route', '/schema/validate/routes'],
      ...['/configs/1', '/unknown', '/plugins/reload'],
    ]
    for (const path of paths) {
      for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']) {
        const { status } = await admin.send(method, path, { body: {} })
        assert.equal(status, 404, `${method} ${path}`)
      }
    }
    assert.equal((await admin.send('HEAD', '')).status, 404)
    for (const method of ['POST', 'PATCH', 'DELETE']) {
      assert.deepEqual((await admin.send(method, '/configs', { body: {} })).body, {
        error_msg: '404 Not Found',
      })
    }
  })

  it('asks for a key; a viewer may only read', async () => {
    const admin = await start()
    for (const method of ['GET', 'PUT', 'HEAD']) {
      const headers = { 'x-api-key': undefined, 'x-digest': 'd' }
      assert.equal((await admin.send(method, '/configs', { body: {}, headers })).status, 401, method)
    }
    const headers = { 'x-api-key': VIEWER_KEY, 'x-digest': 'd' }
    assert.equal((await admin.send('GET', '/configs', { headers })).status, 200)
    assert.equal((await admin.send('PUT', '/configs', { body: {}, headers })).status, 401)
  })

  it('does not carry X-API-VERSION', async () => {
    const admin = await start()
    assert.equal((await admin.send('GET', '/configs')).headers['x-api-version'], undefined)
    assert.equal((await admin.put({})).headers['x-api-version'], undefined)
  })

  it('has no configs where resources are written one by one', async () => {
    const admin = await startAdmin()
    for (const method of ['GET', 'PUT']) {
      const { status, body } = await admin.send(method, '/configs', {
        body: {},
        headers: { 'x-digest': 'd' },
      })
      assert.equal(status, 404)
      assert.deepEqual(body, { error_msg: 'Unsupported resource type: configs' })
    }
    assert.equal((await admin.send('HEAD', '/configs')).status, 404)
  })
})
