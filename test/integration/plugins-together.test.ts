import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

describe('plugins in a running gateway', () => {
  it('let the consumer of a key through, tell the upstream who it is, and refuse others', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      consumers: {
        jack: { username: 'jack', labels: { custom_id: '7' }, plugins: { 'key-auth': { key: 'secret-1' } } },
      },
      routes: {
        1: {
          uri: '/*',
          plugins: { 'key-auth': { hide_credentials: true } },
          upstream: { nodes: { [upstream.address]: 1 } },
        },
      },
    })
    const refused = await fetch(`${gateway.proxyUrl}/x`)
    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('www-authenticate'), 'apikey realm="key"')
    assert.equal(await refused.text(), '{"message":"Missing API key in request"}\n')

    const spoofed = { apikey: 'secret-1', 'x-consumer-username': 'admin', 'x-credential-identifier': 'c' }
    assert.equal((await fetch(`${gateway.proxyUrl}/x?a=1`, { headers: spoofed })).status, 200)
    const { headers, url } = upstream.requests[0]!
    assert.equal(url, '/x?a=1')
    assert.equal(headers['x-consumer-username'], 'jack')
    assert.equal(headers['x-consumer-custom-id'], '7')
    assert.equal(headers['x-credential-identifier'], undefined)
    assert.equal(headers['apikey'], undefined)
  })

  it('take a limit from the consumer instead of the route, and count each apart', async (t) => {
    const upstream = await fakeUpstream(t)
    const limit = (count: number) => ({ count, time_window: 60, rejected_code: 429, key: 'consumer_name' })
    const gateway = await startGateway(t, {
      consumers: {
        gold: { username: 'gold', plugins: { 'key-auth': { key: 'gold-key' }, 'limit-count': limit(3) } },
        free: { username: 'free', plugins: { 'key-auth': { key: 'free-key' } } },
      },
      routes: {
        1: {
          uri: '/*',
          plugins: { 'key-auth': {}, 'limit-count': limit(1) },
          upstream: { nodes: { [upstream.address]: 1 } },
        },
      },
    })
    const statuses = async (apikey: string) => {
      const seen: number[] = []
      for (let i = 0; i < 4; i++) seen.push((await fetch(gateway.proxyUrl, { headers: { apikey } })).status)
      return seen
    }
    assert.deepEqual(await statuses('free-key'), [200, 429, 429, 429])
    assert.deepEqual(await statuses('gold-key'), [200, 200, 200, 429])
  })

  it('keep their counters over an edit elsewhere in the route and start anew when their own configuration changes', async (t) => {
    const upstream = await fakeUpstream(t)
    const route = (count: number, desc: string) => ({
      uri: '/*',
      desc,
      plugins: { 'limit-count': { count, time_window: 60, rejected_code: 429 } },
      upstream: { nodes: { [upstream.address]: 1 } },
    })
    const gateway = await startGateway(t, { routes: { 1: route(1, 'first') } })
    const status = async () => (await fetch(gateway.proxyUrl)).status
    assert.deepEqual([await status(), await status()], [200, 429])
    await gateway.put('routes', '1', route(1, 'edited'))
    assert.equal(await status(), 429)
    await gateway.put('routes', '1', route(2, 'edited'))
    assert.deepEqual([await status(), await status(), await status()], [200, 200, 429])
  })

  it('change what the upstream gets and what the client sees', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => response.end('inner'))
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/old/*',
          plugins: {
            'proxy-rewrite': {
              regex_uri: ['^/old/(.*)$', '/new/$1'],
              headers: { set: { 'X-In': '$remote_addr' } },
            },
            'response-rewrite': { body: 'outer', headers: { set: { 'X-Out': '$status' } } },
            'request-id': {},
          },
          upstream: { nodes: { [upstream.address]: 1 } },
        },
      },
    })
    const response = await fetch(`${gateway.proxyUrl}/old/a%2Fb?q=1`)
    assert.equal(await response.text(), 'outer')
    assert.equal(response.headers.get('x-out'), '200')
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(upstream.requests[0]!.headers['x-in'], '127.0.0.1')
    assert.equal(upstream.requests[0]!.headers['x-request-id'], response.headers.get('x-request-id'))
    assert.match(upstream.requests[0]!.url, /^\/new\/a.*\?q=1$/)
  })

  it('count requests for Prometheus, answers of the gateway included', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: {
        r1: { uri: '/ok', plugins: { prometheus: {} }, upstream: { nodes: { [upstream.address]: 1 } } },
        r2: {
          uri: '/closed',
          plugins: { prometheus: {}, 'key-auth': {} },
          upstream: { nodes: { [upstream.address]: 1 } },
        },
      },
    })
    await fetch(`${gateway.proxyUrl}/ok`).then((response) => response.text())
    await fetch(`${gateway.proxyUrl}/closed`).then((response) => response.text())
    const url = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
    const text = await (await fetch(url)).text()
    assert.match(
      text,
      /apisix_http_status\{code="200",route="r1",.*node="127\.0\.0\.1".*response_source="upstream"\} 1/,
    )
    assert.match(text, /apisix_http_status\{code="401",route="r2",.*node="".*response_source="apisix"\} 1/)
    assert.match(text, /apisix_etcd_reachable 1/)
  })

  it('run for global rules on requests that match no route', async (t) => {
    const gateway = await startGateway(t, { global_rules: { 1: { plugins: { 'request-id': {} } } } })
    const response = await fetch(`${gateway.proxyUrl}/nowhere`)
    assert.equal(response.status, 404)
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
  })
})
