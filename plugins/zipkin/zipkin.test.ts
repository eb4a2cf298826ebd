import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { type HttpSinkServer, httpSink } from '../../test/support/log-sinks.ts'
import zipkin from './index.ts'

const TRACE = '80f198ee56343ba864fe8b2a57d3eff7'
const SPAN = 'e457b5a2e4d86bd1'
const PARENT = '05e3ac9a4f6e3b90'
const HEX_16 = /^[0-9a-f]{16}$/

interface ZipkinSpan {
  readonly traceId: string
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly kind?: string
  readonly timestamp: number
  readonly duration: number
  readonly debug?: boolean
  readonly localEndpoint: Record<string, unknown>
  readonly remoteEndpoint?: Record<string, unknown>
  readonly tags?: Record<string, string>
  readonly annotations?: readonly { readonly timestamp: number; readonly value: string }[]
}

const spansOf = ({ received }: HttpSinkServer): ZipkinSpan[] =>
  received.flatMap(({ body }) => JSON.parse(body) as ZipkinSpan[])

type Headers = Readonly<Record<string, string>>

/** The plugin on a gateway with one route; spans are there once it has stopped. */
async function onGateway(
  t: TestContext,
  config: object = {},
  plugins: Record<string, Record<string, unknown>> = {},
) {
  const sink = await httpSink(t)
  const upstream = await fakeUpstream(t)
  const endpoint = `http://127.0.0.1:${sink.port}/api/v2/spans`
  const all = { zipkin: { endpoint, sample_ratio: 1, ...config }, ...plugins }
  const nodes = { [upstream.address]: 1 }
  const gateway = await startGateway(t, { routes: { r1: { uri: '/*', plugins: all, upstream: { nodes } } } })
  const ask = async (headers: Headers = {}) => {
    const response = await fetch(`${gateway.proxyUrl}/a?b=1`, { headers })
    await response.text()
    return response.status
  }
  const finish = async () => {
    await gateway.stop()
    return spansOf(sink)
  }
  return { sink, upstream, gateway, ask, finish, sent: () => upstream.requests[0]!.headers }
}

/** The plugin alone; spans are there once it was disposed. */
async function alone(t: TestContext, config: object = {}) {
  const sink = await httpSink(t)
  const endpoint = `http://127.0.0.1:${sink.port}/api/v2/spans`
  const mounted = mountPlugin(zipkin, { endpoint, sample_ratio: 1, ...config })
  const asked: Awaited<ReturnType<typeof mounted.request>>[] = []
  const ask = async (headers: Headers = {}) => {
    const answer = await mounted.request({ headers, target: '/a?b=1' })
    asked.push(answer)
    return answer.status
  }
  const finish = async () => {
    await mounted.dispose()
    return spansOf(sink)
  }
  /** What the upstream was sent, by lower-case name. */
  const sent = (index = 0) => {
    const { headers } = asked[index]!.sent!
    return new Proxy({} as Record<string, string | undefined>, {
      get: (_, name) => headers.get(String(name)),
    })
  }
  return { sink, asked, ask, finish, sent }
}

describe('zipkin', () => {
  it('posts the spans of a request as v2 JSON, with the names and tags of APISIX', async (t) => {
    const { sink, upstream, ask, finish, gateway, sent } = await onGateway(t)
    const before = Date.now() * 1000
    assert.equal(await ask(), 200)
    const [request, proxy, response, ...others] = await finish()
    assert.equal(others.length, 0)
    const [batch] = sink.received
    assert.equal(batch!.url, '/api/v2/spans')
    assert.equal(batch!.headers['content-type'], 'application/json')

    assert.equal(request!.name, 'apisix.request')
    assert.match(request!.traceId, /^[0-9a-f]{32}$/)
    assert.match(request!.id, HEX_16)
    assert.equal(request!.parentId, undefined)
    assert.equal(request!.kind, 'SERVER')
    assert.deepEqual(request!.tags, {
      component: 'apisix',
      'http.method': 'GET',
      'http.url': '/a?b=1',
      'http.status_code': '200',
    })
    assert.deepEqual(request!.localEndpoint, {
      serviceName: 'APISIX',
      ipv4: '127.0.0.1',
      port: gateway.proxyPort,
    })
    assert.equal(request!.remoteEndpoint?.['ipv4'], '127.0.0.1')
    assert.ok(request!.timestamp >= before - 50_000 && request!.timestamp < before + 5_000_000)
    assert.ok(Number.isInteger(request!.timestamp) && Number.isInteger(request!.duration))
    assert.deepEqual(
      request!.annotations?.map(({ value }) => value),
      ['apisix.rewrite', 'apisix.access', 'apisix.header_filter'],
    )

    assert.equal(proxy!.name, 'apisix.proxy')
    assert.equal(proxy!.kind, 'CLIENT')
    assert.deepEqual(proxy!.remoteEndpoint, { ipv4: '127.0.0.1', port: upstream.port })
    assert.equal(response!.name, 'apisix.response_span')
    for (const span of [proxy!, response!]) {
      assert.equal(span.traceId, request!.traceId)
      assert.equal(span.parentId, request!.id)
      assert.ok(span.timestamp >= request!.timestamp)
      assert.ok(span.duration >= 1 && span.duration <= request!.duration + 1)
    }
    assert.equal(response!.timestamp, proxy!.timestamp + proxy!.duration)

    assert.equal(sent()['x-b3-traceid'], request!.traceId)
    assert.equal(sent()['x-b3-spanid'], proxy!.id)
    assert.equal(sent()['x-b3-parentspanid'], request!.id)
    assert.equal(sent()['x-b3-sampled'], '1')
    assert.equal(sent()['b3'], undefined)
  })

  it('has a span for each phase with span_version 1', async (t) => {
    const { ask, finish, sent } = await alone(t, { span_version: 1 })
    await ask()
    const spans = await finish()
    const byName = new Map(spans.map((span) => [span.name, span]))
    const parents = spans.map(({ name, parentId }) => [
      name,
      spans.find(({ id }) => id === parentId)?.name ?? '',
    ])
    assert.deepEqual(parents, [
      ['apisix.request', ''],
      ['apisix.rewrite', 'apisix.request'],
      ['apisix.access', 'apisix.request'],
      ['apisix.proxy', 'apisix.request'],
      ['apisix.body_filter', 'apisix.proxy'],
    ])
    assert.equal(sent()['x-b3-spanid'], byName.get('apisix.proxy')!.id)
  })

  it('has no spans for what a request did not reach', async (t) => {
    const { ask, finish } = await onGateway(t, { span_version: 1 }, { 'key-auth': {} })
    assert.equal(await ask(), 401)
    const spans = await finish()
    assert.deepEqual(
      spans.map(({ name }) => name),
      ['apisix.request', 'apisix.rewrite'],
    )
    assert.equal(spans[0]!.tags?.['http.status_code'], '401')
  })

  it('takes its place in the trace that the X-B3 headers name', async (t) => {
    const { ask, finish, sent } = await alone(t)
    await ask({ 'X-B3-TraceId': TRACE.toUpperCase(), 'X-B3-SpanId': SPAN, 'X-B3-ParentSpanId': PARENT })
    const [request] = await finish()
    assert.equal(request!.traceId, TRACE)
    assert.equal(request!.parentId, SPAN)
    assert.equal(sent()['x-b3-traceid'], TRACE)
    assert.equal(sent()['x-b3-parentspanid'], request!.id)
  })

  it('takes its place in the trace that b3 names, and writes both forms', async (t) => {
    const { ask, finish, sent } = await alone(t)
    await ask({ b3: `${TRACE}-${SPAN}-1-${PARENT}`, 'X-B3-TraceId': '1'.repeat(32) })
    const [request, proxy] = await finish()
    assert.equal(request!.traceId, TRACE)
    assert.equal(request!.parentId, SPAN)
    assert.equal(sent()['b3'], `${TRACE}-${proxy!.id}-1-${request!.id}`)
    assert.equal(sent()['x-b3-traceid'], TRACE)
  })

  it('keeps ids of 64 bits as they are', async (t) => {
    const { ask, finish, sent } = await alone(t)
    await ask({ b3: `${SPAN}-${PARENT}` })
    assert.equal((await finish())[0]!.traceId, SPAN)
    assert.equal(sent()['x-b3-traceid'], SPAN)
  })

  it('answers 400 to a b3 that cannot be understood', async (t) => {
    const { ask, asked, finish } = await alone(t)
    const bad = [
      'x',
      '',
      '2',
      TRACE,
      `${TRACE}-`,
      `-${SPAN}`,
      `${TRACE}-${SPAN}-2`,
      `${TRACE}-${SPAN}-1-${PARENT}-more`,
      `${TRACE}-${SPAN}-1-short`,
      `${'0'.repeat(32)}-${SPAN}`,
      `${TRACE}-${'0'.repeat(16)}`,
      `g${TRACE.slice(1)}-${SPAN}`,
    ]
    for (const b3 of bad) assert.equal(await ask({ b3 }), 400, JSON.stringify(b3))
    assert.ok(asked.every(({ sent }) => sent === undefined))
    assert.deepEqual(await finish(), [])
  })

  it('begins a trace of its own when X-B3 headers name none', async (t) => {
    const { ask, finish } = await alone(t)
    await ask({ 'X-B3-TraceId': 'nonsense', 'X-B3-SpanId': SPAN })
    const [request] = await finish()
    assert.match(request!.traceId, /^[0-9a-f]{32}$/)
    assert.equal(request!.parentId, undefined)
  })

  it('does as the client decided, whatever the ratio', async (t) => {
    const { ask, finish, sent } = await alone(t, { sample_ratio: 0.00001 })
    const sampled = [
      { 'X-B3-Sampled': '1' },
      { 'X-B3-Sampled': 'true' },
      { 'X-B3-Flags': '1' },
      { b3: '1' },
      { b3: 'd' },
    ]
    for (const headers of sampled) await ask(headers as Record<string, string>)
    const requests = (await finish()).filter(({ name }) => name === 'apisix.request')
    assert.deepEqual(
      requests.map(({ debug }) => debug),
      [undefined, undefined, true, undefined, true],
    )
    assert.equal(sent(2)['x-b3-flags'], '1')
    assert.match(String(sent(4)['b3']), /-d-[0-9a-f]{16}$/)
  })

  it('tells the upstream when a request is not sampled', async (t) => {
    const { ask, finish, sent } = await alone(t)
    await ask({ 'X-B3-Sampled': '0', 'X-B3-TraceId': TRACE, 'X-B3-SpanId': SPAN })
    await ask({ b3: '0' })
    await ask({ b3: `${TRACE}-${SPAN}-0` })
    assert.deepEqual(await finish(), [])
    assert.deepEqual([sent()['x-b3-sampled'], sent()['x-b3-traceid']], ['0', TRACE])
    assert.deepEqual([sent(1)['x-b3-sampled'], sent(1)['b3']], ['0', '0'])
    assert.equal(sent(2)['b3'], `${TRACE}-${SPAN}-0`)
  })

  it('samples by the ratio', async () => {
    const config = { endpoint: 'http://127.0.0.1:1', sample_ratio: 0.5 }
    const mounted = mountPlugin(zipkin, config)
    let sampled = 0
    for (let i = 0; i < 400; i++) {
      const { sent } = await mounted.request()
      if (sent!.headers.get('x-b3-sampled') === '1') sampled += 1
    }
    assert.ok(sampled > 120 && sampled < 280, String(sampled))
  })

  it('names the service and the address that it is told', async (t) => {
    const { ask, finish } = await alone(t, { service_name: 'edge', server_addr: '203.0.113.7' })
    await ask()
    for (const { localEndpoint } of await finish()) {
      assert.equal(localEndpoint['serviceName'], 'edge')
      assert.equal(localEndpoint['ipv4'], '203.0.113.7')
    }
  })

  it('traces in a global rule and in a route beside each other, one under the other', async (t) => {
    const { ask, finish, sink, gateway, sent } = await onGateway(t)
    const endpoint = `http://127.0.0.1:${sink.port}/global`
    await gateway.put('global_rules', 'g1', { plugins: { zipkin: { endpoint, sample_ratio: 1 } } })
    await ask()
    const spans = await finish()
    const requests = spans.filter(({ name }) => name === 'apisix.request')
    const outer = requests.find(({ parentId }) => parentId === undefined)!
    const inner = requests.find(({ parentId }) => parentId !== undefined)!
    assert.equal(inner.traceId, outer.traceId)
    assert.equal(spans.find(({ id }) => id === inner.parentId)?.parentId, outer.id)
    assert.equal(sent()['x-b3-parentspanid'], inner.id)
  })

  it('sends the spans of many requests at once', async (t) => {
    const { ask, finish, sink } = await alone(t)
    for (let i = 0; i < 20; i++) await ask()
    assert.equal((await finish()).length, 60)
    assert.equal(sink.received.length, 1)
  })

  it('serves every request when nobody takes spans, and counts them', async (t) => {
    const { sink, ask, gateway } = await onGateway(t)
    sink.answerWith(500)
    for (let i = 0; i < 5; i++) assert.equal(await ask(), 200)
    await gateway.stop()
    const told = gateway.logs.filter(({ batch }) => batch === 'zipkin')
    assert.deepEqual(
      told.map(({ dropped }) => dropped),
      [{ failed: 5 }],
    )
    assert.equal(sink.received.length, 3)
  })

  it('checks its configuration', () => {
    const fine = { endpoint: 'http://127.0.0.1:9411/api/v2/spans', sample_ratio: 1 }
    assert.equal(refusal(zipkin, fine), undefined)
    assert.match(refusal(zipkin, { sample_ratio: 1 }) ?? '', /property "endpoint" is required/)
    assert.match(refusal(zipkin, { endpoint: fine.endpoint }) ?? '', /property "sample_ratio" is required/)
    assert.match(refusal(zipkin, { ...fine, sample_ratio: 0 }) ?? '', /expected 0 to be at least 0.00001/)
    assert.match(refusal(zipkin, { ...fine, sample_ratio: 1.1 }) ?? '', /expected 1.1 to be at most 1/)
    assert.match(refusal(zipkin, { ...fine, span_version: 3 }) ?? '', /matches none of the enum/)
    assert.match(refusal(zipkin, { ...fine, server_addr: 'badip' }) ?? '', /failed to match pattern/)
    assert.match(refusal(zipkin, { ...fine, endpoint: 'zipkin:9411' }) ?? '', /begins with http:\/\//)
  })
})

describe('the variables of zipkin', () => {
  const variablesOf = async (sampled: string, attr: Record<string, unknown>) => {
    const config = { endpoint: 'http://127.0.0.1:1/', sample_ratio: 1 }
    const { context } = await mountPlugin(zipkin, config, { attr }).request({
      headers: { 'X-B3-TraceId': TRACE.slice(16), 'X-B3-SpanId': SPAN, 'X-B3-Sampled': sampled },
      upstream: 'refused',
    })
    return ['context_traceparent', 'trace_id', 'span_id'].map((name) => context.var(`zipkin_${name}`))
  }

  it('tell of the trace when set_ngx_var asks for them, traced or not', async () => {
    const traceId = TRACE.slice(16)
    for (const sampled of ['1', '0']) {
      const [parent, trace, span] = await variablesOf(sampled, { set_ngx_var: true })
      assert.match(String(span), HEX_16)
      assert.equal(trace, traceId)
      assert.equal(parent, `00-${'0'.repeat(16)}${traceId}-${span}-0${sampled}`)
    }
  })

  it('are not there unless asked for', async () => {
    assert.deepEqual(await variablesOf('1', {}), [undefined, undefined, undefined])
  })
})
