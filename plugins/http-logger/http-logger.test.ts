import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { eventually, httpSink } from '../../test/support/log-sinks.ts'
import httpLogger from './index.ts'

function mount(uri: string, config: Record<string, unknown> = {}, options: MountOptions = {}) {
  return mountPlugin(httpLogger, { uri, log_format: { path: '$uri' }, ...config }, options)
}

describe('http-logger', () => {
  it('posts a list of entries when its batch is full', async (t) => {
    const sink = await httpSink(t)
    const mounted = mount(`http://127.0.0.1:${sink.port}/log?x=1`, { batch_max_size: 2 })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b' })
    await eventually('a batch', () => sink.received.length === 1)
    const { url, headers, body } = sink.received[0]!
    assert.equal(url, '/log?x=1')
    assert.equal(headers['content-type'], 'application/json')
    assert.equal('authorization' in headers, false)
    assert.equal(body, '[{"path":"/a","route_id":"r1"},{"path":"/b","route_id":"r1"}]')
  })

  it('posts entries by themselves when batches hold one', async (t) => {
    const sink = await httpSink(t)
    await mount(`http://127.0.0.1:${sink.port}/`, { batch_max_size: 1 }).request({ target: '/a' })
    await eventually('an entry', () => sink.received.length === 1)
    assert.equal(sink.received[0]?.body, '{"path":"/a","route_id":"r1"}')
  })

  it('posts a line for each entry with concat_method new_line', async (t) => {
    const sink = await httpSink(t)
    const mounted = mount(`http://127.0.0.1:${sink.port}/`, { concat_method: 'new_line', batch_max_size: 2 })
    await mounted.request({ target: '/a' })
    await mounted.request({ target: '/b' })
    await eventually('a batch', () => sink.received.length === 1)
    assert.equal(sink.received[0]?.body, '{"path":"/a","route_id":"r1"}\n{"path":"/b","route_id":"r1"}')
    assert.equal(sink.received[0]?.headers['content-type'], 'text/plain')
  })

  it('sends auth_header, and no entry shows it', async (t) => {
    const sink = await httpSink(t)
    const config = { auth_header: 'Basic c2VjcmV0', batch_max_size: 1, log_format_extra: { a: 'b' } }
    await mountPlugin(httpLogger, { uri: `http://127.0.0.1:${sink.port}/`, ...config }).request()
    await eventually('an entry', () => sink.received.length === 1)
    assert.equal(sink.received[0]?.headers.authorization, 'Basic c2VjcmV0')
    assert.equal(sink.received[0]?.body.includes('c2VjcmV0'), false)
    assert.deepEqual(httpLogger.secretFields, ['auth_header'])
  })

  it('names the route of a request that matched none', async (t) => {
    const sink = await httpSink(t)
    await mount(`http://127.0.0.1:${sink.port}/`, { batch_max_size: 1 }).request({ route: undefined })
    await eventually('an entry', () => sink.received.length === 1)
    assert.equal(JSON.parse(sink.received[0]!.body).route_id, 'no-matched')
  })

  it('tries again after an answer of 400 or above, as often as it may, then counts the loss', async (t) => {
    const sink = await httpSink(t)
    sink.answerWith(503)
    const mounted = mount(`http://127.0.0.1:${sink.port}/`, {
      max_retry_count: 2,
      retry_delay: 0,
      batch_max_size: 1,
    })
    assert.equal((await mounted.request()).status, 200)
    await eventually('three attempts', () => sink.received.length === 3)
    await mounted.dispose()
    assert.equal(sink.received.length, 3)
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="http-logger",reason="failed"\} 1/)
    assert.match(mounted.metrics.expose(), /failed_sends_total\{name="http-logger"\} 3/)
  })

  it('takes an answer that is none for a failure', async (t) => {
    const address = await rawUpstream(t, (socket) => void socket.end('220 what is this?\r\n\r\n'))
    const mounted = mount(`http://${address}/`)
    await mounted.request()
    await mounted.dispose()
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="http-logger",reason="failed"\} 1\n/)
  })

  it('delivers what waited once the sink is back', async (t) => {
    const { port, close } = await httpSink(t)
    await close()
    const mounted = mount(`http://127.0.0.1:${port}/`, {
      max_retry_count: 1000,
      retry_delay: 0,
      batch_max_size: 2,
    })
    for (const target of ['/1', '/2', '/3', '/4']) await mounted.request({ target })
    await eventually('a failure', () =>
      /failed_sends_total\{name="http-logger"\} [1-9]/.test(mounted.metrics.expose()),
    )
    const sink = await httpSink(t, { port })
    await eventually('both batches', () => sink.received.length === 2)
    const paths = sink.received.flatMap(({ body }) => JSON.parse(body)).map(({ path }) => path)
    assert.deepEqual(paths, ['/1', '/2', '/3', '/4'])
    assert.doesNotMatch(mounted.metrics.expose(), /dropped_entries_total\{[^}]*\} [1-9]/)
  })

  it('holds no more than max_pending_entries for a sink that is dead, and lets every request through', async () => {
    const uri = `http://${await refusingAddress()}/`
    const config = { max_retry_count: 1000, retry_delay: 3600, batch_max_size: 2 }
    const mounted = mount(uri, config, { metadata: { max_pending_entries: 10 } })
    for (let i = 0; i < 100; i++) assert.equal((await mounted.request()).status, 200)
    assert.match(mounted.metrics.expose(), /pending_entries\{name="http-logger"\} 10\n/)
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="http-logger",reason="full"\} 90\n/)
  })

  it('gives up within its time when it is disposed while the sink says nothing', async (t) => {
    const sink = await httpSink(t)
    sink.answerWith(0)
    const mounted = mount(`http://127.0.0.1:${sink.port}/`, { timeout: 1 })
    await mounted.request()
    await mounted.dispose()
    assert.equal(sink.received.length, 1)
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="http-logger",reason="failed"\} 1\n/)
  })

  it('checks the certificate of the sink unless told not to', async (t) => {
    const sink = await httpSink(t, { tls: makeCertificate({ names: ['127.0.0.1'] }) })
    const uri = `https://127.0.0.1:${sink.port}/`
    const careful = mount(uri)
    await careful.request()
    await careful.dispose()
    assert.equal(sink.received.length, 0)
    await mount(uri, { ssl_verify: false, batch_max_size: 1 }).request()
    await eventually('an entry', () => sink.received.length === 1)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(httpLogger, { uri: 'http://a/' }), undefined)
    assert.equal(refusal(httpLogger, {}), 'property "uri" is required')
    assert.match(refusal(httpLogger, { uri: 'ftp://a/' }) ?? '', /begins with http/)
    assert.match(
      refusal(httpLogger, { uri: 'http://a/', concat_method: 'x' }) ?? '',
      /matches none of the enum/,
    )
  })
})
