import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, startAdmin } from './start-admin.ts'

const OLD = { uri: '/old', plugins: {}, id: '1', create_time: 5, update_time: 6 }

describe('DELETE', () => {
  const referring = { ...OLD, upstream_id: 1, service_id: '1', plugin_config_id: '1' }
  const kept = { 'routes/7': referring, 'services/7': { upstream_id: '1' } }
  const inUse = (kind: string, message: string) => ({
    rule: `refuses ${kind} in use`,
    given: { [`${kind}/1`]: {}, ...kept },
    dependents: [{ kind: 'routes', id: '7', via: 'reference' }] as const,
    request: ['DELETE', `/${kind}/1`] as const,
    status: 400,
    answer: message,
  })

  checkRows([
    {
      rule: 'answers with the key',
      given: { 'routes/1': OLD },
      request: ['DELETE', '/routes/1'],
      status: 200,
      answer: { deleted: '1', key: '/apisix/routes/1' },
    },
    {
      rule: 'does not find what is not there',
      request: ['DELETE', '/routes/1'],
      status: 404,
      answer: { message: 'Key not found' },
    },
    { rule: 'refuses no id', request: ['DELETE', '/upstreams'], status: 400, answer: 'missing upstream id' },
    {
      rule: 'ignores what follows the id',
      given: { 'routes/1': OLD },
      request: ['DELETE', '/routes/1/x'],
      status: 200,
    },
    inUse('upstreams', 'can not delete this upstream, route [7] is still using it now'),
    inUse('services', 'can not delete this service directly, route [7] is still using it now'),
    inUse('plugin_configs', 'can not delete this plugin config, route [7] is still using it now'),
    {
      rule: 'names a plugin that uses the upstream',
      given: { 'upstreams/1': {}, ...kept },
      dependents: [{ kind: 'routes', id: '7', via: 'plugin' }],
      request: ['DELETE', '/upstreams/1'],
      status: 400,
      answer: 'can not delete this upstream, plugin in route [7] is still using it now',
    },
    {
      rule: 'names routes before services, and services before rules',
      given: { 'upstreams/1': {}, ...kept, 'global_rules/7': {} },
      dependents: [
        { kind: 'global_rules', id: '7', via: 'plugin' },
        { kind: 'services', id: '7', via: 'reference' },
      ],
      request: ['DELETE', '/upstreams/1'],
      status: 400,
      answer: 'can not delete this upstream, service [7] is still using it now',
    },
    {
      rule: 'names a global rule as APISIX does',
      given: { 'upstreams/1': {}, 'global_rules/7': {} },
      dependents: [{ kind: 'global_rules', id: '7', via: 'plugin' }],
      request: ['DELETE', '/upstreams/1'],
      status: 400,
      answer: 'can not delete this upstream, plugin in global_rules [7] is still using it now',
    },
    {
      rule: 'goes ahead when the one that referred is gone from the store',
      given: { 'upstreams/1': {} },
      dependents: [{ kind: 'routes', id: '7', via: 'reference' }],
      request: ['DELETE', '/upstreams/1'],
      status: 200,
    },
    {
      rule: 'goes ahead when the one that referred refers to another now',
      given: { 'upstreams/1': {}, 'routes/7': { ...OLD, upstream_id: '2' } },
      dependents: [{ kind: 'routes', id: '7', via: 'reference' }],
      request: ['DELETE', '/upstreams/1'],
      status: 200,
    },
    {
      rule: 'is forced by force=true',
      given: { 'upstreams/1': {}, ...kept },
      dependents: [{ kind: 'routes', id: '7', via: 'reference' }],
      request: ['DELETE', '/upstreams/1?force=true'],
      status: 200,
    },
    {
      rule: 'is forced by no other word',
      given: { 'upstreams/1': {}, ...kept },
      dependents: [{ kind: 'routes', id: '7', via: 'reference' }],
      request: ['DELETE', '/upstreams/1?force=1'],
      status: 400,
    },
    {
      rule: 'does not take a credential for its consumer',
      given: { 'consumers/jack': { username: 'jack' } },
      request: ['DELETE', '/consumers/jack/credentials/c1'],
      status: 404,
      answer: { message: 'Key not found' },
    },
  ])

  it('takes a consumer with its credentials, and those of no other', async () => {
    const admin = await startAdmin()
    for (const key of ['jack', 'jack/credentials/a', 'jack2/credentials/b']) {
      await admin.store.put(`/apisix/consumers/${key}`, '{}')
    }
    assert.equal((await admin.send('DELETE', '/consumers/jack')).status, 200)
    assert.deepEqual(await admin.content(), [['/apisix/consumers/jack2/credentials/b', '{}']])
  })
})
