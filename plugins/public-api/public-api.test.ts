import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import publicApi from './index.ts'

const offering = definePlugin<Record<string, unknown>>({
  name: 'offering',
  priority: 1,
  schema: { type: 'object' },
  publicApi: () => [
    {
      methods: ['GET'],
      uri: '/apisix/plugin/offer',
      handle: (context) => ({ status: 200, body: `for ${context.arg('name')}` }),
    },
    {
      methods: ['POST'],
      uri: '/apisix/plugin/later/*',
      handle: async (context) => ({
        status: 202,
        headers: { 'X-Made': 'yes' },
        body: { got: (await context.readBody(100)).toString() },
      }),
    },
  ],
  compile: () => ({}),
})

async function withRoutes(t: TestContext, routes: Record<string, Record<string, unknown>>) {
  const plugins = { offering: async () => ({ default: offering }) }
  const gateway = await startGateway(t, { routes }, { plugins })
  return async (path: string, init: RequestInit = {}) => {
    const response = await fetch(gateway.proxyUrl + path, init)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
}

describe('public-api', () => {
  it('leads to the endpoint that a plugin offers at the path of the request', async (t) => {
    const ask = await withRoutes(t, { 1: { uri: '/apisix/plugin/*', plugins: { 'public-api': {} } } })
    const { status, body } = await ask('/apisix/plugin/offer?name=jack')
    assert.deepEqual([status, body], [200, 'for jack'])
    const later = await ask('/apisix/plugin/later/on', { method: 'POST', body: 'hi' })
    assert.deepEqual([later.status, later.body], [202, '{"got":"hi"}\n'])
    assert.equal(later.headers.get('x-made'), 'yes')
  })

  it('leads to the one that is configured, from any path', async (t) => {
    const plugins = { 'public-api': { uri: '/apisix/plugin/offer' } }
    const ask = await withRoutes(t, { 1: { uri: '/mine', plugins } })
    assert.equal((await ask('/mine?name=jill')).body, 'for jill')
  })

  it('answers 404 for another method and for what nobody offers', async (t) => {
    const ask = await withRoutes(t, { 1: { uri: '/*', plugins: { 'public-api': {} } } })
    const notFound = [404, '{"error_msg":"404 Not Found"}\n']
    const posted = await ask('/apisix/plugin/offer', { method: 'POST' })
    assert.deepEqual([posted.status, posted.body], notFound)
    const unknown = await ask('/apisix/plugin/none')
    assert.deepEqual([unknown.status, unknown.body], notFound)
  })

  it('comes after authentication, and without it no endpoint is reached', async (t) => {
    const guarded = { 'public-api': { uri: '/apisix/plugin/offer' }, 'key-auth': {} }
    const ask = await withRoutes(t, { 1: { uri: '/guarded', plugins: guarded } })
    assert.equal((await ask('/guarded')).status, 401)
    assert.equal((await ask('/apisix/plugin/offer')).status, 404)
  })

  it('leads to the metrics when they have no port of their own', async (t) => {
    const plugins = { 'public-api': { uri: '/apisix/prometheus/metrics' } }
    const settings = { 'plugin_attr.prometheus.enable_export_server': false }
    const gateway = await startGateway(t, { routes: { 1: { uri: '/metrics', plugins } } }, { settings })
    const response = await fetch(`${gateway.proxyUrl}/metrics`)
    assert.equal(response.status, 200)
    assert.match(await response.text(), /^# HELP /)
    assert.equal(gateway.addresses.metrics, undefined)
  })

  it('refuses a path that is none', () => {
    assert.match(refusal(publicApi, { uri: '' }) ?? '', /string too short/)
    assert.match(refusal(publicApi, { uri: 7 }) ?? '', /wrong type: expected string/)
  })
})
