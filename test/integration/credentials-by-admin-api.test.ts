import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

describe('a consumer with a group and a credential, all written through the admin API', () => {
  it('is recognised by the credential, limited by the group, and unknown once the credential is gone', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t)
    const write = async (method: string, path: string, body?: object) => {
      const shown = await gateway.admin(method, `${path}?wait=applied`, body)
      assert.ok(shown.status < 300, `${method} ${path}: ${JSON.stringify(shown.body)}`)
      return shown.body
    }
    const limit = { count: 2, time_window: 60, rejected_code: 429, key: 'consumer_name' }
    await write('PUT', 'consumer_groups/gold', { plugins: { 'limit-count': limit } })
    await write('PUT', 'consumers/jack', { username: 'jack', group_id: 'gold' })
    const credential = await write('PUT', 'consumers/jack/credentials/laptop', {
      plugins: { 'key-auth': { key: 'the-key-of-the-laptop' } },
    })
    assert.equal(credential['key'], '/apisix/consumers/jack/credentials/laptop')
    await write('PUT', 'routes/1', {
      uri: '/*',
      plugins: { 'key-auth': {} },
      upstream: { nodes: { [upstream.address]: 1 } },
    })

    const status = async (apikey: string) => (await fetch(gateway.proxyUrl, { headers: { apikey } })).status
    assert.equal(await status('another-key'), 401)
    assert.equal(await status('the-key-of-the-laptop'), 200)
    const { headers } = upstream.requests[0]!
    assert.equal(headers['x-consumer-username'], 'jack')
    assert.equal(headers['x-credential-identifier'], 'laptop')
    assert.deepEqual(
      [await status('the-key-of-the-laptop'), await status('the-key-of-the-laptop')],
      [200, 429],
      'the group lets two through',
    )

    const inUse = await gateway.admin('DELETE', 'consumer_groups/gold')
    assert.deepEqual(
      [inUse.status, inUse.body],
      [400, { error_msg: 'can not delete this consumer group, consumer [jack] is still using it now' }],
    )
    await write('DELETE', 'consumers/jack/credentials/laptop')
    assert.equal(await status('the-key-of-the-laptop'), 401)
  })

  it('shows secrets without what opens the manager, and serves them', async (t) => {
    const gateway = await startGateway(t)
    const vault = { uri: 'http://127.0.0.1:1', prefix: 'kv', token: 'hush-hush' }
    const shown = await gateway.admin('PUT', 'secrets/vault/1?wait=applied', vault)
    assert.equal(shown.status, 201)
    const { body } = await gateway.admin('GET', 'secrets/vault/1')
    assert.equal((body['value'] as { id: string }).id, 'vault/1')
    assert.doesNotMatch(JSON.stringify([shown.body, body]), /hush/)
  })

  it('stores stream routes once the mode allows them', async (t) => {
    const route = { server_port: 9100, upstream: { nodes: { '127.0.0.1:1': 1 } } }
    const without = await startGateway(t)
    assert.equal((await without.admin('PUT', 'stream_routes/1', route)).status, 400)
    const gateway = await startGateway(t, {}, { settings: { 'apisix.proxy_mode': 'http&stream' } })
    assert.equal((await gateway.admin('PUT', 'stream_routes/1?wait=applied', route)).status, 201)
  })
})
