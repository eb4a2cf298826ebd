import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

const PHASES: Readonly<Record<string, PluginInstance>> = {
  marks: {
    rewrite(context) {
      context.headers.set('X-User', 'secret-value')
      context.upstream.target = '/other'
    },
    headerFilter: (context) => context.response.headers.set('X-Seen', '1'),
  },
  refuses: {
    access: async (context) => (context.arg('ok') === undefined ? { status: 403, body: 'no' } : undefined),
  },
  throws: {
    log() {
      throw new Error('boom')
    },
  },
}

async function started(t: TestContext, settings: Record<string, unknown>) {
  const names = Object.keys(PHASES)
  const plugins = Object.fromEntries(
    names.map((name, index) => {
      const plugin = definePlugin<Record<string, unknown>>({
        name,
        priority: 100 - index,
        schema: { type: 'object' },
        compile: () => PHASES[name]!,
      })
      return [name, async () => ({ default: plugin })]
    }),
  )
  const upstream = await fakeUpstream(t)
  const gateway = await startGateway(t, {}, { plugins, settings: { plugins: names, ...settings } })
  await gateway.put('routes', '1', {
    uri: '/a',
    plugins: Object.fromEntries(names.map((name) => [name, {}])),
    upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
  })
  const control = `http://127.0.0.1:${gateway.addresses.control!.port}/v1`
  const json = async (path: string, init?: RequestInit) => {
    const response = await fetch(control + path, init)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { gateway, json }
}

interface Step {
  readonly plugin: string
  readonly phase: string
  readonly took_us: number
  readonly effects: string[]
}

describe('the timeline of a request', () => {
  it('says what each plugin did, changed and answered, found by the X-Request-Id, without values', async (t) => {
    const { gateway, json } = await started(t, { 'gatewright.debug.timeline': 10 })
    await (await fetch(`${gateway.proxyUrl}/a?ok=1`, { headers: { 'x-request-id': 'mine' } })).text()
    await eventually('it is there', async () => (await json('/timeline/mine')).status === 200)
    const { body } = await json('/timeline/mine')
    const steps = body['steps'] as Step[]
    assert.deepEqual(
      steps.map(({ plugin, phase, effects }) => [`${plugin}#${phase}`, ...effects]),
      [
        ['marks#rewrite', 'target', 'request header x-user'],
        ['refuses#access'],
        ['marks#header_filter', 'response header x-seen'],
        ['throws#log', 'threw'],
      ],
    )
    assert.ok(steps.every(({ took_us }) => took_us >= 0))
    assert.equal(body['status'], 200)
    assert.equal(body['route_id'], '1')
    assert.ok(!JSON.stringify(body).includes('secret-value'))
    assert.equal((await json(`/timeline/${body['id']}`)).status, 200)
  })

  it('names who answered, keeps the newest requests only, and can be switched on while the gateway runs', async (t) => {
    const { gateway, json } = await started(t, {})
    const off = await json('/timeline/x')
    assert.equal(off.status, 404)
    assert.match(String(off.body['error_msg']), /PUT \/v1\/debug/)
    const put = (body: unknown) =>
      json('/debug', {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    assert.equal((await put({ timeline: -1 })).status, 400)
    assert.deepEqual((await put({ timeline: 2 })).body, {
      timeline: 2,
      plugins_header: false,
      rejected_by_header: false,
    })
    for (const id of ['1', '2', '3']) {
      await (await fetch(`${gateway.proxyUrl}/a`, { headers: { 'x-request-id': id } })).text()
    }
    await eventually('the last is there', async () => (await json('/timeline/3')).status === 200)
    assert.equal((await json('/timeline/1')).status, 404)
    const list = (await json('/timeline')).body['requests'] as Record<string, unknown>[]
    assert.deepEqual(
      list.map(({ request_id, status, answered_by }) => [request_id, status, answered_by]),
      [
        ['3', 403, 'refuses#access'],
        ['2', 403, 'refuses#access'],
      ],
    )
    await put({ timeline: 0 })
    assert.deepEqual((await json('/timeline')).body, { kept: 0, requests: [] })
  })

  it('shows in headers which plugins ran and which one refused, where that is switched on', async (t) => {
    const { gateway } = await started(t, {
      'gatewright.debug': { plugins_header: true, rejected_by_header: true },
    })
    const refused = await fetch(`${gateway.proxyUrl}/a`)
    assert.equal(refused.headers.get('apisix-plugins'), 'marks#rewrite, refuses#access, marks#header_filter')
    assert.equal(refused.headers.get('x-gatewright-rejected-by'), 'refuses#access')
    const passed = await fetch(`${gateway.proxyUrl}/a?ok=1`)
    assert.equal(passed.headers.get('x-gatewright-rejected-by'), null)
    const missed = await fetch(`${gateway.proxyUrl}/none`)
    assert.equal(missed.headers.get('apisix-plugins'), 'no plugin')
    const plain = await started(t, {})
    assert.equal((await fetch(`${plain.gateway.proxyUrl}/a`)).headers.get('apisix-plugins'), null)
  })
})
