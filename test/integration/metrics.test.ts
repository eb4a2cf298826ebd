import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

/** Reads the text as a scraper does: every line is a comment of a known kind or a sample; returns samples by name and labels. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  let family = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line)
    if (comment) {
      if (comment[1] === 'TYPE') assert.match(comment[3]!, /^(counter|gauge|histogram)$/)
      family = comment[2]!
      continue
    }
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line)
    assert.ok(sample, `not a sample: ${line}`)
    const [, name, labels = '', value] = sample
    assert.ok(
      [family, `${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name!),
      `${name} in ${family}`,
    )
    assert.ok(!samples.has(name + labels), `${name}${labels} appears twice`)
    samples.set(name + labels, Number(value!.replace('Inf', 'Infinity')))
  }
  return samples
}

async function scrape({ addresses }: TestGateway): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${addresses.metrics!.port}/apisix/prometheus/metrics`)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  return parse(await response.text())
}

const namesIn = (samples: Map<string, number>, start: string) =>
  [...samples.keys()].filter((key) => key.startsWith(start))

/** Polls, because a request is counted when its response has left, which its client may notice earlier. */
async function scrapeUntil(gateway: TestGateway, isMet: (samples: Map<string, number>) => boolean) {
  const deadline = Date.now() + 5000
  for (;;) {
    const samples = await scrape(gateway)
    if (isMet(samples)) return samples
    assert.ok(Date.now() < deadline, `never came true, last: ${[...samples.keys()].join('\n')}`)
  }
}

async function twoRoutes(t: TestContext) {
  const upstream = await fakeUpstream(t, (_request, response) => response.end('ok'))
  const nodes = { [`127.0.0.1:${upstream.port}`]: 1 }
  const gateway = await startGateway(t, {
    services: { s1: { name: 'orders' } },
    consumers: { jack: { username: 'jack', plugins: { 'key-auth': { key: 'k1' } } } },
    global_rules: { g1: { plugins: { prometheus: {} } } },
    routes: {
      kept: { uri: '/kept', upstream: { nodes } },
      gone: { uri: '/gone', service_id: 's1', plugins: { 'key-auth': {} }, upstream: { nodes } },
    },
  })
  return { gateway, nodes }
}

describe('the metrics of a gateway', () => {
  it('count every request, and tell connections by state', async (t) => {
    const { gateway } = await twoRoutes(t)
    await (await fetch(`${gateway.proxyUrl}/kept`)).text()
    await (await fetch(`${gateway.proxyUrl}/nowhere`)).text()
    const samples = await scrapeUntil(
      gateway,
      (all) => all.get('apisix_nginx_http_current_connections{state="writing"}') === 0,
    )
    assert.equal(samples.get('apisix_http_requests_total'), 2)
    const state = (name: string) => samples.get(`apisix_nginx_http_current_connections{state="${name}"}`)
    assert.ok(state('accepted')! >= 1)
    assert.equal(state('handled'), state('accepted'))
    assert.equal(state('active'), state('waiting'))
    assert.equal(state('reading'), 0)
    assert.equal(samples.get('apisix_nginx_metric_errors_total'), 0)
    assert.equal(samples.get('apisix_etcd_reachable'), 1)
    assert.equal(namesIn(samples, 'apisix_node_info{hostname="').length, 1)
    const keys = 'routes services ssls consumers global_rules upstreams stream_routes protos prev_index'
    for (const key of [...keys.split(' '), 'max_modify_index', 'x_etcd_index']) {
      assert.ok(samples.has(`apisix_etcd_modify_indexes{key="${key}"}`), key)
    }
  })

  it('count requests that cannot be read too, and those under way as writing', async (t) => {
    let answer: () => void = () => {}
    const isAsked = new Promise<void>((resolve) => {
      answer = resolve
    })
    let finish: () => void = () => {}
    const upstream = await fakeUpstream(t, (_request, response) => {
      finish = () => response.end('ok')
      answer()
    })
    const gateway = await startGateway(t, {
      routes: { r1: { uri: '/*', upstream: { nodes: { [`127.0.0.1:${upstream.port}`]: 1 } } } },
    })
    const pending = fetch(gateway.proxyUrl)
    await isAsked
    const bad = connect(gateway.proxyPort, '127.0.0.1')
    bad.end('NOT HTTP\r\n\r\n')
    await new Promise((resolve) => bad.on('close', resolve).resume())
    const samples = await scrape(gateway)
    assert.equal(samples.get('apisix_nginx_http_current_connections{state="writing"}'), 1)
    assert.equal(samples.get('apisix_http_requests_total'), 2)
    finish()
    await (await pending).text()
  })

  it('go with the route, the service and the consumer that they name', async (t) => {
    const { gateway, nodes } = await twoRoutes(t)
    const ask = (path: string) => fetch(`${gateway.proxyUrl}${path}`, { headers: { apikey: 'k1' } })
    for (const path of ['/kept', '/gone']) await (await ask(path)).text()
    const isCounted = (all: Map<string, number>) => namesIn(all, 'apisix_http_status{code="200"').length === 2
    await scrapeUntil(gateway, isCounted)
    await gateway.admin('DELETE', 'routes/gone')
    const left = await scrape(gateway)
    assert.equal([...left.keys()].filter((key) => key.includes('route="gone"')).length, 0)
    assert.equal(namesIn(left, 'apisix_http_status{code="200",route="kept"').length, 1)
    assert.equal(namesIn(left, 'apisix_http_latency_count{type="request",route="kept"').length, 1)

    const route = { uri: '/gone', plugins: { 'key-auth': {} }, service_id: 's1' }
    await gateway.put('routes', 'gone', { ...route, upstream: { nodes } })
    await (await ask('/gone')).text()
    await scrapeUntil(
      gateway,
      (all) => namesIn(all, 'apisix_bandwidth{type="egress",route="gone"').length > 0,
    )
    await gateway.put('routes', 'gone', { uri: '/gone', upstream: { nodes } })
    await gateway.admin('DELETE', 'consumers/jack')
    assert.equal([...(await scrape(gateway)).keys()].filter((key) => key.includes('"jack"')).length, 0)
    // The cached handles of what came back count into series that are seen.
    await gateway.put('consumers', 'jack', { username: 'jack', plugins: { 'key-auth': { key: 'k1' } } })
    await gateway.put('routes', 'gone', { ...route, upstream: { nodes } })
    await (await ask('/gone')).text()
    await scrapeUntil(gateway, (all) => [...all.keys()].some((key) => key.includes('consumer="jack"')))
  })

  it('go with the node that they name', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => response.end('ok'))
    const gateway = await startGateway(t, {
      upstreams: { u1: { nodes: { [`127.0.0.1:${upstream.port}`]: 1 } } },
      routes: { r1: { uri: '/*', plugins: { prometheus: {} }, upstream_id: 'u1' } },
    })
    await (await fetch(gateway.proxyUrl)).text()
    await scrapeUntil(gateway, (all) => [...all.keys()].some((key) => key.includes('node="127.0.0.1"')))
    await gateway.put('upstreams', 'u1', { nodes: { '127.0.0.2:1': 1 } })
    await scrapeUntil(gateway, (all) => ![...all.keys()].some((key) => key.includes('node="127.0.0.1"')))
  })

  it('are served through public-api where they have no listener of their own, and only there', async (t) => {
    const routes = { m: { uri: '/apisix/prometheus/metrics', plugins: { 'public-api': {} } } }
    const settings = { 'plugin_attr.prometheus.enable_export_server': false }
    const gateway = await startGateway(t, { routes }, { settings })
    assert.equal(gateway.addresses.metrics, undefined)
    const response = await fetch(`${gateway.proxyUrl}/apisix/prometheus/metrics`)
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(parse(await response.text()).get('apisix_etcd_reachable'), 1)
    const other = await startGateway(t, { routes })
    assert.equal((await fetch(`${other.proxyUrl}/apisix/prometheus/metrics`)).status, 404)
  })
})

describe('the metrics of the process', () => {
  it('tell its phase, what keeps it from being ready, what is stored, and how reloads ended', async (t) => {
    const gateway = await startGateway(t, {
      routes: { r1: { uri: '/a', upstream: { nodes: { '127.0.0.1:1': 1 } } } },
    })
    const samples = await scrape(gateway)
    const phases = ['starting', 'running', 'draining'].map((name) =>
      samples.get(`gatewright_phase{phase="${name}"}`),
    )
    assert.deepEqual(phases, [0, 1, 0])
    assert.deepEqual(namesIn(samples, 'gatewright_not_ready{'), [])
    assert.equal(samples.get('gatewright_config_resources{kind="routes"}'), 1)
    assert.equal(samples.get('gatewright_config_resources{kind="ssls"}'), 0)
    assert.ok(namesIn(samples, 'gatewright_memory_bytes{process="main",').length === 5)
    assert.ok(namesIn(samples, 'gatewright_event_loop_delay_seconds{process="main",').length === 3)
    const reload = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin/plugins/reload`
    await (await fetch(reload, { method: 'PUT', headers: { 'x-api-key': ADMIN_KEY } })).text()
    assert.equal((await scrape(gateway)).get('gatewright_reloads_total{subject="plugins",outcome="ok"}'), 1)
  })
})
