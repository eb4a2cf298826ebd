import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeSettings } from './describe.ts'
import { loadSettings } from './load.ts'

const SECRETS = {
  'deployment.admin.admin_key': [{ name: 'ops', key: 'hush-1', role: 'admin' }],
  'deployment.etcd.password': 'hush-2',
  'deployment.etcd.host': ['http://root:hush-3@e1:2379'],
  'apisix.data_encryption.keyring': ['hush-4-hush-hush'],
  'plugin_attr.x': { api_token: 'hush-5', nested: { client_secret: 'hush-6' }, url: 'redis://u:hush-7@r' },
  discovery: { nacos: { password: 'hush-8' } },
}

describe('describeSettings', () => {
  it('shows every effective value with its source', () => {
    const rows = describeSettings(loadSettings({ env: {}, flags: { 'apisix.node_listen': 8000 } }))
    const row = (path: string) => rows.find((candidate) => candidate.path === path)
    assert.deepEqual(row('apisix.node_listen'), {
      path: 'apisix.node_listen',
      value: '[{"ip":"0.0.0.0","port":8000}]',
      source: 'flag',
    })
    assert.deepEqual(row('apisix.status.port'), {
      path: 'apisix.status.port',
      value: '7085',
      source: 'default',
    })
    assert.match(row('(store)')!.value, /^embedded \//)
  })

  it('masks every secret, and nothing that is beside it', () => {
    const shown = JSON.stringify(describeSettings(loadSettings({ env: {}, flags: SECRETS })))
    assert.doesNotMatch(shown, /hush/)
    assert.match(shown, /ops/)
    assert.match(shown, /http:\/\/\*\*\*@e1:2379/)
  })
})
