import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { describe, it } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import basicAuth from './index.ts'

const jack = {
  username: 'jack',
  labels: { custom_id: '42' },
  plugins: { 'basic-auth': { username: 'jack', password: 'secret' } },
}
const guest = { username: 'guest', plugins: {} }

function mount(config: Record<string, unknown> = {}, options: MountOptions = {}) {
  return mountPlugin(basicAuth, config, { consumers: [jack], ...options })
}

const basic = (text: string, scheme = 'Basic') => ({
  Authorization: `${scheme} ${Buffer.from(text).toString('base64')}`,
})

function withConsumer(username: string, password: string) {
  const plugins = { 'basic-auth': { username, password } }
  return mount({}, { consumers: [{ username: 'ann', plugins }] })
}

describe('basic-auth', () => {
  it('lets the consumer in and tells the upstream who it is', async () => {
    const headers = { ...basic('jack:secret'), 'X-Consumer-Username': 'root' }
    const answer = await mount().request({ headers })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.sent?.headers.all('x-consumer-username'), ['jack'])
    assert.equal(answer.sent?.headers.get('x-consumer-custom-id'), '42')
    assert.equal(answer.context.consumer?.name, 'jack')
  })

  it('refuses a request without credentials, with a challenge', async () => {
    const answer = await mount().request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"message":"Missing authorization in request"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="basic"')
    assert.equal(answer.sent, undefined)
  })

  it('refuses what it cannot read', async () => {
    const mounted = mount()
    for (const Authorization of [
      '',
      'Basic',
      'Basic ',
      'Basic !!!',
      'Basic amFja',
      'Basic amFjaw==',
      'Bearer amFjazpzZWNyZXQ=',
      'NotBasic amFjazpzZWNyZXQ=',
    ]) {
      const answer = await mounted.request({ headers: { Authorization } })
      assert.equal(answer.status, 401, Authorization)
      assert.equal(answer.body, '{"message":"Invalid authorization in request"}\n', Authorization)
    }
  })

  it('refuses credentials that stand twice, whichever of them are right', async () => {
    const mounted = mount()
    const { Authorization: good } = basic('jack:secret')
    for (const Authorization of [
      [good, 'Basic YTpi'],
      ['Basic YTpi', good],
      [good, good],
    ]) {
      const answer = await mounted.request({ headers: { Authorization } })
      assert.equal(answer.body, '{"message":"Invalid authorization in request"}\n')
    }
  })

  it('refuses a wrong password and an unknown user with the same words', async () => {
    const mounted = mount()
    for (const given of ['jack:wrong', 'jack:', 'jack:secre', 'jack:secret2', 'ann:secret', ':secret', ':']) {
      const answer = await mounted.request({ headers: basic(given) })
      assert.equal(answer.status, 401, given)
      assert.equal(answer.body, '{"message":"Invalid user authorization"}\n', given)
    }
  })

  it('takes the scheme in any case, and base64 without padding', async () => {
    const mounted = mount()
    for (const scheme of ['basic', 'BASIC', 'Basic ']) {
      assert.equal((await mounted.request({ headers: basic('jack:secret', scheme) })).status, 200, scheme)
    }
    const Authorization = basic('jack:secret').Authorization.replace(/=+$/, '')
    assert.equal((await mounted.request({ headers: { Authorization } })).status, 200)
  })

  it('reads as APISIX does: without blanks, the password up to the second colon', async () => {
    const mounted = mount()
    for (const given of ['ja ck:sec\tret', ' jack : secret ', 'jack:secret:more']) {
      assert.equal((await mounted.request({ headers: basic(given) })).status, 200, given)
    }
  })

  it('knows passwords with colons and blanks, which APISIX cannot', async () => {
    const mounted = withConsumer('ann lee', 'a: b :c')
    assert.equal((await mounted.request({ headers: basic('ann lee:a: b :c') })).status, 200)
    assert.equal((await mounted.request({ headers: basic('ann lee:a') })).status, 401)
  })

  it('knows names and passwords in any script, as UTF-8', async () => {
    const mounted = withConsumer('añ', 'пароль')
    assert.equal((await mounted.request({ headers: basic('añ:пароль') })).status, 200)
    assert.equal((await mounted.request({ headers: basic('añ:парол') })).status, 401)
  })

  it('does not take bytes that are no text for the sign that stands for them', async () => {
    const mounted = withConsumer('ann', '\ufffd')
    const Authorization = `Basic ${Buffer.from([...Buffer.from('ann:'), 0xff]).toString('base64')}`
    assert.equal((await mounted.request({ headers: { Authorization } })).status, 401)
    assert.equal((await mounted.request({ headers: basic('ann:\ufffd') })).status, 200)
  })

  it('hides the credentials from the upstream when told to', async () => {
    const kept = await mount().request({ headers: basic('jack:secret') })
    assert.equal(kept.sent?.headers.has('authorization'), true)
    const hidden = await mount({ hide_credentials: true }).request({ headers: basic('jack:secret') })
    assert.equal(hidden.status, 200)
    assert.equal(hidden.sent?.headers.has('authorization'), false)
  })

  it('lets the anonymous consumer stand in, and hides what did not identify anybody', async () => {
    const config = { anonymous_consumer: 'guest', hide_credentials: true }
    const mounted = mount(config, { consumers: [jack, guest] })
    for (const headers of [{}, { Authorization: 'Basic !' }, basic('jack:wrong')]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.sent?.headers.get('x-consumer-username'), 'guest')
      assert.equal(answer.sent?.headers.has('authorization'), false)
    }
    const known = await mounted.request({ headers: basic('jack:secret') })
    assert.equal(known.context.consumer?.name, 'jack')
  })

  it('refuses with its challenge when the anonymous consumer does not exist', async () => {
    const answer = await mount({ anonymous_consumer: 'nobody', realm: 'my api' }).request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"message":"Invalid user authorization"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="my api"')
  })

  it('spends as much on a name that does not exist as on a wrong password', async (t) => {
    const mounted = mount()
    const hashesFor = async (credentials: string) => {
      const before = createHash.mock.callCount()
      assert.equal((await mounted.request({ headers: basic(credentials) })).status, 401)
      return createHash.mock.callCount() - before
    }
    // The digest of the stored password is made once.
    await mounted.request({ headers: basic('jack:secret') })
    const createHash = t.mock.method(crypto, 'createHash')
    syncBuiltinESMExports()
    t.after(() => {
      createHash.mock.restore()
      syncBuiltinESMExports()
    })
    const ofKnown = await hashesFor('jack:wrong')
    assert.ok(ofKnown > 0)
    assert.equal(await hashesFor('nobody:wrong'), ofKnown)
    assert.equal(await hashesFor('nobody:secret'), ofKnown)
    assert.equal(await hashesFor(':'), ofKnown)
  })

  it('checks its configuration, and that of consumers', () => {
    assert.equal(refusal(basicAuth, {}), undefined)
    assert.match(refusal(basicAuth, { hide_credentials: 1 }) ?? '', /"hide_credentials" validation failed/)
    assert.match(refusal(basicAuth, { realm: 'a"b' }) ?? '', /^property "realm" validation failed/)
    assert.equal(refusal(basicAuth, { username: 'a' }, 'consumer'), 'property "password" is required')
    assert.equal(refusal(basicAuth, { password: 'a' }, 'consumer'), 'property "username" is required')
    assert.equal(refusal(basicAuth, { username: 'a', password: 'b' }, 'consumer'), undefined)
  })

  it('names the password as a secret, so that it is encrypted and never logged', () => {
    assert.deepEqual(basicAuth.secretFields, ['password'])
    assert.equal(basicAuth.consumerKey, 'username')
  })
})
