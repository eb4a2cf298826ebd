import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, NOW, startAdmin } from './start-admin.ts'

const TIMES = { create_time: NOW, update_time: NOW }
const OLD = { uri: '/old', plugins: {}, id: '1', create_time: 5, update_time: 6 }

describe('PATCH', () => {
  const OLD_UPSTREAM = { nodes: { 'a:80': 1 }, labels: { a: '1' }, id: '1', ...TIMES }
  const merged = (value: object) => ({ key: '/apisix/upstreams/1', value })

  checkRows([
    {
      rule: 'merges objects member by member',
      given: { 'upstreams/1': OLD_UPSTREAM },
      request: ['PATCH', '/upstreams/1', { nodes: { 'b:80': 2 }, labels: { a: '2' } }],
      status: 200,
      answer: merged({ ...OLD_UPSTREAM, nodes: { 'a:80': 1, 'b:80': 2 }, labels: { a: '2' } }),
    },
    {
      rule: 'deletes a member that is set to null',
      given: { 'upstreams/1': OLD_UPSTREAM },
      request: ['PATCH', '/upstreams/1', { labels: null }],
      status: 200,
      answer: merged({ nodes: { 'a:80': 1 }, id: '1', ...TIMES }),
    },
    {
      rule: 'deletes what is not there',
      given: { 'upstreams/1': OLD_UPSTREAM },
      request: ['PATCH', '/upstreams/1', { labels: { none: null } }],
      status: 200,
      answer: merged(OLD_UPSTREAM),
    },
    {
      rule: 'keeps a null in an object that is new, which is then refused',
      given: { 'upstreams/1': { nodes: {}, id: '1' } },
      request: ['PATCH', '/upstreams/1', { labels: { a: null } }],
      status: 400,
      answer:
        'invalid configuration: property "labels" validation failed: failed to validate a (matching ".*"): wrong type: expected string, got userdata',
    },
    {
      rule: 'replaces an array by an array',
      given: { 'routes/1': { uris: ['/a', '/b'], plugins: {}, id: '1', ...TIMES } },
      request: ['PATCH', '/routes/1', { uris: ['/c'] }],
      status: 200,
      answer: { key: '/apisix/routes/1', value: { uris: ['/c'], plugins: {}, id: '1', ...TIMES } },
    },
    {
      rule: 'replaces an object by an array and an array by an object',
      given: { 'upstreams/1': OLD_UPSTREAM },
      request: ['PATCH', '/upstreams/1', { nodes: [{ host: 'c', weight: 1 }] }],
      status: 200,
      answer: merged({ ...OLD_UPSTREAM, nodes: [{ host: 'c', weight: 1 }] }),
    },
    {
      rule: 'sets update_time',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', { desc: 'd' }],
      status: 200,
      answer: { key: '/apisix/routes/1', value: { ...OLD, desc: 'd', update_time: NOW } },
    },
    {
      rule: 'takes times that it carries',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', { create_time: 8, update_time: 9 }],
      status: 200,
      answer: { key: '/apisix/routes/1', value: { ...OLD, create_time: 8, update_time: 9 } },
    },
    {
      rule: 'sets one member below a sub-path',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1/priority', 5],
      status: 200,
      answer: { key: '/apisix/routes/1', value: { ...OLD, priority: 5, update_time: NOW } },
    },
    {
      rule: 'decodes sub-paths and makes the objects on the way',
      given: { 'routes/1': { ...OLD, plugins: undefined } },
      request: ['PATCH', '/routes/1/upstream/nodes/127.0.0.1%3A8081', 3],
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: {
          uri: '/old',
          id: '1',
          create_time: 5,
          update_time: NOW,
          upstream: { nodes: { '127.0.0.1:8081': 3 } },
        },
      },
    },
    {
      rule: 'replaces an object below a sub-path',
      given: { 'upstreams/1': OLD_UPSTREAM },
      request: ['PATCH', '/upstreams/1/nodes', { 'c:80': 1 }],
      status: 200,
      answer: merged({ ...OLD_UPSTREAM, nodes: { 'c:80': 1 } }),
    },
    {
      rule: 'refuses a sub-path through a text',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1/uri/a/b', 1],
      status: 400,
      answer: 'invalid sub-path: /uri1a1b',
    },
    {
      rule: 'refuses a sub-path through an array',
      given: { 'routes/1': { ...OLD, uris: [] } },
      request: ['PATCH', '/routes/1/uris/0', '"/x"'],
      status: 400,
      answer: 'invalid sub-path: /uris10',
    },
    {
      rule: 'stores a null of a sub-path, which is then refused',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1/uri', 'null'],
      status: 400,
      answer:
        'invalid configuration: property "uri" validation failed: wrong type: expected string, got userdata',
    },
    {
      rule: 'refuses no body',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1'],
      status: 400,
      answer: 'missing new configuration',
    },
    {
      rule: 'refuses what is no object',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', '[]'],
      status: 400,
      answer: 'invalid configuration',
    },
    {
      rule: 'refuses a number',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', '1'],
      status: 400,
      answer: 'invalid configuration',
    },
    { rule: 'refuses no id', request: ['PATCH', '/routes', {}], status: 400, answer: 'missing route id' },
    {
      rule: 'refuses to change the id',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', { id: '2' }],
      status: 400,
      answer: 'wrong route id',
    },
    {
      rule: 'does not find what is not there',
      request: ['PATCH', '/routes/1', {}],
      status: 404,
      answer: { message: 'Key not found' },
    },
    {
      rule: 'checks what comes out',
      given: { 'routes/1': OLD },
      request: ['PATCH', '/routes/1', { plugins: null }],
      status: 400,
    },
    {
      rule: 'does not merge into what is no object',
      given: { 'routes/1': 'no json' },
      request: ['PATCH', '/routes/1', {}],
      status: 400,
      answer: 'the value stored under /apisix/routes/1 is no JSON object; replace it with PUT',
    },
    {
      rule: 'is not for consumers',
      request: ['PATCH', '/consumers/jack', {}],
      status: 405,
      answer: 'not supported `PATCH` method for consumer',
    },
    {
      rule: 'is not for metadata',
      request: ['PATCH', '/plugin_metadata/test-log', {}],
      status: 405,
      answer: 'not supported `PATCH` method for plugin_metadata',
    },
  ])

  it('does not overwrite what changed since it read', async () => {
    const { store } = await startAdmin()
    await store.put('/apisix/routes/1', JSON.stringify(OLD))
    const racing = new Proxy(store, {
      get: (target, name) => {
        if (name === 'get') {
          return async (key: string) => {
            const item = await target.get(key)
            await target.put(key, JSON.stringify({ ...OLD, desc: 'of another' }))
            return item
          }
        }
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const admin = await startAdmin({ store: racing })
    const shown = await admin.send('PATCH', '/routes/1', { body: { desc: 'mine' } })
    assert.deepEqual([shown.status, shown.body], [503, { error_msg: 'value changed before overwritten' }])
    assert.match((await store.get('/apisix/routes/1'))?.value ?? '', /of another/)
  })
})
