import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountedPlugin, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import prometheus from './index.ts'

const lines = (mounted: MountedPlugin, start: string) =>
  mounted.metrics
    .expose()
    .split('\n')
    .filter((line) => line.startsWith(start))
const route = {
  id: 'p1',
  name: 'first',
  uri: '/p1/*',
  host: 'prom.test',
  serviceId: 'sv',
  serviceName: 'Serv',
}

describe('prometheus', () => {
  it('counts statuses with the labels of the contract, in their order', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    await mounted.request({ target: '/p1/a' })
    await mounted.request({ target: '/p1/b' })
    assert.deepEqual(lines(mounted, 'apisix_http_status'), [
      'apisix_http_status{code="200",route="p1",matched_uri="/p1/*",matched_host="prom.test",service="sv",consumer="",' +
        'node="10.0.0.1",request_type="traditional_http",request_llm_model="",llm_model="",response_source="upstream"} 2',
    ])
  })

  it('tells who made the response', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    await mounted.request({ upstream: 'refused' })
    assert.match(
      lines(mounted, 'apisix_http_status')[0] ?? '',
      /code="502".*node="10\.0\.0\.1".*="nginx"\} 1$/,
    )
  })

  it('observes latencies in ms: of the request, of the upstream, and what is left for the gateway', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    await mounted.request({
      upstream: () => {
        mounted.advance(30)
        return {}
      },
    })
    const sums = lines(mounted, 'apisix_http_latency_sum')
    assert.deepEqual(
      sums.map((line) => [/type="(\w+)"/.exec(line)?.[1], line.split(' ').at(-1)]),
      [
        ['apisix', '0'],
        ['request', '30'],
        ['upstream', '30'],
      ],
    )
    const buckets = lines(mounted, 'apisix_http_latency_bucket{type="request"')
    assert.deepEqual(
      buckets.map((line) => /le="([^"]+)"/.exec(line)?.[1]).join(' '),
      '1 2 5 10 20 50 100 200 500 1000 2000 5000 10000 30000 60000 +Inf',
    )
    assert.match(buckets[4] ?? '', /le="20"\} 0$/)
    assert.match(buckets[5] ?? '', /le="50"\} 1$/)
    assert.match(
      buckets[0] ?? '',
      /\{type="request",route="p1",service="sv",consumer="",node="10\.0\.0\.1",request_type="traditional_http",request_llm_model="",llm_model="",le="1"\}/,
    )
  })

  it('has no upstream latency for a request that reached none', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    mounted.add({})
    await mounted.request({ route: undefined })
    assert.equal(lines(mounted, 'apisix_http_latency_count{type="upstream",route="p1"').length, 0)
  })

  it('counts bytes both ways', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    const { context } = await mounted.request({ upstream: { body: 'x'.repeat(1000) } })
    const value = (type: string) =>
      Number(lines(mounted, `apisix_bandwidth{type="${type}"`)[0]?.split(' ').at(-1))
    assert.equal(value('ingress'), context.stats.bytesReceived)
    assert.ok(value('ingress') > 10)
    assert.equal(value('egress'), 1000)
  })

  it('labels with names when told to, with ids where there is no name', async () => {
    const named = mountPlugin(prometheus, { prefer_name: true }, { route })
    await named.request()
    assert.match(lines(named, 'apisix_http_status')[0] ?? '', /route="first".*service="Serv"/)
    const nameless = { id: 'p2', serviceId: 's2' }
    const unnamed = mountPlugin(prometheus, { prefer_name: true }, { route: nameless })
    await unnamed.request()
    assert.match(lines(unnamed, 'apisix_http_status')[0] ?? '', /route="p2".*service="s2"/)
  })

  it('leaves labels empty that have nothing to say', async () => {
    const mounted = mountPlugin(prometheus, {})
    await mounted.request({ route: undefined })
    assert.match(
      lines(mounted, 'apisix_http_status')[0] ?? '',
      /route="",matched_uri="",matched_host="",service="",consumer="",/,
    )
  })

  it('takes no label from what the client sends', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    for (let i = 0; i < 50; i++) {
      await mounted.request({
        target: `/p1/${i}?x=${i}`,
        headers: { Host: `h${i}.test`, 'User-Agent': `a${i}` },
      })
    }
    assert.equal(lines(mounted, 'apisix_http_status').length, 1)
  })

  it('tells nodes apart', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.1'])
      await mounted.request({ node: { host, port: 80 } })
    assert.deepEqual(
      lines(mounted, 'apisix_http_status').map((line) => line.split(' ').at(-1)),
      ['2', '1'],
    )
  })

  it('shares its series with other resources, so that nothing is declared twice', async () => {
    const one = mountPlugin(prometheus, {}, { route })
    const other = mountPlugin(prometheus, {}, { route, beside: one })
    await one.request()
    await other.request()
    assert.match(lines(one, 'apisix_http_status')[0] ?? '', / 2$/)
  })

  it('takes prefix, buckets and more labels from the settings', async () => {
    const attr = {
      metric_prefix: 'gw_',
      default_buckets: [10, 100],
      metrics: { http_status: { extra_labels: [{ method: '$request_method' }] } },
    }
    const mounted = mountPlugin(prometheus, {}, { route, attr })
    await mounted.request({ method: 'PUT' })
    await mounted.request({ method: 'GET' })
    assert.deepEqual(
      lines(mounted, 'gw_http_status').map((line) => /,method="(\w+)"\} 1$/.exec(line)?.[1]),
      ['GET', 'PUT'],
    )
    assert.equal(lines(mounted, 'gw_http_latency_bucket{type="request"').length, 3)
  })

  it('empties the labels that its metadata disables, also when it changes later', async () => {
    const metadata = { disabled_labels: { http_status: ['node'] } }
    const mounted = mountPlugin(prometheus, {}, { route, metadata })
    await mounted.request()
    assert.match(lines(mounted, 'apisix_http_status')[0] ?? '', /node=""/)
    assert.match(lines(mounted, 'apisix_bandwidth')[0] ?? '', /node="10\.0\.0\.1"/)
    mounted.setMetadata({})
    await mounted.request()
    assert.equal(lines(mounted, 'apisix_http_status').length, 2)
  })

  it('is skipped in a global rule when the route has it', () => {
    assert.equal(prometheus.runPolicy, 'prefer_route')
  })

  it('counts into series that are seen after others were removed', async () => {
    const mounted = mountPlugin(prometheus, {}, { route })
    await mounted.request()
    mounted.metrics.prune((owner, value) => owner !== 'nodes' || value !== '10.0.0.1')
    assert.deepEqual(lines(mounted, 'apisix_http_status'), [])
    await mounted.request()
    assert.match(lines(mounted, 'apisix_http_status')[0] ?? '', / 1$/)
    assert.equal(lines(mounted, 'apisix_bandwidth').length, 2)
  })

  it('lets its series go with route, service, consumer and node', async () => {
    for (const [owner, value] of Object.entries({ routes: 'p1', services: 'sv', nodes: '10.0.0.1' })) {
      const mounted = mountPlugin(prometheus, {}, { route })
      await mounted.request()
      mounted.metrics.prune((kind, name) => kind !== owner || name !== value)
      assert.deepEqual(lines(mounted, 'apisix_'), [], owner)
    }
  })

  it('cuts long values of extra labels', async () => {
    const attr = { metrics: { http_status: { extra_labels: [{ agent: '$http_user_agent' }] } } }
    const mounted = mountPlugin(prometheus, {}, { route, attr })
    await mounted.request({ headers: { 'User-Agent': 'z'.repeat(3000) } })
    assert.match(lines(mounted, 'apisix_http_status')[0] ?? '', /agent="z{256}"/)
  })

  it('escapes what a client can put into extra labels', async () => {
    const attr = { metrics: { http_status: { extra_labels: [{ q: '$arg_q' }] } } }
    const mounted = mountPlugin(prometheus, {}, { route, attr })
    await mounted.request({ target: '/p1/?q=a%22%7D%0Aevil%201%5C' })
    assert.match(mounted.metrics.expose(), /,q="a\\"\}\\nevil 1\\\\"\} 1\n/)
    assert.equal(lines(mounted, 'evil').length, 0)
  })

  it('lets series that do not change expire where the settings say so', async () => {
    const attr = { metrics: { http_status: { expire: 60 } } }
    const mounted = mountPlugin(prometheus, {}, { route, attr })
    await mounted.request()
    assert.equal(lines(mounted, 'apisix_http_status').length, 1)
    mounted.advance(61_000)
    assert.equal(lines(mounted, 'apisix_http_status').length, 0)
    assert.equal(lines(mounted, 'apisix_bandwidth').length, 2)
  })

  it('offers the metrics to public-api only where they have no listener of their own', async () => {
    const { metrics } = mountPlugin(prometheus, {})
    metrics.counter({ name: 'c_total', help: 'h', labels: [] }).labels().inc()
    const offered = (attr: object) => prometheus.publicApi!({ metrics, attr } as never)
    assert.deepEqual(offered({ enable_export_server: true }), [])
    const [api] = offered({ enable_export_server: false, export_uri: '/metrics' })
    assert.deepEqual([api?.methods, api?.uri], [['GET'], '/metrics'])
    const reply = await api!.handle({} as never)
    assert.equal(reply.status, 200)
    assert.deepEqual(reply.headers, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
    assert.match(String(reply.body), /^c_total 1$/m)
  })

  it('checks its configuration', () => {
    assert.match(refusal(prometheus, { prefer_name: 'yes' }) ?? '', /^property "prefer_name"/)
  })
})
