import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { PluginRegistry } from '../../src/plugin/registry.ts'
import { type MountOptions, mountPlugin } from '../../src/testing/mount-plugin.ts'
import { signToken } from '../../test/support/jwt.ts'
import basicAuth from '../basic-auth/index.ts'
import jwtAuth from '../jwt-auth/index.ts'
import keyAuth from '../key-auth/index.ts'
import uriBlocker from '../uri-blocker/index.ts'
import multiAuth from './index.ts'

/** Takes its time to decide by the header `slow`. */
const slowAuth = definePlugin<object>({
  name: 'slow-auth',
  priority: 1,
  type: 'auth',
  schema: { type: 'object' },
  compile: () => ({
    async rewrite(context) {
      await new Promise((resolve) => setImmediate(resolve))
      if (context.headers.get('slow') === 'yes') return undefined
      return { status: 403, headers: { 'WWW-Authenticate': 'Slow' } }
    },
  }),
})

const PLUGINS = [basicAuth, jwtAuth, keyAuth, slowAuth, uriBlocker]
const jack = {
  username: 'jack',
  plugins: {
    'basic-auth': { username: 'jack', password: 'secret' },
    'jwt-auth': { key: 'jacks-key', secret: 'jacks-secret' },
    'key-auth': { key: 'k' },
  },
}
const guest = { username: 'guest', plugins: {} }
const BASIC = { Authorization: `Basic ${Buffer.from('jack:secret').toString('base64')}` }
const REFUSED = '{"message":"Authorization Failed"}\n'

function mount(auth_plugins: object[], options: MountOptions = {}) {
  return mountPlugin(multiAuth, { auth_plugins }, { consumers: [jack], others: PLUGINS, ...options })
}

/** The text with which the Admin API refuses the configuration. */
function said(config: unknown): string | undefined {
  const registry = new PluginRegistry()
  for (const plugin of [multiAuth, ...PLUGINS]) registry.register(plugin)
  const prefix = 'failed to check the configuration of plugin multi-auth err: '
  return registry.check('multi-auth', config, 'resource')?.replace(prefix, '')
}

describe('multi-auth', () => {
  it('lets in whom any of its plugins lets in', async () => {
    const mounted = mount([{ 'basic-auth': {} }, { 'key-auth': {} }, { 'jwt-auth': {} }])
    const token = signToken('HS256', 'jacks-secret', { payload: { key: 'jacks-key' } })
    for (const headers of [BASIC, { apikey: 'k' }, { Authorization: `Bearer ${token}` }]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.status, 200)
      assert.equal(answer.sent?.headers.get('x-consumer-username'), 'jack')
    }
  })

  it('refuses whom none of them lets in, with the challenge of the last one', async () => {
    const mounted = mount([{ 'basic-auth': {} }, { 'key-auth': { realm: 'last' } }])
    for (const headers of [{}, { apikey: 'wrong' }, { Authorization: 'Basic !' }]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.status, 401)
      assert.equal(answer.body, REFUSED)
      assert.deepEqual(answer.headers.all('www-authenticate'), ['apikey realm="last"'])
      assert.equal(answer.context.consumer, undefined)
    }
  })

  it('asks in order, and nobody after the first that lets the request in', async () => {
    const ask = async (auth: object[]) => {
      const answer = await mount(auth, { consumers: [jack, guest] }).request({ headers: BASIC })
      return answer.context.consumer?.name
    }
    const anonymous = { 'key-auth': { anonymous_consumer: 'guest' } }
    assert.equal(await ask([{ 'basic-auth': {} }, anonymous]), 'jack')
    assert.equal(await ask([anonymous, { 'basic-auth': {} }]), 'guest')
    assert.equal(await ask([{ 'jwt-auth': {}, 'basic-auth': {} }, anonymous]), 'jack', 'two in one entry')
  })

  it('asks each plugin with the credentials that came, though those before it would hide them', async () => {
    const mounted = mount([{ 'jwt-auth': { hide_credentials: true } }, { 'basic-auth': {} }])
    const answer = await mounted.request({ headers: BASIC })
    assert.equal(answer.status, 200)
    assert.equal(answer.sent?.headers.get('authorization'), BASIC.Authorization)
  })

  it('waits for plugins that take their time', async () => {
    for (const auth of [
      [{ 'slow-auth': {} }, { 'key-auth': {} }],
      [{ 'key-auth': {} }, { 'slow-auth': {} }],
    ]) {
      const mounted = mount(auth)
      assert.equal((await mounted.request({ headers: { slow: 'yes' } })).status, 200)
      assert.equal((await mounted.request({ headers: { apikey: 'k' } })).status, 200)
      const answer = await mounted.request()
      assert.equal(answer.status, 401, 'whatever status a plugin refuses with')
      assert.equal(answer.body, REFUSED)
    }
  })

  it('checks its configuration, and that of each of its plugins', () => {
    const key = { 'key-auth': {} }
    assert.equal(said({ auth_plugins: [key, { 'basic-auth': {} }] }), undefined)
    assert.equal(said({}), 'property "auth_plugins" is required')
    assert.match(said({ auth_plugins: [key] }) ?? '', /expect array to have at least 2 items/)
    assert.match(said({ auth_plugins: [key, {}] }) ?? '', /expect object to have at least 1 properties/)
    assert.match(said({ auth_plugins: [key, 'key-auth'] }) ?? '', /wrong type: expected object, got string/)
    assert.equal(said({ auth_plugins: [key, { 'no-auth': {} }] }), 'no-auth plugin did not found')
    assert.equal(said({ auth_plugins: [key, { 'uri-blocker': {} }] }), 'uri-blocker plugin is not supported')
    assert.equal(
      said({ auth_plugins: [key, { 'key-auth': { header: 1 } }] }),
      'plugin key-auth check schema failed: property "header" validation failed: wrong type: expected string, got number',
    )
  })
})
