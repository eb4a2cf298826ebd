import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'

const CACHE = { cache_strategy: 'memory', cache_zone: 'memory_cache', cache_http_status: [200, 404] }

/** A route with a cache and these plugins, before a node that says who it thinks is asking. */
async function stage(t: TestContext, plugins: Record<string, Record<string, unknown>>, more: Resources = {}) {
  const { address } = await fakeUpstream(t, ({ url, headers }, response) => {
    response.statusCode = url === '/missing' ? 404 : 200
    response.end(`for ${headers['x-user-id'] ?? 'everyone'}`)
  })
  const route = {
    uri: '/*',
    plugins: { 'proxy-cache': CACHE, ...plugins },
    upstream: { nodes: { [address]: 1 } },
  }
  const { proxyUrl } = await startGateway(t, { routes: { 1: route }, ...more })
  return async (path = '/', headers: Record<string, string> = {}) => {
    const response = await fetch(proxyUrl + path, { headers })
    return {
      headers: response.headers,
      word: response.headers.get('apisix-cache-status'),
      text: await response.text(),
    }
  }
}

/** An authorization service that names the user by the cookie. */
async function userService(t: TestContext): Promise<string> {
  const { address } = await fakeUpstream(t, ({ headers }, response) => {
    response.setHeader('X-User-Id', headers.cookie ?? 'nobody')
    response.end()
  })
  return `http://${address}/`
}

/** A policy agent that lets everybody in, and names the user by the cookie. */
async function policyAgent(t: TestContext): Promise<string> {
  const { address } = await fakeUpstream(t, async (request, response) => {
    const { input } = JSON.parse(Buffer.concat(await request.toArray()).toString())
    const headers = { 'X-User-Id': input.request.headers.cookie ?? 'nobody' }
    response.end(JSON.stringify({ result: { allow: true, headers } }))
  })
  return `http://${address}`
}

describe('an answer from the cache', () => {
  it('has been changed by plugins once, those of global rules too', async (t) => {
    const everywhere = {
      'response-rewrite': { headers: { add: ['X-Line: 1'] } },
      echo: { after_body: '!' },
      cors: { allow_origins: 'http://a.test,http://b.test' },
    }
    const ask = await stage(t, {}, { global_rules: { 1: { plugins: everywhere } } })
    for (const word of ['MISS', 'HIT', 'HIT']) {
      const answer = await ask('/', { Origin: 'http://a.test' })
      assert.equal(answer.word, word)
      assert.equal(answer.text, 'for everyone!')
      assert.equal(answer.headers.get('x-line'), '1')
      assert.equal(answer.headers.get('vary'), 'Origin')
    }
    const other = await ask('/', { Origin: 'http://b.test' })
    assert.equal(other.word, 'HIT')
    assert.equal(other.headers.get('access-control-allow-origin'), 'http://b.test')
  })

  it('has the id of the request that it answers', async (t) => {
    const ask = await stage(t, { 'request-id': {} })
    const ids = [await ask(), await ask()].map(({ headers }) => headers.get('x-request-id'))
    assert.equal(new Set(ids).size, 2)
  })

  it('is the upstream’s: an error page is for errors of the gateway', async (t) => {
    const metadata = { enable: true, error_404: { body: 'a page' } }
    const ask = await stage(t, { 'error-page': {} }, {
      plugin_metadata: { 'error-page': metadata },
    } as Resources)
    for (const word of ['MISS', 'HIT']) {
      const { text, ...answer } = await ask('/missing')
      assert.deepEqual([answer.word, text], [word, 'for everyone'])
    }
  })

  it('was not made for another user, of whom a service has told the upstream', async (t) => {
    const asked = { uri: await userService(t), request_headers: ['Cookie'], upstream_headers: ['X-User-Id'] }
    const ask = await stage(t, { 'forward-auth': asked })
    assert.equal((await ask('/', { Cookie: 'ann' })).text, 'for ann')
    const { text, word } = await ask('/', { Cookie: 'bob' })
    assert.deepEqual([text, word], ['for bob', 'BYPASS'])
  })

  it('was not made for another user, of whom a policy agent has told the upstream', async (t) => {
    const asked = { host: await policyAgent(t), policy: 'p', send_headers_upstream: ['X-User-Id'] }
    const ask = await stage(t, { opa: asked })
    assert.equal((await ask('/', { Cookie: 'ann' })).text, 'for ann')
    const { text, word } = await ask('/', { Cookie: 'bob' })
    assert.deepEqual([text, word], ['for bob', 'BYPASS'])
  })

  it('is kept for each user where cache_key tells them apart', async (t) => {
    const asked = { uri: await userService(t), request_headers: ['Cookie'], upstream_headers: ['X-User-Id'] }
    const cache = { ...CACHE, cache_key: ['$uri', '$http_x_user_id'] }
    const ask = await stage(t, { 'forward-auth': asked, 'proxy-cache': cache })
    const words = []
    for (const Cookie of ['ann', 'bob', 'ann']) {
      const { text, word } = await ask('/', { Cookie })
      assert.equal(text, `for ${Cookie}`)
      words.push(word)
    }
    assert.deepEqual(words, ['MISS', 'MISS', 'HIT'])
  })
})
