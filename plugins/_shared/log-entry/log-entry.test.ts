import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { definePlugin } from '../../../src/plugin/api.ts'
import { mountPlugin, refusal } from '../../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../../src/testing/plugin-request.ts'
import type { LogEntry } from './format.ts'
import { checkLog, compileEntries } from './log-entry.ts'
import { type LogConfig, logMetadata, logProperties } from './schema.ts'

const schema = { type: 'object', properties: logProperties } as const

/** Remembers the entries of its requests, as JSON would carry them. */
function recorder() {
  const entries: LogEntry[] = []
  const plugin = definePlugin<LogConfig>({
    name: 'recorder',
    priority: 1,
    schema,
    metadataSchema: { type: 'object', properties: logMetadata },
    check: checkLog,
    compile(config, host) {
      const { entry, ...phases } = compileEntries(config, host)
      return { ...phases, log: (context) => void entries.push(JSON.parse(JSON.stringify(entry(context)))) }
    },
  })
  return { plugin, entries }
}

/** Of contract §4.5, those with prefixes by one example each. */
const VARIABLES = `uri request_uri args is_args query_string host hostname scheme request_method remote_addr remote_port
  server_addr server_port server_name server_protocol content_type content_length request_length request_time request_id status
  bytes_sent body_bytes_sent time_iso8601 time_local msec upstream_addr upstream_status upstream_response_time
  upstream_connect_time upstream_header_time remote_user realip_remote_addr ssl_protocol http_x sent_http_x upstream_http_x
  cookie_x arg_x post_arg_x uri_param_x route_id route_name service_id service_name consumer_name consumer_group_id balancer_ip
  balancer_port upstream_unresolved_host upstream_scheme upstream_host upstream_uri method real_request_uri apisix_request_id
  resp_body request_body apisix_upstream_response_time rate_limiting_info no_such_variable __proto__ constructor`

async function entryOf(config: Record<string, unknown>, init: RequestInit = {}, metadata = {}) {
  const { plugin, entries } = recorder()
  const answer = await mountPlugin(plugin, config, { metadata }).request(init)
  return { entry: entries[0] as LogEntry & { request: LogEntry; response: LogEntry }, answer }
}

describe('the default entry', () => {
  it('has the request, the response, who and where', async () => {
    const { entry } = await entryOf(
      {},
      {
        method: 'PUT',
        target: '/a%20b?x=1&x=2&y=%C3%A4+b&flag',
        headers: { Host: 'api.test:8080', Accept: ['a', 'b'], Authorization: 'Bearer secret' },
        route: { id: '7', serviceId: 's1' },
        upstream: { status: 201, headers: { 'X-Answer': '42' }, body: 'hello' },
      },
    )
    assert.equal(entry['route_id'], '7')
    assert.equal(entry['service_id'], 's1')
    assert.equal(entry['client_ip'], '192.0.2.1')
    assert.equal(entry['upstream'], '10.0.0.1:80')
    assert.equal(entry['start_time'], Date.UTC(2026, 0, 1))
    assert.deepEqual([entry['latency'], entry['upstream_latency'], entry['apisix_latency']], [0, 0, 0])
    assert.deepEqual(Object.keys(entry['server'] as object), ['hostname', 'version'])
    const { request, response } = entry
    assert.equal(request['method'], 'PUT')
    assert.equal(request['uri'], '/a b?x=1&x=2&y=%C3%A4+b&flag')
    assert.equal(request['url'], 'http://gateway.test:9080/a b?x=1&x=2&y=%C3%A4+b&flag')
    assert.deepEqual(request['querystring'], { x: ['1', '2'], y: 'ä b', flag: true })
    assert.deepEqual(request['headers'], {
      host: 'api.test:8080',
      accept: ['a', 'b'],
      authorization: 'Bearer secret',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'api.test:8080',
      'x-forwarded-port': '8080',
    })
    assert.equal(typeof request['size'], 'number')
    assert.equal(response['status'], 201)
    assert.deepEqual(response['headers'], { 'x-answer': '42' })
    assert.equal(response['size'], 5)
    assert.equal('body' in request || 'body' in response, false)
    assert.equal('consumer' in entry, false)
  })

  it('has an empty service_id without service, an empty querystring without query', async () => {
    const { entry } = await entryOf({})
    assert.equal(entry['service_id'], '')
    assert.deepEqual(entry.request['querystring'], {})
  })

  it('of a request that matched no route has the host for its service', async () => {
    const { entry } = await entryOf({}, { route: undefined })
    assert.equal(entry['service_id'], 'gateway.test')
    assert.equal('route_id' in entry, false)
  })

  it('reads a hundred arguments at most, and names like any object has', async () => {
    const target = `/?__proto__=1&constructor=2&${'a=1&'.repeat(5000)}`
    const { entry } = await entryOf({}, { target })
    const query = entry.request['querystring'] as Record<string, unknown>
    assert.equal((query['a'] as unknown[]).length, 98)
    assert.deepEqual(Object.keys(query), ['__proto__', 'constructor', 'a'])
  })
})

describe('formats', () => {
  it('of the configuration take the place of the default entry; route and service are added', async () => {
    const { entry } = await entryOf(
      { log_format: { host: '$host', status: '$status' } },
      { route: { id: '7', serviceId: 's1' } },
    )
    assert.deepEqual(entry, { host: 'gateway.test', status: 200, route_id: '7', service_id: 's1' })
  })

  it('of the metadata hold for configurations that have none, from the next request on', async () => {
    const { plugin, entries } = recorder()
    const mounted = mountPlugin(plugin, {}, { metadata: { log_format: { a: '$host' } } })
    await mounted.request()
    mounted.setMetadata({ log_format: { b: '$host' } })
    await mounted.request()
    mounted.setMetadata({ log_format: {} })
    await mounted.request()
    assert.deepEqual(entries.slice(0, 2), [
      { a: 'gateway.test', route_id: 'r1' },
      { b: 'gateway.test', route_id: 'r1' },
    ])
    assert.equal('request' in entries[2]!, true)
  })

  it('of the configuration win over those of the metadata', async () => {
    const { entry } = await entryOf({ log_format: { a: 'own' } }, {}, { log_format: { a: 'shared' } })
    assert.equal(entry['a'], 'own')
  })

  it('with log_format_extra add to the default entry and replace nothing of it', async () => {
    const { entry } = await entryOf({ log_format_extra: { env: 'prod', client_ip: 'x', code: '$status' } })
    assert.equal(entry['env'], 'prod')
    assert.equal(entry['code'], 200)
    assert.equal(entry['client_ip'], '192.0.2.1')
    const shared = await entryOf({}, {}, { log_format_extra: { env: 'test' } })
    assert.equal(shared.entry['env'], 'test')
  })

  it('give every variable that there is, for requests without route, node, consumer or answer', async () => {
    const names = [...VARIABLES.matchAll(/\w+/g)].map(([name]) => name)
    const log_format = Object.fromEntries(names.map((name) => [name, `$${name}`]))
    for (const init of [{ route: undefined }, { upstream: 'refused' }, {}] as const) {
      const { entry } = await entryOf({ log_format }, init)
      assert.equal(entry['uri'], '/')
    }
  })

  it('may show the bodies', async () => {
    const { entry } = await entryOf(
      { log_format: { in: '$request_body', out: '$resp_body' }, include_resp_body: true },
      { method: 'POST', body: 'ping', upstream: { body: 'pong' } },
    )
    assert.deepEqual(entry, { in: 'ping', out: 'pong', route_id: 'r1' })
  })

  it('may show the body of the request in what is added', async () => {
    const config = { log_format_extra: { in: '$request_body' } }
    const { entry } = await entryOf(config, { method: 'POST', body: 'ping' })
    assert.equal(entry['in'], 'ping')
    assert.equal('body' in entry.request, false)
  })
})

describe('bodies of requests', () => {
  const post = (body: string) => ({ method: 'POST', body })

  it('are in the entry when asked for, and still go to the upstream', async () => {
    const { entry, answer } = await entryOf({ include_req_body: true }, post('{"a":1}'))
    assert.equal(entry.request['body'], '{"a":1}')
    assert.equal(answer.sent?.body, '{"a":1}')
  })

  it('are shown up to the limit', async () => {
    const config = { include_req_body: true, max_req_body_bytes: 4 }
    assert.equal('body' in (await entryOf(config)).entry.request, false)
    assert.equal((await entryOf(config, post('1234'))).entry.request['body'], '1234')
    assert.equal((await entryOf(config, post('12345'))).entry.request['body'], '1234')
  })

  it('are shown up to the limit however long they are, without holding up the request', async () => {
    const long = post('x'.repeat(3_000_000))
    const { entry, answer } = await entryOf({ include_req_body: true }, long)
    assert.equal(entry.request['body'], 'x'.repeat(524_288))
    assert.equal(answer.sent?.body.length, 3_000_000)
  })

  it('are there to be shown when no node can be reached, as long as they are short', async () => {
    const config = { include_req_body: true }
    const short = await entryOf(config, { ...post('x'.repeat(65_536)), upstream: 'refused' })
    assert.equal((short.entry.request['body'] as string).length, 65_536)
  })

  it('are each logger’s own', async () => {
    const { plugin, entries } = recorder()
    const mounted = mountPlugin(plugin, { include_req_body: true, max_req_body_bytes: 3 })
    mounted.add({ include_req_body: true })
    mounted.add({})
    await mounted.request(post('y'.repeat(100_000)))
    const lengths = entries.map((entry) => ((entry['request'] as LogEntry)['body'] as string)?.length)
    assert.deepEqual(lengths, [3, 100_000, undefined])
  })

  it('are read only when the expression holds', async () => {
    const config = { include_req_body: true, include_req_body_expr: [['arg_log', '==', 'yes']] }
    assert.equal('body' in (await entryOf(config, post('x'))).entry.request, false)
    assert.equal((await entryOf(config, { ...post('x'), target: '/?log=yes' })).entry.request['body'], 'x')
  })
})

describe('bodies of responses', () => {
  const chunks = { upstream: { body: ['one ', 'two ', 'three'] } }

  it('are kept up to the limit, and reach the client whole', async () => {
    const { entry, answer } = await entryOf({ include_resp_body: true, max_resp_body_bytes: 6 }, chunks)
    assert.equal(entry.response['body'], 'one tw')
    assert.equal(answer.body, 'one two three')
  })

  it('are kept only when the expression holds for the head of the response', async () => {
    const config = { include_resp_body: true, include_resp_body_expr: [['sent_http_x_log', '==', '1']] }
    assert.equal('body' in (await entryOf(config, chunks)).entry.response, false)
    const told = { upstream: { ...chunks.upstream, headers: { 'X-Log': '1' } } }
    assert.equal((await entryOf(config, told)).entry.response['body'], 'one two three')
  })

  it('are shown decoded, and never longer than the limit', async () => {
    const config = { include_resp_body: true, max_resp_body_bytes: 100 }
    const text = 'hello hello '.repeat(20)
    for (const [coding, body] of [
      ['gzip', gzipSync(text)],
      ['br', brotliCompressSync(text)],
    ] as const) {
      const upstream = { headers: { 'Content-Encoding': coding }, body }
      const { entry } = await entryOf(config, { upstream })
      assert.equal(entry.response['body'], text.slice(0, 100), coding)
    }
  })

  it('that are a bomb, or not what they say, are named and not shown', async () => {
    const config = { include_resp_body: true, max_resp_body_bytes: 20_000 }
    const bomb = gzipSync(Buffer.alloc(10_000_000))
    const headers = { 'Content-Encoding': 'gzip' }
    const big = await entryOf(config, { upstream: { headers, body: bomb } })
    assert.equal(big.entry.response['body'], `[${bomb.length} bytes of gzip]`)
    const false_ = await entryOf(config, { upstream: { headers, body: 'plain' } })
    assert.equal(false_.entry.response['body'], '[5 bytes of gzip]')
  })

  it('are each logger’s own', async () => {
    const { plugin, entries } = recorder()
    const mounted = mountPlugin(plugin, { include_resp_body: true, max_resp_body_bytes: 3 })
    mounted.add({ include_resp_body: true })
    mounted.add({})
    await mounted.request(chunks)
    const bodies = entries.map((entry) => (entry['response'] as LogEntry)['body'])
    assert.deepEqual(bodies, ['one', 'one two three', undefined])
  })
})

describe('the check of a logger', () => {
  const { plugin } = recorder()

  it('refuses expressions with the name of the attribute', () => {
    assert.equal(
      refusal(plugin, { include_req_body_expr: [['arg_a', '<>', 'b']] }),
      "failed to validate the 'include_req_body_expr' expression: invalid operator '<>'",
    )
    assert.match(refusal(plugin, { include_resp_body_expr: [['a']] }) ?? '', /the 'include_resp_body_expr'/)
  })

  it('refuses limits of no bytes', () => {
    assert.match(refusal(plugin, { max_req_body_bytes: 0 }) ?? '', /expected 0 to be at least 1/)
  })
})
