import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../src/testing/start-gateway.ts'

describe('a first route', () => {
  it('is written with the admin API, serves, is edited and goes', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => response.end(`hello ${request.url}`))
    const gateway = await startGateway(t)

    const missing = await fetch(`${gateway.proxyUrl}/hello`)
    assert.equal(missing.status, 404)
    assert.equal(missing.headers.get('content-type'), 'application/json')
    assert.equal(await missing.text(), '{"error_msg":"404 Route Not Found"}\n')

    const created = await gateway.admin('PUT', 'routes/1', {
      uri: '/hello',
      upstream: { nodes: { [upstream.address]: 1 } },
    })
    assert.equal(created.status, 201)
    const answer = await fetch(`${gateway.proxyUrl}/hello`)
    assert.equal(answer.status, 200)
    assert.equal(await answer.text(), 'hello /hello')
    assert.equal(answer.headers.get('server'), 'Gatewright')

    const edited = await gateway.admin('PATCH', 'routes/1', { uri: '/hi' })
    assert.equal(edited.status, 200)
    assert.equal((await fetch(`${gateway.proxyUrl}/hello`)).status, 404)
    assert.equal(await (await fetch(`${gateway.proxyUrl}/hi`)).text(), 'hello /hi')

    const deleted = await gateway.admin('DELETE', 'routes/1')
    assert.deepEqual(deleted, { status: 200, body: { deleted: '1', key: '/apisix/routes/1' } })
    assert.equal((await fetch(`${gateway.proxyUrl}/hi`)).status, 404)
  })

  it('is refused with a reason when it is wrong, and nothing changes', async (t) => {
    const gateway = await startGateway(t)
    const { status, body } = await gateway.admin('PUT', 'routes/1', { uri: '', upstream: { nodes: {} } })
    assert.equal(status, 400)
    assert.match(body['error_msg'] as string, /^invalid configuration: property "uri" validation failed/)
    assert.equal((await gateway.admin('GET', 'routes/1')).status, 404)
  })

  it('needs the admin key', async (t) => {
    const gateway = await startGateway(t)
    const url = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin/routes`
    assert.equal((await fetch(url)).status, 401)
    assert.equal((await fetch(url, { headers: { 'x-api-key': ADMIN_KEY } })).status, 200)
  })
})

describe('status and control', () => {
  it('tell that the gateway is ready and which revision serves', async (t) => {
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/a', upstream: { nodes: { '127.0.0.1:1': 1 } } } },
    })
    const { status, control } = gateway.addresses
    const ready = await fetch(`http://127.0.0.1:${status!.port}/status/ready`)
    assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ok' }])
    const sync = (await (await fetch(`http://127.0.0.1:${control!.port}/v1/sync`)).json()) as Record<
      string,
      unknown
    >
    assert.equal(sync['observed_revision'], sync['published_revision'])
    assert.deepEqual(sync['quarantined'], [])
    const route = (await (await fetch(`http://127.0.0.1:${control!.port}/v1/route/1`)).json()) as Record<
      string,
      unknown
    >
    assert.equal(route['key'], '/apisix/routes/1')
  })
})
