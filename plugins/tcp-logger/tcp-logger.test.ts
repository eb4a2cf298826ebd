import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { eventually, streamSink } from '../../test/support/log-sinks.ts'
import tcpLogger from './index.ts'

const FORMAT = { log_format: { path: '$uri', status: '$status' } }

function mount(port: number, config: Record<string, unknown> = {}) {
  return mountPlugin(tcpLogger, { host: '127.0.0.1', port, ...FORMAT, ...config })
}

describe('tcp-logger', () => {
  it('sends a list of entries when its batch is full', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port, { batch_max_size: 2 })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b', upstream: { status: 404 } })
    await eventually('a batch', () => sink.texts.length === 1)
    assert.deepEqual(JSON.parse(sink.texts[0]!), [
      { path: '/a', status: 200, route_id: 'r1' },
      { path: '/b', status: 404, route_id: 'r1' },
    ])
  })

  it('sends entries by themselves when batches hold one', async (t) => {
    const sink = await streamSink(t)
    await mount(sink.port, { batch_max_size: 1 }).request({ target: '/a' })
    await eventually('an entry', () => sink.texts.length === 1)
    assert.equal(sink.texts[0], '{"path":"/a","status":200,"route_id":"r1"}')
  })

  it('sends what waits when it is disposed', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port)
    await mounted.request()
    await mounted.dispose()
    await eventually('a batch', () => sink.texts.length === 1)
    assert.equal(JSON.parse(sink.texts[0]!).length, 1)
  })

  it('speaks TLS, and sends nothing to a sink whose certificate nobody vouches for', async (t) => {
    const tls = makeCertificate({ names: ['sink.test'] })
    const sink = await streamSink(t, { tls })
    const config = { tls: true, tls_options: 'sink.test', batch_max_size: 1 }
    const careful = mount(sink.port, config)
    await careful.request()
    await careful.dispose()
    assert.deepEqual(sink.texts, [])
    assert.match(careful.metrics.expose(), /dropped_entries_total\{name="tcp-logger",reason="failed"\} 1/)
    await mount(sink.port, { ...config, ssl_verify: false }).request()
    await eventually('an entry', () => sink.texts.length === 1)
  })

  it('shows how many entries wait, by name, route and address', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port, { name: 'audit' })
    const gauge = (count: number) =>
      new RegExp(
        `apisix_batch_process_entries\\{name="audit",route_id="r1",server_addr="192.0.2.254"\\} ${count}\n`,
      )
    await mounted.request()
    await mounted.request()
    assert.match(mounted.metrics.expose(), gauge(2))
    await mounted.dispose()
    assert.match(mounted.metrics.expose(), gauge(0))
  })

  it('shows nothing of a route that is gone, and counts on under the next one', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port)
    const { metrics } = mounted
    const route = (id: string) => ({
      id,
      uri: '/*',
      name: undefined,
      serviceId: undefined,
      serviceName: undefined,
      host: undefined,
    })
    const shown = () =>
      [...metrics.expose().matchAll(/^apisix_batch_process_entries\{.*route_id="(\w+)".*\} (\d+)$/gm)].map(
        ([, id, count]) => `${id} ${count}`,
      )
    await mounted.request({ route: route('r1') })
    await mounted.request({ route: route('r2') })
    assert.deepEqual(shown(), ['r1 2'])
    metrics.prune((owner, value) => owner !== 'routes' || value !== 'other')
    await mounted.request({ route: route('r2') })
    assert.deepEqual(shown(), ['r1 3'])
    const isKnown = (owner: string, value: string) => owner !== 'routes' || value !== 'r1'
    metrics.prune(isKnown)
    assert.deepEqual(shown(), [])
    await mounted.request({ route: route('r2') })
    metrics.prune(isKnown)
    assert.deepEqual(shown(), ['r2 4'])
    await mounted.request({ route: route('r3') })
    metrics.prune(isKnown)
    assert.deepEqual(shown(), ['r2 5'])
  })

  it('shows them under the prefix of the settings', async (t) => {
    const sink = await streamSink(t)
    const config = { host: '127.0.0.1', port: sink.port, ...FORMAT }
    const mounted = mountPlugin(tcpLogger, config, { metricPrefix: 'edge_' })
    await mounted.request()
    assert.match(mounted.metrics.expose(), /^edge_batch_process_entries\{/m)
    assert.doesNotMatch(mounted.metrics.expose(), /apisix_batch/)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(tcpLogger, { host: 'a', port: 1 }), undefined)
    assert.equal(refusal(tcpLogger, { host: 'a' }), 'property "port" is required')
    assert.match(
      refusal(tcpLogger, { host: 'a', port: 1, batch_max_size: 0 }) ?? '',
      /"batch_max_size".*at least 1/,
    )
    assert.match(
      refusal(tcpLogger, { host: 'a', port: 1, include_req_body_expr: [['x']] }) ?? '',
      /^failed to validate the 'include_req_body_expr' expression: /,
    )
  })
})
