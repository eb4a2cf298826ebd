import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { eventually, httpSink } from '../../test/support/log-sinks.ts'
import lokiLogger from './index.ts'
import { encodePush, nanoseconds } from './streams.ts'

function mount(port: number, config: Record<string, unknown> = {}) {
  return mountPlugin(lokiLogger, {
    endpoint_addrs: [`http://127.0.0.1:${port}`],
    log_format: { path: '$uri' },
    ...config,
  })
}

/** 2026-01-01, the day of the mounted clock. */
const TIME = '1767225600000000000'

describe('loki-logger', () => {
  it('pushes entries with their time in nanoseconds', async (t) => {
    const sink = await httpSink(t)
    sink.answerWith(204)
    const mounted = mount(sink.port, { batch_max_size: 2 })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b', route: undefined })
    await eventually('a push', () => sink.received.length === 1)
    const { url, headers, body } = sink.received[0]!
    assert.equal(url, '/loki/api/v1/push')
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['x-scope-orgid'], 'fake')
    assert.deepEqual(JSON.parse(body), {
      streams: [
        {
          stream: { job: 'apisix' },
          values: [
            [TIME, '{"path":"/a","route_id":"r1"}'],
            [TIME, '{"path":"/b","route_id":"no-matched"}'],
          ],
        },
      ],
    })
  })

  it('makes a stream of each set of labels', async (t) => {
    const sink = await httpSink(t)
    const log_labels = { job: 'gateway', code: '$status', kind: '$http_nobody', app: '$arg_app-$method' }
    const mounted = mount(sink.port, { batch_max_size: 3, log_labels })
    await mounted.request({ target: '/?app=a' })
    await mounted.request({ target: '/?app=b', upstream: { status: 404 } })
    await mounted.request({ target: '/?app=a' })
    await eventually('a push', () => sink.received.length === 1)
    const { streams } = JSON.parse(sink.received[0]!.body)
    assert.deepEqual(
      streams.map(({ stream, values }: { stream: object; values: unknown[] }) => [stream, values.length]),
      [
        [{ job: 'gateway', code: '200', kind: '$http_nobody', app: 'a-GET' }, 2],
        [{ job: 'gateway', code: '404', kind: '$http_nobody', app: 'b-GET' }, 1],
      ],
    )
  })

  it('sends tenant, headers and path as configured', async (t) => {
    const sink = await httpSink(t)
    const config = { tenant_id: 't1', headers: { 'X-More': '1' }, endpoint_uri: '/push', batch_max_size: 1 }
    await mount(sink.port, config).request()
    await eventually('a push', () => sink.received.length === 1)
    const { url, headers } = sink.received[0]!
    assert.deepEqual([url, headers['x-scope-orgid'], headers['x-more']], ['/push', 't1', '1'])
  })

  it('takes an answer of 300 or above for a failure', async (t) => {
    const sink = await httpSink(t)
    sink.answerWith(302)
    const mounted = mount(sink.port, { batch_max_size: 1 })
    await mounted.request()
    await mounted.dispose()
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="loki-logger",reason="failed"\} 1/)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(lokiLogger, { endpoint_addrs: ['http://a'] }), undefined)
    assert.equal(refusal(lokiLogger, {}), 'property "endpoint_addrs" is required')
    assert.match(refusal(lokiLogger, { endpoint_addrs: [] }) ?? '', /at least 1 items/)
    assert.match(refusal(lokiLogger, { endpoint_addrs: ['a'] }) ?? '', /"endpoint_addrs\[0\]" is "a"/)
    assert.match(
      refusal(lokiLogger, { endpoint_addrs: ['http://a'], timeout: 60_001 }) ?? '',
      /at most 60000/,
    )
  })
})

describe('a push', () => {
  it('keeps microseconds, which are more digits than a number has', () => {
    assert.equal(nanoseconds(1_767_225_600_123.456), '1767225600123456000')
  })

  it('keeps the order of entries within a stream', () => {
    const lines = ['1', '2', '3'].map((text) => ({ labels: { a: 'b' }, time: '1', text }))
    assert.equal(
      encodePush(lines),
      '{"streams":[{"stream":{"a":"b"},"values":[["1","1"],["1","2"],["1","3"]]}]}',
    )
  })
})
