import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RESOURCES } from '../../../admin/api/resources.ts'
import { assertRefused, DEEP, ROUTE, stage } from './hardening-stage.ts'

describe('what is wrong cannot come in by another way', () => {
  const LIMIT = { count: 1, time_window: 60 }
  const HIDDEN = { 'limit-count': { count: -1, _meta: { disable: true } } }
  const ways: readonly (readonly [way: string, method: string, path: string, body: unknown])[] = [
    ['a sub-path', 'PATCH', '/routes/steady/uri', 1],
    ['a sub-path below a plugin', 'PATCH', '/routes/guarded/plugins/limit-count/count', -1],
    ['a sub-path that makes a plugin', 'PATCH', '/routes/steady/plugins/limit-count', { count: -1 }],
    [
      'a sub-path that takes what is required',
      'PATCH',
      '/routes/guarded/plugins/limit-count',
      { count: null },
    ],
    [
      'a merge that takes what is required',
      'PATCH',
      '/routes/guarded',
      { plugins: { 'limit-count': { count: null } } },
    ],
    ['a sub-path that changes the id', 'PATCH', '/routes/steady/id', 'other'],
    ['a plugin config', 'PUT', '/plugin_configs/1', { plugins: { 'limit-count': { ...LIMIT, count: -1 } } }],
    ['a plugin config, by PATCH', 'PATCH', '/plugin_configs/steady/plugins/limit-count/count', 'x'],
    ['a service', 'PUT', '/services/1', { plugins: { 'limit-count': { count: 0 } } }],
    ['a global rule', 'PUT', '/global_rules/1', { plugins: { 'limit-count': {} } }],
    ['a consumer', 'PUT', '/consumers', { username: 'x', plugins: { 'key-auth': { key: 1 } } }],
    ...(RESOURCES.has('consumer_groups')
      ? ([
          ['a consumer group', 'PUT', '/consumer_groups/1', { plugins: { 'limit-count': { count: 0 } } }],
        ] as const)
      : []),
    [
      'a plugin that is enabled later',
      'PATCH',
      '/routes/hiding',
      { plugins: { 'limit-count': { _meta: { disable: false } } } },
    ],
    [
      'a plugin whose _meta is taken',
      'PATCH',
      '/routes/hiding',
      { plugins: { 'limit-count': { _meta: null } } },
    ],
    ['a plugin enabled by a sub-path', 'PATCH', '/routes/hiding/plugins/limit-count/_meta/disable', false],
    ['a plugin whose _meta is no object', 'PATCH', '/routes/hiding/plugins/limit-count/_meta', 'disable'],
    [
      'a disabled plugin that nobody knows',
      'PATCH',
      '/routes/steady',
      { plugins: { nobody: { _meta: { disable: true } } } },
    ],
    ['a reference to nothing', 'PATCH', '/routes/steady', { upstream_id: 'nothing' }],
    ['a reference to nothing by a sub-path', 'PATCH', '/routes/steady/upstream_id', 'nothing'],
    ['a service that is not there', 'PATCH', '/routes/steady/service_id', 'nothing'],
    ['a plugin config that is not there', 'PATCH', '/routes/steady/plugin_config_id', 'nothing'],
    ['a reference by another type', 'PATCH', '/routes/steady/upstream_id', { id: 'steady' }],
    ['a reference that is a path', 'PATCH', '/routes/steady/upstream_id', '../upstreams/steady'],
  ]
  for (const [way, method, path, body] of ways) {
    it(`such as ${way}`, async (t) => {
      const world = await stage(t)
      const { send } = world
      await send('PUT', '/routes/guarded', { ...ROUTE, plugins: { 'limit-count': LIMIT } })
      await send('PUT', '/plugin_configs/steady', { plugins: { 'limit-count': LIMIT } })
      const hiding = await send('PUT', '/routes/hiding', { ...ROUTE, uri: '/hiding', plugins: HIDDEN })
      assert.equal(hiding.status, 201, 'a disabled plugin may say anything')
      await assertRefused(world, method, path, body)
      await world.assertServing()
    })
  }

  it('nor grow too deep, a path and a body at a time', async (t) => {
    const world = await stage(t)
    await world.send('PUT', '/routes/guarded', { ...ROUTE, plugins: { 'limit-count': LIMIT } })
    const path = `/routes/guarded/plugins/limit-count/${'a/'.repeat(500)}b`
    assert.equal((await world.send('PATCH', path, DEEP(300))).status, 200)
    const text = await assertRefused(world, 'PATCH', path, DEEP(600))
    assert.match(text, /too many nested data structures/)
    await world.assertServing()
  })

  const poison: readonly (readonly [what: string, text: string])[] = [
    ['no JSON', '{"uri":'],
    ['no object', '"text"'],
    ['an invalid document', '{"id":"steady","uri":1}'],
    [
      'an invalid plugin',
      '{"id":"steady","uri":"/steady","upstream_id":"steady","plugins":{"limit-count":{"count":-1}}}',
    ],
    [
      'a plugin nobody knows',
      '{"id":"steady","uri":"/steady","upstream_id":"steady","plugins":{"nobody":{}}}',
    ],
    ['a prototype', '{"id":"steady","uri":"/steady","upstream_id":"steady","__proto__":{"polluted":1}}'],
    [
      'thousands of levels',
      `{"id":"steady","uri":"/steady","upstream_id":"steady","labels":${DEEP(20_000)}}`,
    ],
  ]
  for (const [what, text] of poison) {
    it(`nor written past the Admin API as ${what}: the last good version serves`, async (t) => {
      const world = await stage(t)
      await world.store.put('/apisix/routes/steady', text)
      await world.settled()
      await world.assertServing()
      assert.deepEqual(
        (await world.quarantined()).map(({ kind, id, older_version_serves }) => [
          kind,
          id,
          older_version_serves,
        ]),
        [['routes', 'steady', true]],
      )
      for (const path of ['/routes', '/routes/steady', '/routes?page=1&page_size=10', '/routes?uri=x'])
        assert.equal((await world.send('GET', path)).status, 200, path)
      assert.ok((await world.send('PATCH', '/routes/steady', { desc: 'd' })).status < 500)
      assert.equal(
        (await world.send('PUT', '/routes/steady', { uri: '/steady', upstream_id: 'steady' })).status,
        200,
      )
      await world.settled()
      assert.deepEqual(await world.quarantined(), [])
    })
  }
})

describe('a forced DELETE', () => {
  for (const [kind, field, document, status] of [
    ['upstreams', 'upstream_id', { nodes: {} }, 502],
    ['services', 'service_id', { upstream_id: 'steady' }, 404],
    ['plugin_configs', 'plugin_config_id', { plugins: {} }, 503],
  ] as const) {
    it(`of ${kind} leaves a route that fails alone and comes back with it`, async (t) => {
      const world = await stage(t)
      const target = kind === 'upstreams' ? { nodes: { [world.node]: 1 } } : document
      await world.send('PUT', `/${kind}/gone`, target)
      await world.send('PUT', '/routes/1', {
        ...{ uri: '/a', [field]: 'gone' },
        ...(kind === 'plugin_configs' && { upstream_id: 'steady' }),
      })
      await world.settled()
      assert.equal(await world.ask('/a'), 200)
      assert.equal((await world.send('DELETE', `/${kind}/gone`)).status, 400)
      assert.equal((await world.send('DELETE', `/${kind}/gone?force=true`)).status, 200)
      await world.settled()
      assert.equal(await world.ask('/a'), status)
      await world.assertServing()
      await world.send('PUT', `/${kind}/gone`, target)
      await world.settled()
      assert.equal(await world.ask('/a'), 200)
    })
  }
})
