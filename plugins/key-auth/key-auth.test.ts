import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import keyAuth from './index.ts'

const jack = {
  username: 'jack',
  labels: { custom_id: '42' },
  plugins: { 'key-auth': { key: 'jacks-key' } },
}
const guest = { username: 'guest', plugins: {} }

function mount(config: Record<string, unknown> = {}, options: MountOptions = {}) {
  return mountPlugin(keyAuth, config, { consumers: [jack], ...options })
}

describe('key-auth', () => {
  it('refuses a request without a key, with a challenge', async () => {
    const answer = await mount().request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"message":"Missing API key in request"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'apikey realm="key"')
    assert.equal(answer.sent, undefined)
  })

  it('refuses an unknown key, an empty one included', async () => {
    const mounted = mount()
    for (const apikey of ['nobodys-key', '']) {
      const answer = await mounted.request({ headers: { apikey } })
      assert.equal(answer.status, 401)
      assert.equal(answer.body, '{"message":"Invalid API key in request"}\n')
    }
  })

  it('refuses a key that stands twice, whichever of them is right', async () => {
    const mounted = mount()
    for (const apikey of [
      ['jacks-key', 'x'],
      ['x', 'jacks-key'],
      ['jacks-key', 'jacks-key'],
    ]) {
      const answer = await mounted.request({ headers: { apikey } })
      assert.equal(answer.body, '{"message":"Invalid API key in request"}\n')
    }
  })

  it('shows the configured realm', async () => {
    const answer = await mount({ realm: 'my api' }).request()
    assert.equal(answer.headers.get('www-authenticate'), 'apikey realm="my api"')
  })

  it('finds the consumer by header and tells the upstream who it is', async () => {
    const answer = await mount().request({ headers: { ApiKey: 'jacks-key', 'X-Consumer-Username': 'root' } })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.sent?.headers.all('x-consumer-username'), ['jack'])
    assert.equal(answer.sent?.headers.get('x-consumer-custom-id'), '42')
    assert.equal(answer.context.consumer?.name, 'jack')
  })

  it('finds the consumer by query argument, decoded', async () => {
    const mounted = mountPlugin(
      keyAuth,
      { query: 'k' },
      { consumers: [{ username: 'ann', plugins: { 'key-auth': { key: 'a key+' } } }] },
    )
    const answer = await mounted.request({ target: '/?k=a+key%2B' })
    assert.equal(answer.context.consumer?.name, 'ann')
  })

  it('asks the header first: a wrong key there is not mended by a right one in the query', async () => {
    const answer = await mount().request({ target: '/?apikey=jacks-key', headers: { apikey: 'wrong' } })
    assert.equal(answer.status, 401)
  })

  it('reads header and argument of the configured names', async () => {
    const mounted = mount({ header: 'X-Key', query: 'key' })
    assert.equal((await mounted.request({ headers: { 'x-key': 'jacks-key' } })).status, 200)
    assert.equal((await mounted.request({ target: '/?key=jacks-key' })).status, 200)
    assert.equal((await mounted.request({ headers: { apikey: 'jacks-key' } })).status, 401)
  })

  it('leaves the credentials in the request unless told to hide them', async () => {
    const answer = await mount().request({
      target: '/?apikey=jacks-key&b=1',
      headers: { apikey: 'jacks-key' },
    })
    assert.equal(answer.sent?.headers.get('apikey'), 'jacks-key')
    assert.equal(answer.sent?.target, '/?apikey=jacks-key&b=1')
  })

  it('hides the header, or the argument, from the upstream', async () => {
    const mounted = mount({ hide_credentials: true })
    const byHeader = await mounted.request({ headers: { APIKEY: 'jacks-key' } })
    assert.equal(byHeader.sent?.headers.has('apikey'), false)
    const byArg = await mounted.request({ target: '/a?x=1&apikey=jacks-key&y=%20' })
    assert.equal(byArg.sent?.target, '/a?x=1&y=%20')
  })

  it('lets the anonymous consumer stand in for a missing and for a wrong key', async () => {
    const mounted = mount({ anonymous_consumer: 'guest' }, { consumers: [jack, guest] })
    for (const headers of [{}, { apikey: 'wrong' }]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.sent?.headers.get('x-consumer-username'), 'guest')
    }
    const known = await mounted.request({ headers: { apikey: 'jacks-key' } })
    assert.equal(known.context.consumer?.name, 'jack')
  })

  it('hides a wrong key too when the anonymous consumer stands in', async () => {
    const config = { anonymous_consumer: 'guest', hide_credentials: true }
    const answer = await mount(config, { consumers: [guest] }).request({ headers: { apikey: 'wrong' } })
    assert.equal(answer.sent?.headers.get('x-consumer-username'), 'guest')
    assert.equal(answer.sent?.headers.has('apikey'), false)
  })

  it('refuses with its challenge when the anonymous consumer does not exist', async () => {
    const answer = await mount({ anonymous_consumer: 'nobody' }).request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"message":"Invalid user authorization"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'apikey realm="key"')
  })

  it('keeps its status and challenge under _meta.error_response', async () => {
    const answer = await mount({ _meta: { error_response: { my: 'err' } } }).request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"my":"err"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'apikey realm="key"')
  })

  it('checks its configuration, and that of consumers', () => {
    assert.equal(refusal(keyAuth, {}), undefined)
    assert.equal(
      refusal(keyAuth, { header: 1 }),
      'property "header" validation failed: wrong type: expected string, got number',
    )
    assert.match(refusal(keyAuth, { realm: 'a"b' }) ?? '', /^property "realm" validation failed/)
    assert.match(refusal(keyAuth, { anonymous_consumer: '' }) ?? '', /string too short/)
    assert.equal(refusal(keyAuth, {}, 'consumer'), 'property "key" is required')
    assert.equal(refusal(keyAuth, { key: 'a' }, 'consumer'), undefined)
  })

  it('names the key as a secret, so that it is never logged', () => {
    assert.deepEqual(keyAuth.secretFields, ['key'])
    assert.equal(keyAuth.consumerKey, 'key')
  })
})
