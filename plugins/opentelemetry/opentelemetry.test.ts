import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { eventually, httpSink } from '../../test/support/log-sinks.ts'
import { type OtlpReceiver, otlpReceiver } from '../../test/support/otlp-receiver.ts'
import opentelemetry from './index.ts'
import { compileSampler } from './sampler.ts'
import type { OpentelemetryConfig } from './schema.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const ALWAYS = { sampler: { name: 'always_on' } }
const QUICK = { batch_span_processor: { inactive_timeout: 0.01, batch_timeout: 0.05 } }

interface World {
  readonly config?: Record<string, unknown>
  readonly attr?: Record<string, unknown>
  readonly metadata?: Record<string, unknown>
  readonly handler?: Parameters<typeof fakeUpstream>[1]
}

/** A gateway with one traced route, its upstream and its collector. */
async function world(t: TestContext, { config = ALWAYS, attr, handler }: World = {}) {
  const collector = await otlpReceiver(t)
  const upstream = await fakeUpstream(t, handler)
  const nodes = { [upstream.address]: 1 }
  const plugins = { opentelemetry: config }
  const gateway = await startGateway(
    t,
    {
      services: { s1: { name: 'orders' } },
      routes: { r1: { uri: '/api/*', name: 'first', service_id: 's1', plugins, upstream: { nodes } } },
    },
    {
      settings: {
        'plugin_attr.opentelemetry': {
          collector: { address: `127.0.0.1:${collector.port}` },
          ...QUICK,
          ...attr,
        },
      },
    },
  )
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${gateway.proxyUrl}${path}`, { headers })
    await response.text()
    return response
  }
  return { collector, upstream, gateway, ask }
}

/** The plugin alone with its collector; spans are sent at once. */
async function alone(t: TestContext, { config = ALWAYS, attr, metadata }: Omit<World, 'handler'> = {}) {
  const collector = await otlpReceiver(t)
  const own = { collector: { address: `127.0.0.1:${collector.port}` }, ...QUICK, ...attr }
  const mounted = mountPlugin(opentelemetry, config, { attr: own, ...(metadata && { metadata }) })
  const asked: Awaited<ReturnType<typeof mounted.request>>[] = []
  const ask = async (
    headers: Record<string, string> = {},
    init: Parameters<typeof mounted.request>[0] = {},
  ) => {
    const answer = await mounted.request({ ...init, headers })
    asked.push(answer)
    return answer
  }
  const sent = (name: string, index = 0) => asked[index]!.sent!.headers.get(name)
  return { collector, mounted, ask, sent }
}

const spanOf = (collector: OtlpReceiver, index = 0) =>
  eventually('a span', () => collector.spans.length > index && collector.spans[index])

describe('opentelemetry', () => {
  it('sends a span for each request, with the attributes that APISIX names', async (t) => {
    const { collector, ask, upstream } = await world(t)
    const before = BigInt(Date.now()) * 1_000_000n
    await ask('/api/orders?id=1', { 'User-Agent': 'tester/1' })
    const span = await spanOf(collector)
    assert.deepEqual(
      { ...span.attributes },
      {
        'http.user_agent': 'tester/1',
        'net.host.name': '127.0.0.1',
        'http.method': 'GET',
        'http.scheme': 'http',
        'http.target': '/api/orders?id=1',
        'apisix.route_id': 'r1',
        'http.route': '/api/*',
        'apisix.route_name': 'first',
        'apisix.service_id': 's1',
        'apisix.service_name': 'orders',
        'http.status_code': '200',
      },
    )
    assert.equal(span.name, 'GET /api/*')
    assert.equal(span.kind, 'SERVER')
    assert.equal(span.parentSpanId, '')
    assert.deepEqual({ ...span.status }, {})
    assert.ok(span.endNanos > span.startNanos)
    assert.ok(span.startNanos - before < 5_000_000_000n && before - span.startNanos < 50_000_000n)
    const { path, headers, resource, scope } = collector.exports[0]!
    assert.equal(path, '/v1/traces')
    assert.equal(headers['content-type'], 'application/x-protobuf')
    assert.equal(resource['service.name'], 'APISIX')
    assert.equal(typeof resource['hostname'], 'string')
    assert.equal(scope.name, 'gatewright/opentelemetry')
    const sent = upstream.requests[0]!.headers
    assert.equal(sent['traceparent'], `00-${span.traceId}-${span.spanId}-01`)
  })

  it('takes its place in the trace of the client, and leaves tracestate and baggage alone', async (t) => {
    const { collector, ask, sent } = await alone(t)
    await ask({ traceparent: `00-${TRACE}-${SPAN}-00`, tracestate: 'a=1,b=2', baggage: 'user=7' })
    const span = await spanOf(collector)
    assert.equal(span.traceId, TRACE)
    assert.equal(span.parentSpanId, SPAN)
    assert.notEqual(span.spanId, SPAN)
    assert.equal(span.traceState, 'a=1,b=2')
    assert.equal(sent('traceparent'), `00-${TRACE}-${span.spanId}-01`)
    assert.equal(sent('tracestate'), 'a=1,b=2')
    assert.equal(sent('baggage'), 'user=7')
  })

  it('sends on a tracestate that is too long for a span', async (t) => {
    const { collector, ask, sent } = await alone(t)
    const tracestate = `a=${'1'.repeat(511)}`
    await ask({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate })
    assert.equal((await spanOf(collector)).traceState, '')
    assert.equal(sent('tracestate'), tracestate)
  })

  it('begins a new trace when the traceparent is malformed, and drops the tracestate that belongs to it', async (t) => {
    const { collector, ask, sent } = await alone(t)
    await ask({ traceparent: `00-${TRACE}-${'0'.repeat(16)}-01`, tracestate: 'a=1' })
    const span = await spanOf(collector)
    assert.notEqual(span.traceId, TRACE)
    assert.equal(span.parentSpanId, '')
    assert.equal(sent('tracestate'), undefined)
  })

  it('samples nothing by default, and tells the upstream so', async (t) => {
    const { collector, ask, sent, mounted } = await alone(t, { config: {} })
    await ask({ traceparent: `00-${TRACE}-${SPAN}-01` })
    await ask()
    assert.match(sent('traceparent') ?? '', new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
    assert.match(sent('traceparent', 1) ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    await mounted.dispose()
    assert.deepEqual(collector.exports, [])
  })

  it('marks spans of failed requests: the upstream’s and the gateway’s', async (t) => {
    const { collector, ask } = await world(t, {
      handler: (request, response) => {
        if (request.url === '/api/cut') request.socket.destroy()
        else response.writeHead(503).end()
      },
    })
    await ask('/api/busy')
    const busy = await spanOf(collector)
    assert.deepEqual({ ...busy.status }, { message: 'upstream response status: 503', code: 'ERROR' })
    await ask('/api/cut')
    const cut = await spanOf(collector, 1)
    assert.deepEqual({ ...cut.status }, { message: 'response status: 502', code: 'ERROR' })
    assert.equal(cut.attributes['http.status_code'], '502')
  })

  it('adds variables and headers that are asked for', async (t) => {
    const config = {
      ...ALWAYS,
      additional_attributes: ['http_x_tenant', 'upstream_status', 'http_x_absent', 'consumer_name'],
      additional_header_prefix_attributes: ['X-Trace-*', 'x-exact'],
    }
    const { collector, ask } = await world(t, { config })
    await ask('/api/', {
      'X-Tenant': 't1',
      'X-Trace-A': '1',
      'x-trace-b': '2',
      'X-Exact': 'e',
      'X-Exactly': 'no',
    })
    const { attributes } = await spanOf(collector)
    assert.equal(attributes['http_x_tenant'], 't1')
    assert.equal(attributes['upstream_status'], '200')
    assert.ok(!('http_x_absent' in attributes) && !('consumer_name' in attributes))
    assert.equal(attributes['x-trace-a'], '1')
    assert.equal(attributes['x-trace-b'], '2')
    assert.equal(attributes['x-exact'], 'e')
    assert.ok(!('x-exactly' in attributes))
  })

  it('joins what a header says in several lines', async (t) => {
    const config = { ...ALWAYS, additional_header_prefix_attributes: ['x-*'] }
    const { collector, mounted } = await alone(t, { config })
    await mounted.request({ headers: { 'X-A': ['1', '2'], 'x-b': '3' } })
    const { attributes } = await spanOf(collector)
    assert.deepEqual([attributes['x-a'], attributes['x-b']], ['1, 2', '3'])
  })

  it('is no failure when it is the client that left', async (t) => {
    let leave: () => void = () => {}
    const { collector, gateway } = await world(t, { handler: () => leave() })
    const client = new AbortController()
    leave = () => client.abort()
    await assert.rejects(fetch(`${gateway.proxyUrl}/api/`, { signal: client.signal }))
    const { attributes, status } = await spanOf(collector)
    assert.equal(attributes['http.target'], '/api/')
    assert.equal(attributes['http.status_code'], '499')
    assert.deepEqual({ ...status }, {})
  })

  it('takes the id of the trace from X-Request-Id, where it can be one', async (t) => {
    const { collector, ask } = await alone(t, { attr: { trace_id_source: 'x-request-id' } })
    await ask({ 'X-Request-Id': '0AF76519-16cd-43dd-8448-eb211c80319c' })
    assert.equal((await spanOf(collector)).traceId, TRACE)
    for (const id of ['order 7', '0'.repeat(32), `${TRACE}0`]) await ask({ 'X-Request-Id': id })
    await ask()
    await spanOf(collector, 4)
    const ids = new Set(collector.spans.map(({ traceId }) => traceId))
    assert.equal(ids.size, 5)
    for (const id of ids) assert.match(id, /^(?!0+$)[0-9a-f]{32}$/)
  })

  it('follows its metadata, which goes before the settings and may change', async (t) => {
    const { collector, ask, mounted } = await alone(t, {
      metadata: { resource: { 'service.name': 'shop', weight: 3, half: 0.5, canary: true } },
      attr: { resource: { 'service.name': 'overruled', other: 'gone' } },
    })
    await ask()
    await spanOf(collector)
    const { hostname, ...resource } = collector.exports[0]!.resource
    assert.ok(hostname)
    assert.deepEqual(resource, { 'service.name': 'shop', weight: '3', half: 0.5, canary: true })

    const second = await otlpReceiver(t)
    mounted.setMetadata({
      collector: {
        address: `http://127.0.0.1:${second.port}/otlp/v1/traces`,
        request_headers: { Authorization: 'token', 'X-Number': 5 },
      },
    })
    await ask()
    await spanOf(second)
    const { path, headers } = second.exports[0]!
    assert.equal(path, '/otlp/v1/traces')
    assert.equal(headers['authorization'], 'token')
    assert.equal(headers['x-number'], '5')
  })

  it('sends what waits when it is disposed', async (t) => {
    const slow = { batch_span_processor: { inactive_timeout: 600, batch_timeout: 600 } }
    const { collector, ask, mounted } = await alone(t, { attr: slow })
    for (let i = 0; i < 5; i++) await ask()
    assert.deepEqual(collector.exports, [])
    await mounted.dispose()
    assert.equal(collector.spans.length, 5)
    assert.equal(collector.exports.length, 1)
  })

  it('sends at most so many spans at once as the settings say', async (t) => {
    const batch_span_processor = { inactive_timeout: 600, batch_timeout: 600, max_export_batch_size: 2 }
    const { collector, ask, mounted } = await alone(t, { attr: { batch_span_processor } })
    for (let i = 0; i < 5; i++) await ask()
    await mounted.dispose()
    assert.deepEqual(
      collector.exports.map(({ spans }) => spans.length),
      [2, 2, 1],
    )
  })

  it('traces twice where two configurations meet a request, one under the other', async (t) => {
    const { collector, ask, sent, mounted } = await alone(t)
    mounted.add(ALWAYS)
    await ask()
    await spanOf(collector, 1)
    const outer = collector.spans.find(({ parentSpanId }) => parentSpanId === '')!
    const inner = collector.spans.find(({ parentSpanId }) => parentSpanId === outer.spanId)!
    assert.equal(inner.traceId, outer.traceId)
    assert.equal(sent('traceparent'), `00-${inner.traceId}-${inner.spanId}-01`)
  })

  it('traces requests that no route matches', async (t) => {
    const { collector, ask } = await alone(t)
    await ask({}, { route: undefined })
    const span = await spanOf(collector)
    assert.equal(span.name, 'GET')
    assert.ok(!('http.route' in span.attributes))
  })
})

describe('opentelemetry with a collector that fails', () => {
  it('serves every request, holds no more than it may and counts what it drops', async (t) => {
    const batch_span_processor = {
      ...QUICK.batch_span_processor,
      max_queue_size: 3,
      max_export_batch_size: 2,
    }
    const collector = { address: '127.0.0.1:1', request_timeout: 1 }
    const { ask, gateway } = await world(t, { attr: { collector, batch_span_processor } })
    for (let i = 0; i < 20; i++) assert.equal((await ask('/api/')).status, 200)
    await gateway.stop()
    const warned = gateway.logs.filter(({ batch }) => batch === 'opentelemetry')
    const dropped = warned.reduce((sum, { dropped: reasons }) => {
      const counts = Object.values(reasons as Record<string, number>)
      return sum + counts.reduce((all, count) => all + count, 0)
    }, 0)
    assert.equal(dropped, 20)
    assert.ok(warned.length < 5)
  })

  it('tries again what was refused for the moment', async (t) => {
    const { collector, ask, mounted } = await alone(t)
    collector.answerWith(503)
    await ask()
    const count = (what: string) =>
      new RegExp(`^gatewright_batch_${what}\\{name="opentelemetry"\\} 1$`, 'm').test(mounted.metrics.expose())
    await eventually('a failure', () => count('failed_sends_total'))
    collector.answerWith(200)
    await mounted.dispose()
    assert.equal(collector.spans.length, 1)
    assert.ok(count('sent_entries_total'))
  })

  it('does not send again what the collector will never take', async (t) => {
    for (const status of [400, 401, 404, 413, 500, 302]) {
      const { collector, ask, mounted } = await alone(t)
      collector.answerWith(status)
      await ask()
      await eventually('a loss', () =>
        /dropped_entries_total\{name="opentelemetry",reason="unsendable"\} 1$/m.test(
          mounted.metrics.expose(),
        ),
      )
      assert.equal(collector.asked, 1, String(status))
      assert.match(mounted.metrics.expose(), /failed_sends_total\{name="opentelemetry"\} 1$/m)
    }
  })

  it('sends again, after what the collector takes for a moment', async (t) => {
    for (const status of [429, 502, 503, 504]) {
      const { collector, ask, mounted } = await alone(t)
      collector.answerWith(status)
      await ask()
      await eventually('a failure', () => collector.asked > 0)
      await mounted.dispose()
      assert.equal(collector.asked, 3, String(status))
      assert.match(
        mounted.metrics.expose(),
        /dropped_entries_total\{name="opentelemetry",reason="failed"\} 1$/m,
      )
    }
  })

  it('says which setting is wrong when the address of the collector is none', async (t) => {
    const collector = { address: 'collector.test:99999' }
    const { ask, gateway } = await world(t, { attr: { collector } })
    await ask('/api/')
    const told = await eventually('a line', () => gateway.logs.find(({ batch }) => batch === 'opentelemetry'))
    assert.match(
      String((told['err'] as Error).message),
      /^collector\.address "collector\.test:99999" is no address/,
    )
  })

  it('gets the span of a request that was under way when the gateway was stopped', async (t) => {
    let answer: () => void = () => {}
    const patience = { batch_span_processor: { inactive_timeout: 600, batch_timeout: 600 } }
    const { collector, ask, gateway, upstream } = await world(t, {
      attr: patience,
      handler: (_request, response) => {
        answer = () => response.end('late')
      },
      config: ALWAYS,
    })
    const asked = ask('/api/late')
    await eventually('a request', () => upstream.requests.length === 1)
    const stopped = gateway.stop()
    answer()
    assert.equal((await asked).status, 200)
    assert.equal((await stopped).forced, 0)
    assert.deepEqual(
      collector.spans.map(({ attributes }) => attributes['http.target']),
      ['/api/late'],
    )
  })

  it('keeps no connection of a configuration that is gone', async (t) => {
    const silent = await otlpReceiver(t)
    silent.answerWith(0)
    const collector = { address: `127.0.0.1:${silent.port}`, request_timeout: 600 }
    const { ask, gateway, upstream } = await world(t, { attr: { collector } })
    await ask('/api/')
    await eventually('a call', () => silent.asked === 1)
    await gateway.put('routes', 'r1', { uri: '/api/*', upstream: { nodes: { [upstream.address]: 1 } } })
    await ask('/api/')
    await eventually('the end of its connection', () => silent.cut === 1)
  })

  it('holds no more bytes of spans than 32 MiB', async (t) => {
    const patience = { batch_span_processor: { inactive_timeout: 600, batch_timeout: 600 } }
    const { collector, mounted } = await alone(t, { attr: patience })
    collector.answerWith(0)
    const headers = { 'User-Agent': 'x'.repeat(4 << 20) }
    for (let i = 0; i < 10; i++) await mounted.request({ headers })
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="opentelemetry",reason="full"\} 3$/m)
  })

  it('checks the certificate of the collector unless told not to', async (t) => {
    const sink = await httpSink(t, { tls: makeCertificate({ names: ['127.0.0.1'] }) })
    for (const verified of [true, false]) {
      const collector = { address: `https://127.0.0.1:${sink.port}`, ssl_verify: verified }
      const { ask, mounted } = await alone(t, { attr: { collector } })
      await ask()
      await mounted.dispose()
      const sent = /sent_entries_total\{name="opentelemetry"\} (\d)$/m.exec(mounted.metrics.expose())?.[1]
      assert.equal(sent, verified ? '0' : '1')
    }
    assert.equal(sink.received.length, 1)
  })

  it('does not count more spans than it has sent, whatever the collector says', async (t) => {
    const { collector, ask, mounted } = await alone(t)
    collector.answerWith(200, 5)
    await ask()
    await mounted.dispose()
    assert.match(
      mounted.metrics.expose(),
      /dropped_entries_total\{name="opentelemetry",reason="unsendable"\} 1$/m,
    )
  })

  it('counts spans that the collector does not take, and does not send them again', async (t) => {
    const { collector, ask, mounted } = await alone(t)
    collector.answerWith(200, 1)
    await ask()
    await mounted.dispose()
    assert.equal(collector.exports.length, 1)
    assert.match(
      mounted.metrics.expose(),
      /^gatewright_batch_dropped_entries_total\{name="opentelemetry",reason="unsendable"\} 1$/m,
    )
  })
})

describe('the samplers of opentelemetry', () => {
  const sampler = (config: object) => compileSampler(config as OpentelemetryConfig['sampler'])
  const parent = (isSampled: boolean) => ({ traceId: TRACE, spanId: SPAN, isSampled })
  const idWith = (part: string) => `${'a'.repeat(16)}${part}${'b'.repeat(8)}`

  it('always_on and always_off do not look', () => {
    for (const isSampled of [true, false]) {
      assert.equal(sampler({ name: 'always_on', options: { fraction: 0 } })(TRACE, parent(isSampled)), true)
      assert.equal(sampler({ name: 'always_off', options: { fraction: 1 } })(TRACE, parent(isSampled)), false)
    }
  })

  it('trace_id_ratio decides by the id alone, so that all who see a trace agree', () => {
    const half = sampler({ name: 'trace_id_ratio', options: { fraction: 0.5 } })
    assert.equal(half(idWith('7fffffff'), undefined), true)
    assert.equal(half(idWith('80000000'), undefined), false)
    assert.equal(half(idWith('80000000'), parent(true)), false)
    const none = sampler({ name: 'trace_id_ratio', options: { fraction: 0 } })
    assert.equal(none(idWith('00000000'), undefined), false)
    const all = sampler({ name: 'trace_id_ratio', options: { fraction: 1 } })
    assert.equal(all(idWith('ffffffff'), undefined), true)
  })

  it('parent_base does as the parent, and asks its root without one', () => {
    const root = { name: 'trace_id_ratio', options: { fraction: 0.5 } }
    const based = sampler({ name: 'parent_base', options: { fraction: 0, root } })
    assert.equal(based(idWith('ffffffff'), parent(true)), true)
    assert.equal(based(idWith('00000000'), parent(false)), false)
    assert.equal(based(idWith('00000000'), undefined), true)
    assert.equal(based(idWith('ffffffff'), undefined), false)
  })
})

describe('the configuration of opentelemetry', () => {
  it('is checked', () => {
    assert.equal(refusal(opentelemetry, {}), undefined)
    assert.equal(refusal(opentelemetry, { sampler: { name: 'parent_base' } }), undefined)
    assert.match(refusal(opentelemetry, { sampler: { name: 'sometimes' } }) ?? '', /matches none of the enum/)
    assert.match(
      refusal(opentelemetry, { sampler: { name: 'trace_id_ratio', options: { fraction: 2 } } }) ?? '',
      /expected 2 to be at most 1/,
    )
    assert.match(refusal(opentelemetry, { additional_attributes: [''] }) ?? '', /string too short/)
  })

  it('needs no more than a name, and then samples nothing', async () => {
    const mounted = mountPlugin(opentelemetry, { sampler: { name: 'parent_base' } })
    const { sent } = await mounted.request()
    assert.match(sent!.headers.get('traceparent') ?? '', /-00$/)
  })
})

describe('the variables of opentelemetry', () => {
  it('tell of the trace in texts and logs when set_ngx_var asks for them, sampled or not', async (t) => {
    for (const [name, flags] of [
      ['always_on', '01'],
      ['always_off', '00'],
    ]) {
      const { mounted } = await alone(t, { config: { sampler: { name } }, attr: { set_ngx_var: true } })
      const { sent, context } = await mounted.request({ headers: { traceparent: `00-${TRACE}-${SPAN}-01` } })
      const span = String(context.var('opentelemetry_span_id'))
      assert.match(span, /^[0-9a-f]{16}$/)
      assert.equal(context.var('opentelemetry_trace_id'), TRACE)
      assert.equal(context.var('opentelemetry_context_traceparent'), `00-${TRACE}-${span}-${flags}`)
      assert.equal(sent?.headers.get('traceparent'), `00-${TRACE}-${span}-${flags}`)
    }
  })

  it('are not there unless asked for, and the metadata may ask', async (t) => {
    const { mounted } = await alone(t)
    assert.equal((await mounted.request()).context.var('opentelemetry_trace_id'), undefined)
    const { mounted: asked } = await alone(t, { metadata: { set_ngx_var: true } })
    assert.match(String((await asked.request()).context.var('opentelemetry_trace_id')), /^[0-9a-f]{32}$/)
  })

  it('stand in what other plugins write', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      {
        routes: {
          r1: {
            uri: '/*',
            plugins: {
              opentelemetry: {},
              'response-rewrite': { headers: { set: { 'X-Trace': '$opentelemetry_trace_id' } } },
            },
            upstream: { nodes: { [upstream.address]: 1 } },
          },
        },
      },
      { settings: { 'plugin_attr.opentelemetry': { set_ngx_var: true } } },
    )
    const response = await fetch(gateway.proxyUrl, { headers: { traceparent: `00-${TRACE}-${SPAN}-01` } })
    assert.equal(response.headers.get('x-trace'), TRACE)
  })
})
