import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

type Plugins = Record<string, Record<string, unknown>>

/** One route for everything with these plugins; `ask` sends a request, and what reached the upstream is counted. */
async function stage(t: TestContext, plugins: Plugins, settings: Record<string, unknown> = {}) {
  const upstream = await fakeUpstream(t)
  const route = { uri: '/*', plugins, upstream: { nodes: { [upstream.address]: 1 } } }
  const { proxyUrl } = await startGateway(t, { routes: { 1: route } }, { settings })
  const ask = (path = '/', init: RequestInit = {}) =>
    fetch(`${proxyUrl}${path}`, { redirect: 'manual', ...init })
  return { ask, reached: () => upstream.requests.length }
}

describe('a route that is guarded', () => {
  it('tells other origins even in its refusals, and answers their preflights without asking the guards', async (t) => {
    const { ask, reached } = await stage(t, { cors: {}, 'ip-restriction': { blacklist: ['127.0.0.0/8'] } })
    const refused = await ask()
    assert.equal(refused.status, 403)
    assert.equal(await refused.text(), '{"message":"Your IP address is not allowed"}\n')
    assert.equal(refused.headers.get('access-control-allow-origin'), '*')
    const preflight = await ask('/', { method: 'OPTIONS' })
    assert.equal(preflight.status, 200)
    assert.equal(preflight.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(await preflight.text(), '')
    assert.equal(reached(), 0)
  })

  it('gives a page its token with the answer to a GET, and wants it back with a POST', async (t) => {
    const { ask, reached } = await stage(t, { csrf: { key: 'k' } })
    const [cookie = ''] = (await ask()).headers.getSetCookie()
    const token = /^apisix-csrf-token=([^;]+)/.exec(cookie)?.[1] ?? ''
    assert.equal((await ask('/', { method: 'POST' })).status, 401)
    const headers = { 'apisix-csrf-token': token, cookie: `apisix-csrf-token=${token}` }
    assert.equal((await ask('/', { method: 'POST', headers })).status, 200)
    assert.equal(reached(), 2)
  })

  it('lets nobody past a blocked path by another spelling', async (t) => {
    const { ask, reached } = await stage(t, { 'uri-blocker': { block_rules: ['^/internal'] } })
    for (const path of ['/internal', '/%69nternal', '//internal', '/a/%2e%2e/internal']) {
      const answer = await ask(path)
      assert.equal(answer.status, 403, path)
      assert.equal(await answer.text(), '{"error_msg":"403 Forbidden"}\n')
    }
    assert.equal(reached(), 0)
  })

  it('lets in by User-Agent and Referer', async (t) => {
    const { ask, reached } = await stage(t, {
      'ua-restriction': { denylist: ['bot'] },
      'referer-restriction': { whitelist: ['a.com'] },
    })
    const status = async (headers: Record<string, string>) => (await ask('/', { headers })).status
    assert.equal(await status({ 'user-agent': 'browser', referer: 'https://a.com/' }), 200)
    assert.equal(await status({ 'user-agent': 'my-bot', referer: 'https://a.com/' }), 403)
    assert.equal(await status({ 'user-agent': 'browser', referer: 'https://b.com/' }), 403)
    assert.equal(reached(), 1)
  })
})

describe('a route that leads elsewhere', () => {
  const PORT = { 'plugin_attr.redirect': { https_port: 8443 } }

  it('to the same place with TLS, whatever a client says of its own', async (t) => {
    const { ask, reached } = await stage(t, { redirect: { http_to_https: true } }, PORT)
    const answer = await ask('/a?b=c', { headers: { 'x-forwarded-proto': 'https' } })
    assert.equal(answer.status, 301)
    assert.equal(answer.headers.get('location'), 'https://127.0.0.1:8443/a?b=c')
    assert.equal(await answer.text(), '')
    assert.equal((await ask('/a', { method: 'POST', body: 'x' })).status, 308)
    assert.equal(reached(), 0)
  })

  it('believes a trusted proxy that TLS ended there', async (t) => {
    const settings = { ...PORT, 'apisix.trusted_addresses': ['127.0.0.0/8'] }
    const { ask } = await stage(t, { redirect: { http_to_https: true } }, settings)
    assert.equal((await ask('/', { headers: { 'x-forwarded-proto': 'https' } })).status, 200)
    assert.equal((await ask('/', { headers: { 'x-forwarded-proto': 'http' } })).status, 301)
  })
})
