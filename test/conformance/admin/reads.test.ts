import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Admin, checkRows, startAdmin, TEST_PLUGINS } from './start-admin.ts'

async function given(entries: Readonly<Record<string, unknown>>): Promise<Admin> {
  const admin = await startAdmin()
  for (const [key, value] of Object.entries(entries)) {
    await admin.store.put(`/apisix/${key}`, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return admin
}

async function idsOf(admin: Admin, path: string): Promise<{ total: number; ids: string[] }> {
  const { body } = await admin.send('GET', path)
  const { total, list } = body as { total: number; list: { key: string }[] }
  return { total, ids: Object.values(list).map(({ key }) => key.replace(/.*\//, '')) }
}

describe('GET of one resource', () => {
  it('shows it with its revisions', async () => {
    const admin = await given({ 'routes/1': { uri: '/a' } })
    const first = (await admin.store.get('/apisix/routes/1'))!
    await admin.store.put('/apisix/routes/1', '{"uri":"/b"}')
    const { modRevision } = (await admin.store.get('/apisix/routes/1'))!
    const { status, body } = await admin.send('GET', '/routes/1')
    assert.deepEqual(
      [status, body],
      [
        200,
        {
          key: '/apisix/routes/1',
          value: { uri: '/b' },
          createdIndex: first.createRevision,
          modifiedIndex: modRevision,
        },
      ],
    )
  })

  checkRows([
    {
      rule: 'does not find what is not there',
      request: ['GET', '/routes/1'],
      status: 404,
      answer: { message: 'Key not found' },
    },
    {
      rule: 'knows no other resources',
      request: ['GET', '/routs'],
      status: 404,
      answer: 'Unsupported resource type: routs',
    },
    {
      rule: 'knows credentials below a consumer only',
      request: ['GET', '/credentials'],
      status: 404,
      answer: 'Unsupported resource type: credentials',
    },
    {
      rule: 'shows a text that is no JSON without a value',
      given: { 'routes/1': 'oops' },
      request: ['GET', '/routes/1'],
      status: 200,
      answer: { key: '/apisix/routes/1', createdIndex: 2, modifiedIndex: 2 },
    },
    {
      rule: 'does not find an id of 2,000 characters',
      request: ['GET', `/routes/${'a'.repeat(2000)}`],
      status: 404,
      answer: { message: 'Key not found' },
    },
  ])
})

describe('GET of a list', () => {
  it('is empty where nothing is', async () => {
    assert.deepEqual((await (await startAdmin()).send('GET', '/routes')).body, { total: 0, list: [] })
  })

  it('shows what was put by hand and neither the marker nor what is nested', async () => {
    const admin = await given({
      'consumers/': 'init_dir',
      'consumers/b': { username: 'b' },
      'consumers/B': 'oops',
      'consumers/c': '5',
      'consumers/d': 'null',
      'consumers/e': '"text"',
      'consumers/b/credentials/x': {},
      'consumers_of_another/z': {},
    })
    const { body } = await admin.send('GET', '/consumers')
    const { total, list } = body as { total: number; list: { key: string; value?: unknown }[] }
    assert.equal(total, 5)
    assert.deepEqual(
      list.map(({ key, value }) => [key, value]),
      [
        ['/apisix/consumers/B', undefined],
        ['/apisix/consumers/b', { username: 'b' }],
        ['/apisix/consumers/c', undefined],
        ['/apisix/consumers/d', undefined],
        ['/apisix/consumers/e', 'text'],
      ],
    )
  })

  const ITEMS = {
    'routes/1': { uri: '/foo', name: 'Orders', labels: { env: 'prod' }, service_id: '1', upstream_id: '9' },
    'routes/2': { uris: ['/x', '/foo/bar'], name: 'orders-v2', labels: { team: 'a' }, service_id: 1 },
    'routes/3': { uri: '/other', service_id: '1' },
  }
  const filters: [string, string[]][] = [
    ['name=rders', ['1', '2']],
    ['name=^Orders$', ['1']],
    ['name=%28%3Fi%29^orders', ['1', '2']],
    ['name=(', []],
    ['name=', ['1', '2']],
    ['label=env', ['1']],
    ['label=en', []],
    ['label=constructor', []],
    ['uri=foo', ['1', '2']],
    ['uri=^/foo$', ['1']],
    ['filter=service_id%3D1', ['1', '3']],
    ['filter=service_id%3D1%26upstream_id%3D9', ['1']],
    ['filter=other%3D1', ['1', '2', '3']],
    ['name=rders&uri=bar', ['2']],
  ]
  for (const [query, ids] of filters) {
    it(`keeps ${ids.join() || 'nothing'} with ${query}`, async () => {
      assert.deepEqual(await idsOf(await given(ITEMS), `/routes?${query}`), { total: ids.length, ids })
    })
  }

  it('knows filter= for no services', async () => {
    const admin = await given({ 'services/1': { upstream_id: '1' } })
    assert.deepEqual((await idsOf(admin, '/services?filter=upstream_id%3D2')).ids, ['1'])
  })

  it('is done at once with a pattern that another engine would search for ever', async () => {
    const name = 'a'.repeat(60)
    const admin = await given({
      'routes/1': { uri: '/a', name: `${name}!` },
      'routes/2': { uri: '/b', name },
    })
    assert.deepEqual((await idsOf(admin, '/routes?name=^(a%2B)%2B$')).ids, ['2'])
  })

  it('refuses a pattern that no engine can promise to finish with', async () => {
    const shown = await (await given(ITEMS)).send('GET', '/routes?name=^(%3F!b)(a%2B)%2B$')
    assert.equal(shown.status, 400)
    assert.match(shown.text, /can take exponential time, and has a lookahead/)
  })

  it('pages in order of creation, after filters', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `r${99 - index}`)
    const admin = await given(Object.fromEntries(names.map((id) => [`routes/${id}`, { uri: '/', name: id }])))
    assert.deepEqual(await idsOf(admin, '/routes?page=1&page_size=10'), {
      total: 25,
      ids: names.slice(0, 10),
    })
    assert.deepEqual(await idsOf(admin, '/routes?page=3&page_size=10'), { total: 25, ids: names.slice(20) })
    assert.deepEqual(await idsOf(admin, '/routes?page=0&page_size=10'), {
      total: 25,
      ids: names.slice(0, 10),
    })
    assert.deepEqual((await idsOf(admin, '/routes?page=2')).ids, names.toReversed())
    assert.deepEqual((await idsOf(admin, '/routes?page=x&page_size=1')).ids, names.toReversed())
    assert.deepEqual(await idsOf(admin, '/routes?page=1&page_size=10&name=r9'), {
      total: 10,
      ids: names.slice(0, 10),
    })
  })

  checkRows([
    {
      rule: 'shows a page past the end as an empty object',
      given: ITEMS,
      request: ['GET', '/routes?page=2&page_size=10'],
      status: 200,
      answer: { total: 3, list: {} },
    },
    {
      rule: 'refuses pages of less than 10',
      request: ['GET', '/routes?page=1&page_size=9'],
      status: 400,
      answer: undefined,
    },
    { rule: 'refuses pages of more than 500', request: ['GET', '/routes?page=1&page_size=501'], status: 400 },
  ])

  it('says what a page may be in plain text', async () => {
    const { text } = await (await startAdmin()).send('GET', '/routes?page=1&page_size=9')
    assert.equal(text, 'page_size must be between 10 and 500')
  })
})

describe('plugins and schemas', () => {
  const { limit, auth, log } = TEST_PLUGINS
  checkRows([
    {
      rule: 'lists the plugins by priority',
      request: ['GET', '/plugins/list'],
      status: 200,
      answer: ['test-auth', 'test-limit', 'test-log'],
    },
    {
      rule: 'lists http plugins when asked',
      request: ['GET', '/plugins/list?subsystem=http'],
      status: 200,
      answer: ['test-auth', 'test-limit', 'test-log'],
    },
    {
      rule: 'lists no stream plugins',
      request: ['GET', '/plugins/list?subsystem=stream'],
      status: 200,
      answer: [],
    },
    {
      rule: 'knows no other subsystem',
      request: ['GET', '/plugins/list?subsystem=x'],
      status: 400,
      answer: undefined,
    },
    {
      rule: 'shows the schema of a plugin',
      request: ['GET', '/plugins/test-limit'],
      status: 200,
      answer: limit.schema,
    },
    {
      rule: 'shows it below schema/plugins',
      request: ['GET', '/schema/plugins/test-limit'],
      status: 200,
      answer: limit.schema,
    },
    {
      rule: 'shows the schema for consumers',
      request: ['GET', '/plugins/test-auth?schema_type=consumer'],
      status: 200,
      answer: auth.consumerSchema,
    },
    {
      rule: 'says when there is none for consumers',
      request: ['GET', '/plugins/test-limit?schema_type=consumer'],
      status: 400,
      answer: 'not found schema',
    },
    {
      rule: 'knows no other plugin',
      request: ['GET', '/plugins/nope'],
      status: 404,
      answer: 'plugin not found in subsystem http',
    },
    {
      rule: 'names the subsystem that lacks a plugin',
      request: ['GET', '/plugins/test-limit?subsystem=stream'],
      status: 404,
      answer: 'plugin not found in subsystem stream',
    },
    {
      rule: 'names the subsystem it does not know',
      request: ['GET', '/plugins/test-limit?subsystem=x'],
      status: 400,
      answer: 'unsupported subsystem: x',
    },
    {
      rule: 'wants a name or all=true',
      request: ['GET', '/plugins'],
      status: 404,
      answer: 'plugin not found in subsystem http',
    },
    {
      rule: 'wants a name below schema/plugins too',
      request: ['GET', '/schema/plugins'],
      status: 404,
      answer: 'plugin not found in subsystem http',
    },
    {
      rule: 'describes all plugins',
      request: ['GET', '/plugins?all=true'],
      status: 200,
      answer: {
        'test-auth': {
          version: 0.1,
          priority: 2000,
          schema: auth.schema,
          consumer_schema: auth.consumerSchema,
          type: 'auth',
        },
        'test-limit': { version: 0.1, priority: 100, schema: limit.schema },
        'test-log': {
          version: 0.1,
          priority: 10,
          schema: log.schema,
          metadata_schema: log.metadataSchema,
          scope: 'global',
        },
      },
    },
    {
      rule: 'describes all stream plugins',
      request: ['GET', '/plugins?all=true&subsystem=stream'],
      status: 200,
      answer: {},
    },
    {
      rule: 'takes GET alone for plugins',
      request: ['PUT', '/plugins/test-limit', {}],
      status: 404,
      answer: 'not found',
    },
    {
      rule: 'takes GET alone for schemas',
      request: ['DELETE', '/schema/route'],
      status: 404,
      answer: 'not found',
    },
    {
      rule: 'knows no other schema',
      request: ['GET', '/schema/routes'],
      status: 400,
      answer: 'not found schema: routes',
    },
    {
      rule: 'accepts what fits a schema, whatever its plugins',
      request: ['POST', '/schema/validate/routes', { uri: '/a', plugins: { nope: 1 } }],
      status: 200,
      answer: '',
    },
    {
      rule: 'refuses what does not, without a prefix',
      request: ['POST', '/schema/validate/routes', { uri: 1 }],
      status: 400,
      answer: 'property "uri" validation failed: wrong type: expected string, got number',
    },
    {
      rule: 'refuses to validate nothing',
      request: ['POST', '/schema/validate/routes'],
      status: 400,
      answer: 'wrong type: expected object, got nil',
    },
    { rule: 'refuses to validate bad JSON', request: ['POST', '/schema/validate/routes', '{'], status: 400 },
    {
      rule: 'validates no other resource',
      request: ['POST', '/schema/validate/routs', {}],
      status: 404,
      answer: 'Unsupported resource type: routs',
    },
    {
      rule: 'validates by the names of paths',
      request: ['POST', '/schema/validate/route', {}],
      status: 404,
      answer: 'Unsupported resource type: route',
    },
  ] as Parameters<typeof checkRows>[0])

  for (const name of ['route', 'service', 'upstream', 'consumer', 'plugin_config', 'global_rule']) {
    it(`shows the schema of a ${name}`, async () => {
      const { status, body } = await (await startAdmin()).send('GET', `/schema/${name}`)
      assert.equal(status, 200)
      assert.equal((body as { type: string }).type, 'object')
    })
  }
})
