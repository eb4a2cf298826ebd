import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { datagramSink, eventually } from '../../test/support/log-sinks.ts'
import udpLogger from './index.ts'

function mount(port: number, config: Record<string, unknown> = {}) {
  return mountPlugin(udpLogger, { host: '127.0.0.1', port, log_format: { path: '$uri' }, ...config })
}

describe('udp-logger', () => {
  it('sends a batch as a list in one datagram', async (t) => {
    const sink = await datagramSink(t)
    const mounted = mount(sink.port, { batch_max_size: 2 })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b' })
    await eventually('a datagram', () => sink.texts.length === 1)
    assert.equal(sink.texts[0], '[{"path":"/a","route_id":"r1"},{"path":"/b","route_id":"r1"}]')
  })

  it('splits a batch that is longer than a datagram, so that nothing is lost', async (t) => {
    const sink = await datagramSink(t)
    const mounted = mount(sink.port, { log_format: { long: `${'x'.repeat(1000)}`, path: '$uri' } })
    for (let i = 0; i < 200; i++) await mounted.request({ target: `/${i}` })
    await mounted.dispose()
    const entries = await eventually('200 entries', () => {
      const all = sink.texts.flatMap((text) => JSON.parse(text))
      return all.length === 200 && all
    })
    assert.deepEqual(
      entries.map(({ path }: { path: string }) => path),
      Array.from({ length: 200 }, (_, i) => `/${i}`),
    )
    assert.ok(sink.texts.length > 1)
  })

  it('counts an entry that no datagram holds, and sends the others', async (t) => {
    const sink = await datagramSink(t)
    const mounted = mount(sink.port, { log_format: { body: '$resp_body' }, include_resp_body: true })
    await mounted.request({ upstream: { body: 'small' } })
    await mounted.request({ upstream: { body: 'x'.repeat(100_000) } })
    await mounted.dispose()
    await eventually('a datagram', () => sink.texts.length === 1)
    assert.equal(JSON.parse(sink.texts[0]!).length, 1)
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="udp-logger",reason="unsendable"\} 1/)
    assert.match(mounted.metrics.expose(), /sent_entries_total\{name="udp-logger"\} 1/)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(udpLogger, { host: 'a', port: 1 }), undefined)
    assert.equal(refusal(udpLogger, { port: 1 }), 'property "host" is required')
  })
})
