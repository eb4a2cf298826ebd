import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, NOW, startAdmin } from './start-admin.ts'

const UPSTREAM = { type: 'roundrobin', nodes: { '127.0.0.1:1980': 1 } }
const ROUTE = { uri: '/a', upstream: UPSTREAM }
const TIMES = { create_time: NOW, update_time: NOW }
const OLD = { uri: '/old', plugins: {}, id: '1', create_time: 5, update_time: 6 }
const SCHEMA_ID =
  'invalid configuration: property "id" validation failed: object matches none of the required'

describe('PUT', () => {
  checkRows([
    {
      rule: 'creates, and answers with what was sent, an id and the times, without defaults',
      request: ['PUT', '/routes/1', ROUTE],
      status: 201,
      answer: { key: '/apisix/routes/1', value: { ...ROUTE, id: '1', ...TIMES } },
    },
    {
      rule: 'replaces, keeps create_time and sets update_time',
      given: { 'routes/1': OLD },
      request: ['PUT', '/routes/1', ROUTE],
      status: 200,
      answer: { key: '/apisix/routes/1', value: { ...ROUTE, id: '1', create_time: 5, update_time: NOW } },
    },
    {
      rule: 'keeps the type of an id that only the body names',
      request: ['PUT', '/routes', { ...ROUTE, id: 1 }],
      status: 201,
      answer: { key: '/apisix/routes/1', value: { ...ROUTE, id: 1, ...TIMES } },
    },
    {
      rule: 'makes the id of the path a text',
      request: ['PUT', '/routes/1', { ...ROUTE, id: 1 }],
      status: 201,
      answer: { key: '/apisix/routes/1', value: { ...ROUTE, id: '1', ...TIMES } },
    },
    {
      rule: 'ignores what follows the id',
      request: ['PUT', '/routes/a%2Fb/c', ROUTE],
      status: 201,
      answer: { key: '/apisix/routes/a', value: { ...ROUTE, id: 'a', ...TIMES } },
    },
    {
      rule: 'takes 0 as an id of the path',
      request: ['PUT', '/routes/0', ROUTE],
      status: 201,
    },
    {
      rule: 'takes a trailing slash for none',
      request: ['PUT', '/routes/', { ...ROUTE, id: 'x' }],
      status: 201,
    },
    {
      rule: 'refuses 0 as an id of the body',
      request: ['PUT', '/routes', { ...ROUTE, id: 0 }],
      status: 400,
      answer: SCHEMA_ID,
    },
    {
      rule: 'refuses an id with other characters',
      request: ['PUT', '/routes/a%20b', ROUTE],
      status: 400,
      answer: SCHEMA_ID,
    },
    {
      rule: 'refuses an id of more than 64 characters',
      request: ['PUT', `/routes/${'a'.repeat(65)}`, ROUTE],
      status: 400,
      answer: SCHEMA_ID,
    },
    {
      rule: 'refuses an id of 2,000 characters',
      request: ['PUT', `/routes/${'a'.repeat(2000)}`, ROUTE],
      status: 400,
      answer: SCHEMA_ID,
    },
    {
      rule: 'refuses a secret reference as an id',
      request: ['PUT', '/routes', { ...ROUTE, id: '$env://A' }],
      status: 400,
      answer: SCHEMA_ID,
    },
    { rule: 'refuses no body', request: ['PUT', '/routes/1'], status: 400, answer: 'missing configurations' },
    { rule: 'refuses no id', request: ['PUT', '/routes', ROUTE], status: 400, answer: 'missing route id' },
    {
      rule: 'names the kind whose id is missing',
      request: ['PUT', '/plugin_configs', { plugins: {} }],
      status: 400,
      answer: 'missing plugin config id',
    },
    {
      rule: 'refuses two ids that differ',
      request: ['PUT', '/routes/1', { ...ROUTE, id: 2 }],
      status: 400,
      answer: 'wrong route id',
    },
    {
      rule: 'refuses a null id',
      request: ['PUT', '/routes/1', { ...ROUTE, id: null }],
      status: 400,
      answer: 'wrong route id',
    },
    {
      rule: 'looks at ids before times',
      request: ['PUT', '/routes/1', { id: 2, create_time: 1 }],
      status: 400,
      answer: 'wrong route id',
    },
    {
      rule: 'looks at times before the schema',
      request: ['PUT', '/routes/1', { create_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  create_time',
    },
    {
      rule: 'refuses update_time',
      request: ['PUT', '/routes/1', { ...ROUTE, update_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  update_time',
    },
    {
      rule: 'refuses times of an inline upstream',
      request: ['PUT', '/routes/1', { uri: '/a', upstream: { ...UPSTREAM, create_time: 1 } }],
      status: 400,
      answer: 'the property is forbidden:  upstream.create_time',
    },
    {
      rule: 'refuses times among plugins',
      request: ['PUT', '/services/1', { plugins: { update_time: 1 } }],
      status: 400,
      answer: 'the property is forbidden:  plugins.update_time',
    },
    {
      rule: 'refuses times of metadata, which keeps none',
      request: ['PUT', '/plugin_metadata/test-log', { create_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  create_time',
    },
    {
      rule: 'stores metadata under the name of its plugin, without times',
      request: ['PUT', '/plugin_metadata/test-log', { format: { a: '$host' } }],
      status: 201,
      answer: { key: '/apisix/plugin_metadata/test-log', value: { format: { a: '$host' }, id: 'test-log' } },
    },
    {
      rule: 'stores a consumer under its username, without an id',
      request: ['PUT', '/consumers', { username: 'jack' }],
      status: 201,
      answer: { key: '/apisix/consumers/jack', value: { username: 'jack', ...TIMES } },
    },
    {
      rule: 'takes a consumer at its own path',
      request: ['PUT', '/consumers/jack', { username: 'jack' }],
      status: 201,
    },
    { rule: 'creates a service', request: ['PUT', '/services/1', {}], status: 201 },
    { rule: 'creates an upstream', request: ['PUT', '/upstreams/1', UPSTREAM], status: 201 },
    {
      rule: 'creates a plugin config',
      request: ['PUT', '/plugin_configs/1', { plugins: { 'test-limit': { count: 1 } } }],
      status: 201,
    },
    {
      rule: 'creates a global rule',
      request: ['PUT', '/global_rules/1', { plugins: { 'test-log': {} } }],
      status: 201,
    },
  ])

  it('leaves the stored text as the client sent it, times and id apart', async () => {
    const admin = await startAdmin()
    await admin.send('PUT', '/upstreams/1', { body: { nodes: { 'a:80': 1 } } })
    assert.deepEqual(await admin.content(), [
      ['/apisix/upstreams/1', `{"nodes":{"a:80":1},"id":"1","create_time":${NOW},"update_time":${NOW}}`],
    ])
  })
})

describe('POST', () => {
  it('creates under the revision of a write, padded to 20 digits', async () => {
    const admin = await startAdmin()
    const shown = await admin.send('POST', '/routes', { body: ROUTE })
    const { revision } = await admin.store.list('/apisix/')
    const id = String(revision - 1).padStart(20, '0')
    assert.deepEqual(
      [shown.status, shown.body],
      [201, { key: `/apisix/routes/${id}`, value: { ...ROUTE, id, ...TIMES } }],
    )
    assert.equal((await admin.send('GET', `/routes/${id}`)).status, 200)
    assert.notEqual((await admin.send('POST', '/routes/', { body: ROUTE })).text, shown.text)
  })

  checkRows([
    {
      rule: 'refuses an id in the path',
      request: ['POST', '/routes/1', ROUTE],
      status: 400,
      answer: 'wrong route id, do not need it',
    },
    {
      rule: 'refuses an id in the body',
      request: ['POST', '/upstreams', { ...UPSTREAM, id: 1 }],
      status: 400,
      answer: 'wrong upstream id, do not need it',
    },
    {
      rule: 'refuses no body',
      request: ['POST', '/services'],
      status: 400,
      answer: 'missing configurations',
    },
    {
      rule: 'refuses times',
      request: ['POST', '/routes', { ...ROUTE, create_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  create_time',
    },
    {
      rule: 'takes no number before the document is known to be good',
      request: ['POST', '/routes', { uri: 1 }],
      status: 400,
    },
    ...(['consumers', 'plugin_configs', 'global_rules', 'plugin_metadata'] as const).map((kind) => ({
      rule: `is not for ${kind}`,
      request: ['POST', `/${kind}`, {}] as const,
      status: 405,
      answer: `not supported \`POST\` method for ${kind.replace('plugin_configs', 'plugin config').replace('global_rules', 'global rule').replace('consumers', 'consumer')}`,
    })),
    { rule: 'looks at the body before the method', request: ['POST', '/consumers', '{'], status: 400 },
  ])
})

describe('?ttl', () => {
  const invalid = 'invalid argument ttl: should be a number'
  checkRows([
    { rule: 'has to be a number', request: ['PUT', '/routes/1?ttl=x', ROUTE], status: 400, answer: invalid },
    { rule: 'has to be there', request: ['PUT', '/routes/1?ttl', ROUTE], status: 400, answer: invalid },
    {
      rule: 'is looked at before the configuration',
      request: ['PUT', '/routes/1?ttl=x', {}],
      status: 400,
      answer: invalid,
    },
    {
      rule: 'has to be whole',
      request: ['PUT', '/routes/1?ttl=1.5', ROUTE],
      status: 503,
      answer: 'ttl must be integer',
    },
    {
      rule: 'has to be finite',
      request: ['PUT', '/routes/1?ttl=1e999', ROUTE],
      status: 503,
      answer: 'ttl must be integer',
    },
    {
      rule: 'may not be longer than etcd can',
      request: ['PUT', '/routes/1?ttl=9000000001', ROUTE],
      status: 400,
      answer: 'ttl 9000000001 is too large; use at most 9000000000 seconds',
    },
    { rule: 'may be 0', request: ['PUT', '/routes/1?ttl=0', ROUTE], status: 201 },
    { rule: 'may be negative', request: ['PUT', '/routes/1?ttl=-5', ROUTE], status: 201 },
  ])

  for (const [method, path, body] of [
    ['PUT', '/routes/1', ROUTE],
    ['POST', '/routes', ROUTE],
    ['PATCH', '/routes/1', { desc: 'd' }],
  ] as const) {
    it(`gives what ${method} writes a lease of that many seconds`, async () => {
      const { store } = await startAdmin()
      const granted: number[] = []
      const leases: (string | undefined)[] = []
      const admin = await startAdmin({
        store: new Proxy(store, {
          get: (target, name) => {
            if (name === 'grantLease') {
              return (seconds: number) => {
                granted.push(seconds)
                return target.grantLease(seconds)
              }
            }
            if (name === 'put') {
              return (...args: Parameters<typeof target.put>) => {
                leases.push(args[2]?.leaseId)
                return target.put(...args)
              }
            }
            const member = Reflect.get(target, name)
            return typeof member === 'function' ? member.bind(target) : member
          },
        }),
      })
      if (method === 'PATCH') await admin.send('PUT', '/routes/1', { body: ROUTE })
      const shown = await admin.send(method, `${path}?ttl=60`, { body })
      assert.ok(shown.status < 300)
      assert.deepEqual(granted, [60])
      assert.notEqual(leases.at(-1), undefined)
      await store.close()
    })
  }
})
