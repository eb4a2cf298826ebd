import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type AnyPlugin, definePlugin, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

type Trace = string[]

/** A plugin that notes each phase it runs in; `phases` replaces some of them. */
function tracing(
  name: string,
  priority: number,
  trace: Trace,
  phases: Partial<PluginInstance> = {},
): AnyPlugin {
  return definePlugin<{ tag?: string }>({
    name,
    priority,
    schema: { type: 'object', properties: { tag: { type: 'string' } } },
    compile(config) {
      const note = (phase: string) => void trace.push(`${config.tag ?? name}.${phase}`)
      return {
        rewrite: () => note('rewrite'),
        access: () => note('access'),
        beforeProxy: () => note('beforeProxy'),
        headerFilter: () => note('headerFilter'),
        log: () => note('log'),
        ...phases,
      }
    },
  })
}

const catalogueOf = (...plugins: AnyPlugin[]) =>
  Object.fromEntries(plugins.map((plugin) => [plugin.name, async () => ({ default: plugin })]))

/** Waits for the log phase, which runs after the client has its answer. */
async function logged(trace: Trace, count: number): Promise<void> {
  const deadline = Date.now() + 5000
  while (trace.filter((step) => step.endsWith('.log')).length < count) {
    assert.ok(Date.now() < deadline, `no log phase within 5 s: ${trace.join(' ')}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the phases', () => {
  it('run for global rules first, then by priority, and the added rewrite of a consumer between', async (t) => {
    const trace: Trace = []
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      {
        consumers: { jack: { username: 'jack', plugins: { 'key-auth': { key: 'k' }, extra: {} } } },
        global_rules: { g: { plugins: { global: {} } } },
        routes: {
          1: {
            uri: '/*',
            plugins: { 'key-auth': {}, high: {}, low: {} },
            upstream: { nodes: { [upstream.address]: 1 } },
          },
        },
      },
      {
        plugins: catalogueOf(
          tracing('high', 900, trace),
          tracing('low', 100, trace),
          tracing('extra', 500, trace),
          tracing('global', 1, trace),
        ),
      },
    )
    assert.equal((await fetch(gateway.proxyUrl, { headers: { apikey: 'k' } })).status, 200)
    await logged(trace, 4)
    assert.deepEqual(trace, [
      ...['global.rewrite', 'high.rewrite', 'low.rewrite', 'extra.rewrite'],
      ...['global.access', 'high.access', 'extra.access', 'low.access'],
      ...['global.beforeProxy', 'high.beforeProxy', 'extra.beforeProxy', 'low.beforeProxy'],
      ...['global.headerFilter', 'high.headerFilter', 'extra.headerFilter', 'low.headerFilter'],
      ...['global.log', 'high.log', 'extra.log', 'low.log'],
    ])
  })

  it('run beforeProxy again for each attempt', async (t) => {
    const trace: Trace = []
    const nodes = { [await refusingAddress()]: 1, [await refusingAddress()]: 1 }
    const gateway = await startGateway(
      t,
      { routes: { 1: { uri: '/*', plugins: { p: {} }, upstream: { nodes } } } },
      { plugins: catalogueOf(tracing('p', 1, trace)) },
    )
    assert.equal((await fetch(gateway.proxyUrl)).status, 502)
    assert.equal(trace.filter((step) => step === 'p.beforeProxy').length, 2)
  })

  it('end at an answer, whose response phases still run', async (t) => {
    const trace: Trace = []
    const answering = tracing('answering', 500, trace, {
      access: async () => ({ status: 403, body: { no: 1 } }),
    })
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      {
        routes: {
          1: {
            uri: '/*',
            plugins: { answering: {}, after: {} },
            upstream: { nodes: { [upstream.address]: 1 } },
          },
        },
      },
      { plugins: catalogueOf(answering, tracing('after', 100, trace)) },
    )
    const response = await fetch(gateway.proxyUrl)
    assert.deepEqual([response.status, await response.json()], [403, { no: 1 }])
    await logged(trace, 2)
    assert.deepEqual(
      trace.filter((step) => step.startsWith('after.')),
      ['after.rewrite', 'after.headerFilter', 'after.log'],
    )
    assert.equal(upstream.requests.length, 0)
  })

  for (const [how, fail] of [
    ['throws', () => assert.fail('told to fail')],
    ['rejects', () => Promise.reject(new Error('told to fail'))],
  ] as const) {
    it(`answer 500 without a word of the cause when a plugin ${how}; it is logged once and counted, and other routes serve`, async (t) => {
      const trace: Trace = []
      const upstream = await fakeUpstream(t)
      const nodes = { [upstream.address]: 1 }
      const gateway = await startGateway(
        t,
        {
          routes: {
            bad: { uri: '/bad', plugins: { faulty: {}, witness: {} }, upstream: { nodes } },
            good: { uri: '/good', upstream: { nodes } },
          },
        },
        {
          plugins: catalogueOf(tracing('faulty', 10, trace, { rewrite: fail }), tracing('witness', 5, trace)),
        },
      )
      const response = await fetch(`${gateway.proxyUrl}/bad`)
      assert.deepEqual(
        [response.status, await response.text()],
        [500, '{"error_msg":"500 Internal Server Error"}\n'],
      )
      await logged(trace, 2)
      const told = gateway.logs.filter((line) => line['msg'] === 'a plugin failed')
      assert.deepEqual(
        told.map((line) => [line['plugin'], line['phase'], line['route']]),
        [['faulty', 'rewrite', 'bad']],
      )
      assert.equal((await fetch(`${gateway.proxyUrl}/good`)).status, 200)
      const metrics = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
      const text = await (await fetch(metrics)).text()
      assert.match(text, /gatewright_plugin_failures_total\{plugin="faulty",phase="rewrite"\} 1/)
    })
  }
})

describe('_meta', () => {
  const run = async (
    t: Parameters<typeof startGateway>[0],
    meta: Record<string, unknown>,
    phases?: Partial<PluginInstance>,
  ) => {
    const trace: Trace = []
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      {
        routes: {
          1: {
            uri: '/*',
            plugins: { a: { tag: 'a', _meta: meta }, b: { tag: 'b' } },
            upstream: { nodes: { [upstream.address]: 1 } },
          },
        },
      },
      { plugins: catalogueOf(tracing('a', 100, trace, phases), tracing('b', 200, trace)) },
    )
    return { gateway, trace, upstream }
  }

  it('disables a plugin', async (t) => {
    const { gateway, trace } = await run(t, { disable: true })
    await fetch(gateway.proxyUrl)
    assert.ok(!trace.some((step) => step.startsWith('a.')))
  })

  it('changes the order by priority', async (t) => {
    const { gateway, trace } = await run(t, { priority: 300 })
    await fetch(gateway.proxyUrl)
    assert.deepEqual(trace.slice(0, 2), ['a.rewrite', 'b.rewrite'])
  })

  it('runs a plugin only for the requests that its filter lets in', async (t) => {
    const { gateway, trace } = await run(t, { filter: [['arg_on', '==', '1']] })
    await fetch(`${gateway.proxyUrl}/?on=0`)
    assert.ok(!trace.some((step) => step.startsWith('a.')))
    await fetch(`${gateway.proxyUrl}/?on=1`)
    assert.ok(trace.includes('a.access'))
  })

  it('replaces the body of a refusal and keeps its status and headers', async (t) => {
    const refuse = {
      access: () => ({ status: 401, body: { message: 'inner' }, headers: { 'X-Why': 'because' } }),
    }
    const { gateway } = await run(t, { error_response: { my: 'err' } }, refuse)
    const response = await fetch(gateway.proxyUrl)
    assert.deepEqual([response.status, await response.text()], [401, '{"my":"err"}\n'])
    assert.equal(response.headers.get('x-why'), 'because')
  })

  it('runs a JavaScript function before each phase, and refuses Lua at write', async (t) => {
    const source = 'function (conf, ctx) { ctx.headers.set("X-Seen", conf.tag) }'
    const { gateway, upstream } = await run(t, { pre_function: source })
    await fetch(gateway.proxyUrl)
    assert.equal(upstream.requests[0]?.headers['x-seen'], 'a')
    const lua = { pre_function: 'return function(conf, ctx) ngx.log(ngx.ERR, "x") end' }
    const { status, body } = await gateway.admin('PUT', 'routes/2', {
      uri: '/2',
      plugins: { a: { _meta: lua } },
    })
    assert.equal(status, 400)
    assert.match(String(body['error_msg']), /failed to load _meta\.pre_function in plugin a: .*JavaScript/)
  })

  it('refuses a key that it does not have', async (t) => {
    const gateway = await startGateway(t, {}, { plugins: catalogueOf(tracing('a', 1, [])) })
    const { body } = await gateway.admin('PUT', 'routes/1', {
      uri: '/1',
      plugins: { a: { _meta: { foo: 1 } } },
    })
    assert.equal(
      body['error_msg'],
      'failed to check the configuration of plugin a err: property "_meta" validation failed: additional properties forbidden, found foo',
    )
  })
})

describe('plugins of the process', () => {
  it('are mounted with what they bring to Fastify and closed in reverse order, each within its time', async (t) => {
    const closed: Trace = []
    const withClose = (name: string, priority: number, close: () => Promise<void>) => ({
      ...tracing(name, priority, []),
      fastify(app: { addHook(name: 'onClose', hook: () => Promise<void>): unknown }) {
        app.addHook('onClose', close)
      },
    })
    const noting = (name: string) => async () => void closed.push(name)
    const gateway = await startGateway(
      t,
      {},
      {
        settings: { 'gatewright.shutdown.plugin_close_ms': 50 },
        plugins: catalogueOf(
          withClose('first', 30, noting('first')),
          withClose('hung', 20, () => new Promise(() => undefined)),
          withClose('last', 10, noting('last')),
        ),
      },
    )
    await gateway.stop()
    assert.deepEqual(closed, ['last', 'first'])
  })
})
