import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Route } from '../../src/model/types.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { fakeUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

describe("an answer of the gateway's own", () => {
  it('is JSON with code and phrase, and a page for who asks for HTML', async (t) => {
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/down', upstream: { nodes: { [await refusingAddress()]: 1 } } } },
    })
    const json = await fetch(`${gateway.proxyUrl}/down`)
    assert.equal(json.status, 502)
    assert.equal(json.headers.get('content-type'), 'application/json')
    assert.equal(json.headers.get('server'), 'Gatewright')
    assert.equal(await json.text(), '{"error_msg":"502 Bad Gateway"}\n')
    const html = await fetch(`${gateway.proxyUrl}/down`, { headers: { accept: 'text/html,*/*' } })
    assert.equal(html.status, 502)
    assert.equal(html.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.match(await html.text(), /<title>502 Bad Gateway<\/title>/)
    const head = await fetch(`${gateway.proxyUrl}/down`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [502, ''])
  })

  it("to what matches no route is APISIX's own text, whatever is accepted", async (t) => {
    const gateway = await startGateway(t)
    for (const accept of ['text/html', 'application/json']) {
      const answer = await fetch(`${gateway.proxyUrl}/none`, { headers: { accept } })
      assert.equal(answer.status, 404)
      assert.equal(answer.headers.get('content-type'), 'application/json')
      assert.equal(await answer.text(), '{"error_msg":"404 Route Not Found"}\n')
    }
  })

  it('names no server when that is switched off', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => {
      response.setHeader('server', 'node')
      response.end()
    })
    const gateway = await startGateway(
      t,
      { routes: { 1: { uri: '/a', upstream: { nodes: { [upstream.address]: 1 } } } } },
      { settings: { 'gatewright.server_header': false } },
    )
    for (const path of ['/a', '/none', '/../x']) {
      assert.equal((await fetch(`${gateway.proxyUrl}${path}`)).headers.get('server'), null, path)
    }
  })
})

/** Routes that the admin API would refuse, and that may come from a store all the same. */
const INCOMPLETE: readonly (readonly [what: string, route: Partial<Route>, status: number])[] = [
  ['a service that does not exist', { service_id: 'none' }, 404],
  [
    'a plugin config that does not exist',
    { plugin_config_id: 'none', upstream: { nodes: { '127.0.0.1:1': 1 } } },
    503,
  ],
  ['an upstream that does not exist', { upstream_id: 'none' }, 502],
  ['no upstream at all', { plugins: {} }, 503],
  ['an upstream without nodes', { upstream: { nodes: {} } }, 503],
]

describe('a route that cannot be served', () => {
  for (const [what, route, status] of INCOMPLETE) {
    it(`because it has ${what} gives ${status}`, async (t) => {
      const store = new MemoryStore({ logger: createLogger('silent') })
      await store.put('/apisix/routes/1', JSON.stringify({ id: '1', uri: '/*', ...route }))
      const gateway = await startGateway(t, {}, { store })
      assert.equal((await fetch(gateway.proxyUrl)).status, status)
    })
  }
})
