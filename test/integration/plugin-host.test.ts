import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type AnyPlugin, definePlugin, type InstanceHost, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

type Config = Record<string, unknown>

function plugin(name: string, parts: Partial<AnyPlugin> & Pick<AnyPlugin, 'compile'>): AnyPlugin {
  return definePlugin<Config>({ name, priority: 1, schema: { type: 'object' }, ...parts })
}

async function withPlugins(t: TestContext, plugins: readonly AnyPlugin[], config: Config = {}) {
  const upstream = await fakeUpstream(t, (_, response) => response.end('of the route'))
  const gateway = await startGateway(
    t,
    {},
    {
      plugins: Object.fromEntries(plugins.map((one) => [one.name, async () => ({ default: one })])),
      settings: { plugins: [...plugins.map(({ name }) => name), 'limit-count'] },
    },
  )
  const nodes = { [upstream.address]: 1 }
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: { [plugins[0]!.name]: config },
    upstream: { type: 'roundrobin', nodes },
  })
  return { gateway, nodes, text: async () => (await fetch(gateway.proxyUrl)).text() }
}

describe('the host of a plugin', () => {
  it('runs timers that end with the instance, and a throw in one hurts nobody', async (t) => {
    let ticks = 0
    const { gateway, text } = await withPlugins(t, [
      plugin('ticks', {
        compile(_config, host) {
          host.every(1, () => {
            ticks++
            throw new Error('in a timer')
          })
          host.after(1, async () => {
            throw new Error('in a promise of a timer')
          })
          return {}
        },
      }),
    ])
    await eventually('it ticks on', () => ticks > 3)
    assert.equal(await text(), 'of the route')
    const logged = gateway.logs.filter(({ plugin: name }) => name === 'ticks')
    assert.ok(logged.some(({ err }) => (err as { message: string }).message === 'in a promise of a timer'))
    const metrics = await (
      await fetch(`http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`)
    ).text()
    assert.match(metrics, /gatewright_plugin_failures_total\{plugin="ticks",phase="background"\} \d+/)
    await gateway.admin('DELETE', 'routes/1')
    await eventually('no tick comes any more', async () => {
      const before = ticks
      await new Promise((resolve) => setTimeout(resolve, 10))
      return ticks === before
    })
  })

  it('sends a request to an upstream of the plugin, and to one by its id as long as it is there', async (t) => {
    const own = await fakeUpstream(t, (_, response) => response.end('of the plugin'))
    const byId = await fakeUpstream(t, (_, response) => response.end('by id'))
    const { gateway, text } = await withPlugins(
      t,
      [
        plugin('chooses', {
          compile({ id, document }: Config, host): PluginInstance {
            const target = id === undefined ? { document: document as Config } : { id: String(id) }
            const handle = host.upstream(target)
            return { access: (context) => context.useUpstream(handle) }
          },
        }),
      ],
      { document: { type: 'roundrobin', nodes: { [own.address]: 1 } } },
    )
    assert.equal(await text(), 'of the plugin')
    const route = (config: Config) =>
      gateway.admin('PATCH', 'routes/1', { plugins: { chooses: { document: null, id: null, ...config } } })
    await route({ id: 'u1' })
    assert.equal((await fetch(gateway.proxyUrl)).status, 503)
    await gateway.put('upstreams', 'u1', { type: 'roundrobin', nodes: { [byId.address]: 1 } })
    assert.equal(await text(), 'by id')
    await gateway.admin('DELETE', 'upstreams/u1')
    assert.equal((await fetch(gateway.proxyUrl)).status, 503)
    await route({ document: { type: 'no-such', nodes: {} } })
    const sync = await fetch(`http://127.0.0.1:${gateway.addresses.control!.port}/v1/sync`)
    assert.match(await sync.text(), /no-such/)
  })

  it('keeps one state per node for all instances of a plugin', async (t) => {
    let made = 0
    const counts = plugin('counts', {
      nodeOperations: {
        add: () => {
          made++
          let sum = 0
          return (by: number) => {
            sum += by
            return sum
          }
        },
      },
      compile(_config, host: InstanceHost): PluginInstance {
        const add = host.nodeOperation<number, number>('add')
        return { access: () => ({ status: 200, body: String(add(2)) }) }
      },
    })
    const { gateway, text } = await withPlugins(t, [counts])
    assert.equal(await text(), '2')
    await gateway.put('routes', '2', { uri: '/two', plugins: { counts: { other: true } } })
    assert.equal(await (await fetch(`${gateway.proxyUrl}/two`)).text(), '4')
    assert.equal(made, 1)
  })

  it('compiles and checks other plugins inside its own configuration', async (t) => {
    const { gateway } = await withPlugins(
      t,
      [
        plugin('wraps', {
          check({ inner }: Config, tools) {
            const problem = tools.check('limit-count', inner)
            if (problem) throw new Error(problem)
          },
          compile({ inner }: Config, host): PluginInstance {
            const nested = host.nested('limit-count', inner)
            return { access: (context) => nested.access?.(context) }
          },
        }),
      ],
      { inner: { count: 1, time_window: 60 } },
    )
    assert.equal((await fetch(gateway.proxyUrl)).status, 200)
    assert.equal((await fetch(gateway.proxyUrl)).status, 503)
    const refused = await gateway.admin('PUT', 'routes/3', {
      uri: '/3',
      plugins: { wraps: { inner: { count: 1 } } },
    })
    assert.equal(refused.status, 400)
    assert.match(String(refused.body['error_msg']), /limit-count/)
  })

  it('finds the endpoints that plugins offer', async (t) => {
    const offers = plugin('offers', {
      publicApi: () => [
        {
          methods: ['GET'],
          uri: '/apisix/plugin/offers/*',
          handle: (context) => ({ status: 200, body: context.path }),
        },
      ],
      compile: () => ({}),
    })
    const exposes = plugin('exposes', {
      compile: (_config, host) => ({
        access: (context) =>
          host.findPublicApi(context.method, context.path)?.handle(context) ?? { status: 404 },
      }),
    })
    const { gateway } = await withPlugins(t, [exposes, offers])
    const found = await fetch(`${gateway.proxyUrl}/apisix/plugin/offers/one`)
    assert.equal(await found.text(), '/apisix/plugin/offers/one')
    assert.equal(
      (await fetch(`${gateway.proxyUrl}/apisix/plugin/offers/one`, { method: 'POST' })).status,
      404,
    )
    assert.equal((await fetch(gateway.proxyUrl)).status, 404)
  })

  it('shows protos as they are stored now', async (t) => {
    const shows = plugin('shows', {
      compile: (_config, host) => ({
        access: () => ({ status: 200, body: host.proto('p1')?.content ?? 'none' }),
      }),
    })
    const { gateway, text } = await withPlugins(t, [shows])
    assert.equal(await text(), 'none')
    const content = 'syntax = "proto3"; message A { string b = 1; }'
    await gateway.put('protos', 'p1', { content })
    assert.equal(await text(), content)
  })
})
