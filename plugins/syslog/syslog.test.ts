import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { datagramSink, eventually, streamSink } from '../../test/support/log-sinks.ts'
import syslog from './index.ts'

function mount(port: number, config: Record<string, unknown> = {}) {
  return mountPlugin(syslog, { host: '127.0.0.1', port, log_format: { path: '$uri' }, ...config })
}

const MESSAGE = /^<46>1 2026-01-01T00:00:00\.000Z gateway\.test apisix \d+ - - (\{.*\})$/

describe('syslog', () => {
  it('sends a message for each entry, ended by a line feed', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port, { batch_max_size: 2 })
    await mounted.request({ target: '/a%0Ab' })
    await mounted.request({ target: '/c' })
    await eventually('a batch', () => sink.texts.length === 1)
    const lines = sink.texts[0]!.split('\n')
    assert.equal(lines.length, 3)
    assert.equal(lines[2], '')
    const paths = lines.slice(0, 2).map((line) => JSON.parse(MESSAGE.exec(line)?.[1] ?? '{}').path)
    assert.deepEqual(paths, ['/a\nb', '/c'])
  })

  it('sends a datagram for each entry', async (t) => {
    const sink = await datagramSink(t)
    const mounted = mount(sink.port, { sock_type: 'udp' })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b' })
    await mounted.dispose()
    await eventually('two datagrams', () => sink.texts.length === 2)
    for (const text of sink.texts) assert.match(text, MESSAGE)
  })

  it('speaks TLS', async (t) => {
    const sink = await streamSink(t, { tls: makeCertificate({ names: ['127.0.0.1'] }) })
    await mount(sink.port, { tls: true, ssl_verify: false, batch_max_size: 1 }).request()
    await eventually('a message', () => sink.texts.length === 1)
    assert.match(sink.texts[0]!.trimEnd(), MESSAGE)
  })

  it('holds no more bytes than drop_limit', async (t) => {
    const sink = await streamSink(t, { isDeaf: true })
    const mounted = mount(sink.port, { drop_limit: 250 })
    for (let i = 0; i < 5; i++) await mounted.request()
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="syslog",reason="full"\} 3/)
  })

  it('sends before drop_limit makes it drop, though a batch could hold more', async (t) => {
    const sink = await streamSink(t)
    const mounted = mount(sink.port, { drop_limit: 250 })
    const isIdle = () => /^gatewright_batch_pending_entries.* 0$/m.test(mounted.metrics.expose())
    for (let i = 0; i < 3; i++) {
      await mounted.request()
      await mounted.request()
      await eventually('everything sent', isIdle)
    }
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="syslog",reason="full"\} 0/)
  })

  it('says that messages over udp go in the clear, whatever tls says', async (t) => {
    const sink = await datagramSink(t)
    const config = { host: '127.0.0.1', port: sink.port, sock_type: 'udp', batch_max_size: 1 }
    const gateway = await startGateway(t, {
      routes: {
        r1: { uri: '/a', plugins: { syslog: { ...config, tls: true }, mocking: { response_example: 'x' } } },
        r2: { uri: '/b', plugins: { syslog: config, mocking: { response_example: 'x' } } },
      },
    })
    const warnings = gateway.logs.filter(({ plugin }) => plugin === 'syslog')
    assert.deepEqual(
      warnings.map(({ routes }) => routes),
      ['r1'],
    )
    await fetch(`${gateway.proxyUrl}/a`)
    await eventually('a message', () => sink.texts.length === 1)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(syslog, { host: 'a', port: 1, flush_limit: 1, pool_size: 5 }), undefined)
    assert.match(refusal(syslog, { host: 'a', port: 1, sock_type: 'unix' }) ?? '', /matches none of the enum/)
    assert.match(refusal(syslog, { host: 'a', port: 1, pool_size: 4 }) ?? '', /at least 5/)
  })
})
