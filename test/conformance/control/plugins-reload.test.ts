import assert from 'node:assert/strict'
import { after, describe, it, type TestContext } from 'node:test'
import type { PluginList } from '../../../src/gateway/load-plugins.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { type AnyPlugin, definePlugin } from '../../../src/plugin/definition.ts'
import { SettingsError } from '../../../src/settings/settings-error.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { watchLeaks } from '../../../src/testing/leak-watch.ts'
import { ADMIN_KEY } from '../../../src/testing/start-gateway.ts'
import { eventually } from '../../support/watch-recording.ts'
import { type Control, type Shown, startControl } from './start-control.ts'

/** Every timer that an instance holds. */
const timers = watchLeaks()
after(timers.stop)

/** Instances that are alive, by plugin. */
type Alive = Map<string, number>

/** Marks responses with its own name, and holds a timer as long as an instance lives. */
function marker(name: string, alive: Alive, more: Partial<AnyPlugin> = {}): AnyPlugin {
  const count = (by: number) => alive.set(name, (alive.get(name) ?? 0) + by)
  return definePlugin<object>({
    name,
    priority: 10,
    schema: { type: 'object' },
    compile: (_config, host) => {
      const timer = timers.during(() => setInterval(() => undefined, 60_000))
      count(1)
      host.own(() => {
        clearInterval(timer)
        count(-1)
      })
      return {
        headerFilter: ({ response }) => response.headers.set('x-marks', name),
        log: () => void count(0),
      }
    },
    ...more,
  })
}

interface Stage extends Control {
  readonly alive: Alive
  readonly store: MemoryStore
  /** What the settings say from now on; an error is thrown when they are read. */
  settings(list: PluginList | Error): void
  /** Changes the list in the settings and reloads through the control API. */
  reload(list: PluginList | Error): Promise<Shown>
  /** Status of a request to the proxy, and the plugin that marked it. */
  ask(path: string): Promise<[status: number, mark: string | null]>
  quarantined(): Promise<string[]>
}

/** Routes `/<plugin>` with one plugin each, and `/plain` with none. */
async function start(t: TestContext, list: PluginList): Promise<Stage> {
  const alive: Alive = new Map()
  const upstream = await fakeUpstream(t, (_request, response) => setTimeout(() => response.end('ok'), 20))
  const plugins = [
    marker('mark-a', alive),
    marker('mark-b', alive),
    marker('zipkin', alive),
    marker('mark-listener', alive, { fastify: () => undefined }),
    marker('mark-sized', alive, {
      attrSchema: { type: 'object', properties: { size: { type: 'integer' } } },
    }),
  ]
  const store = new MemoryStore({ logger: createLogger('silent') })
  const nodes = { [upstream.address]: 1 }
  await store.put('/apisix/routes/plain', JSON.stringify({ uri: '/plain', upstream: { nodes } }))
  for (const { name } of plugins) {
    const route = { uri: `/${name}`, upstream: { nodes }, plugins: { [name]: {} } }
    await store.put(`/apisix/routes/${name}`, JSON.stringify(route))
  }
  let now: PluginList | Error = list
  const control = await startControl(
    t,
    {},
    {
      store,
      plugins: Object.fromEntries(plugins.map((plugin) => [plugin.name, async () => ({ default: plugin })])),
      settings: { plugins: list, 'plugin_attr.mark-sized': { size: 'ten' } },
      readPluginList: () => {
        if (now instanceof Error) throw now
        return now
      },
    },
  )
  const settings = (next: PluginList | Error) => {
    now = next
  }
  return {
    ...control,
    alive,
    store,
    settings,
    reload: async (next) => {
      settings(next)
      return control.send('PUT', '/v1/plugins/reload')
    },
    ask: async (path) => {
      const response = await fetch(`${control.proxyUrl}${path}`)
      await response.arrayBuffer()
      return [response.status, response.headers.get('x-marks')]
    },
    quarantined: async () => {
      const { body } = await control.send('GET', '/v1/sync')
      return (body as { quarantined: { id: string }[] }).quarantined.map(({ id }) => id).sort()
    },
  }
}

const admin = (stage: Stage, method: string, key = ADMIN_KEY) =>
  fetch(`http://127.0.0.1:${stage.addresses.admin!.port}/apisix/admin/plugins/reload`, {
    method,
    headers: { 'x-api-key': key },
  })

describe('reloading the list of plugins', () => {
  it('answers done, without a newline, through the control API and the admin API', async (t) => {
    const stage = await start(t, ['mark-a'])
    const { status, text } = await stage.reload(['mark-a'])
    assert.deepEqual([status, text], [200, 'done'])
    const response = await admin(stage, 'PUT')
    assert.deepEqual([response.status, await response.text()], [200, 'done'])
  })

  it('through the admin API takes PUT and the key of an administrator only', async (t) => {
    const stage = await start(t, ['mark-a'])
    stage.settings(['mark-a', 'mark-b'])
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      const response = await admin(stage, method)
      const error_msg = `please use PUT method to reload the plugins, ${method} method is not allowed.`
      assert.deepEqual([response.status, await response.json()], [405, { error_msg }])
    }
    assert.equal((await admin(stage, 'PUT', 'wrong')).status, 401)
    assert.deepEqual(await stage.ask('/mark-b'), [404, null])
  })

  it('serves what waited for a plugin as soon as the list names it', async (t) => {
    const stage = await start(t, ['mark-a'])
    assert.deepEqual(await stage.ask('/mark-a'), [200, 'mark-a'])
    assert.deepEqual(await stage.ask('/mark-b'), [404, null])
    assert.deepEqual(await stage.quarantined(), ['mark-b', 'mark-listener', 'mark-sized'])

    assert.equal((await admin(stage, 'PUT')).status, 200)
    assert.deepEqual(await stage.ask('/mark-b'), [404, null], 'the list has not changed')
    stage.settings(['mark-a', 'mark-b'])
    assert.equal((await admin(stage, 'PUT')).status, 200)
    assert.deepEqual(await stage.ask('/mark-b'), [200, 'mark-b'])
    assert.deepEqual(await stage.quarantined(), ['mark-listener', 'mark-sized'])
    const listed = await stage.admin('GET', 'plugins/list')
    assert.deepEqual(listed.body, ['mark-a', 'mark-b'])
  })

  it('sets aside what names a plugin that the list no longer has, releases its instances, and brings it back', async (t) => {
    const stage = await start(t, ['mark-a'])
    await stage.reload(['mark-a', 'mark-b'])
    assert.deepEqual(await stage.ask('/mark-b'), [200, 'mark-b'])
    assert.deepEqual(timers.leftovers(), ['Timeout', 'Timeout'])

    await stage.reload(['mark-a'])
    assert.deepEqual(await stage.ask('/mark-b'), [404, null])
    assert.deepEqual(await stage.ask('/mark-a'), [200, 'mark-a'])
    assert.deepEqual(await stage.quarantined(), ['mark-b', 'mark-listener', 'mark-sized'])
    assert.equal(stage.alive.get('mark-b'), 0)
    await eventually('the end of its timer', () => timers.leftovers().length === 1)

    await stage.reload('all')
    await stage.reload(['mark-b'])
    assert.deepEqual(await stage.ask('/mark-b'), [200, 'mark-b'])
    assert.equal(stage.alive.get('mark-b'), 1)
  })

  it('leaves a request under way the plugins that it matched', async (t) => {
    const stage = await start(t, ['mark-a', 'mark-b'])
    const underWay = stage.ask('/mark-b')
    await eventually('a request beside it', async () => (await stage.ask('/plain'))[0] === 200)
    await stage.reload(['mark-a'])
    assert.deepEqual(await underWay, [200, 'mark-b'])
    assert.deepEqual(await stage.ask('/mark-b'), [404, null])
    assert.equal(stage.alive.get('mark-b'), 0)
  })

  it('keeps serving without a plugin that only observes, and puts it back', async (t) => {
    const stage = await start(t, ['zipkin', 'mark-a'])
    assert.deepEqual(await stage.ask('/zipkin'), [200, 'zipkin'])
    await stage.reload(['mark-a'])
    assert.deepEqual(await stage.ask('/zipkin'), [200, null])
    assert.equal(stage.alive.get('zipkin'), 0)
    await stage.reload(['zipkin', 'mark-a'])
    assert.deepEqual(await stage.ask('/zipkin'), [200, 'zipkin'])
  })

  it('keeps an older version that does not name the removed plugin', async (t) => {
    const stage = await start(t, ['mark-a', 'mark-b'])
    const { value } = (await stage.store.get('/apisix/routes/mark-a'))!
    const broken = { ...JSON.parse(value), plugins: { 'mark-b': {}, 'no-such': {} } }
    await stage.store.put('/apisix/routes/mark-a', JSON.stringify(broken))
    await stage.gateway.settled()
    await stage.reload(['mark-a'])
    assert.deepEqual(await stage.ask('/mark-a'), [200, 'mark-a'])
  })

  it('leaves alone what names neither: its instances stay', async (t) => {
    const stage = await start(t, ['mark-a'])
    const before = (await stage.send('GET', '/v1/route/plain')).body
    for (let turn = 0; turn < 5; turn++) {
      await stage.reload(['mark-a', 'mark-b'])
      await stage.reload(['mark-a'])
    }
    assert.deepEqual((await stage.send('GET', '/v1/route/plain')).body, before)
    assert.deepEqual([...stage.alive.values()], [1, 0])
  })

  it('serves every request of other routes while lists change', async (t) => {
    const stage = await start(t, ['mark-a'])
    let isOver = false
    const asking = Promise.all(
      [0, 1, 2, 3].map(async () => {
        let count = 0
        for (; !isOver; count++) assert.deepEqual(await stage.ask('/mark-a'), [200, 'mark-a'])
        return count
      }),
    )
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all([stage.reload(['mark-a', 'mark-b']), stage.reload(['mark-a'])])
    }
    isOver = true
    assert.ok((await asking).every((count) => count > 0))
  })
})

describe('a list of plugins that cannot be taken over is refused and changes nothing', () => {
  for (const [what, list, reason] of [
    [
      'a plugin that adds to the listeners',
      ['mark-a', 'mark-b', 'mark-listener'],
      'plugin "mark-listener" adds to the listeners themselves, which happens at the start only: restart the gateway to enable it; nothing was changed',
    ],
    [
      'a plugin whose plugin_attr is wrong',
      ['mark-a', 'mark-b', 'mark-sized'],
      'a plugin cannot be loaded, nothing was changed: plugin_attr.mark-sized.size: wrong type: expected integer, got string; it is "ten"',
    ],
    [
      'settings that cannot be read',
      new SettingsError(['config.yaml:3: pluginz: unknown key']),
      'the settings cannot be used, nothing was changed: config.yaml:3: pluginz: unknown key',
    ],
  ] as const) {
    it(what, async (t) => {
      const stage = await start(t, ['mark-a'])
      const { status, body } = await stage.reload(list)
      assert.deepEqual([status, body], [400, { error_msg: reason }])
      const response = await admin(stage, 'PUT')
      assert.deepEqual([response.status, await response.json()], [400, { error_msg: reason }])
      assert.deepEqual((await stage.admin('GET', 'plugins/list')).body, ['mark-a'])
      assert.deepEqual(await stage.ask('/mark-b'), [404, null])
      assert.equal((await stage.reload(['mark-a', 'mark-b'])).status, 200)
      assert.deepEqual(await stage.ask('/mark-b'), [200, 'mark-b'])
    })
  }

  it('but one that was part of the listeners at the start may go and come back', async (t) => {
    const stage = await start(t, ['mark-listener'])
    await stage.reload(['mark-a'])
    assert.deepEqual(await stage.ask('/mark-listener'), [404, null])
    assert.equal((await stage.reload(['mark-listener'])).status, 200)
    assert.deepEqual(await stage.ask('/mark-listener'), [200, 'mark-listener'])
  })
})

/** The settings say etcd; a store in memory takes its place. */
const SHARED = { 'gatewright.store': 'etcd', 'deployment.etcd.host': ['http://127.0.0.1:2379'] }
const KEY = '/apisix/plugins'

async function storeWith(list?: unknown): Promise<MemoryStore> {
  const store = new MemoryStore({ logger: createLogger('silent') })
  if (list !== undefined) await store.put(KEY, JSON.stringify(list))
  return store
}

async function enabledAt(control: Control): Promise<string[]> {
  const { body } = await control.send('GET', '/v1/schema')
  return Object.keys((body as { plugins: object }).plugins).sort()
}

describe('the list of plugins of a node without admin API', () => {
  const settings = { ...SHARED, 'deployment.role': 'data_plane', plugins: ['proxy-rewrite'] }

  it('is that of the store, of HTTP plugins, also while it changes; without one that of the settings', async (t) => {
    const store = await storeWith([
      { name: 'request-id' },
      { name: 'mqtt-proxy', stream: true },
      { name: 'x' },
    ])
    const control = await startControl(t, {}, { store, settings })
    assert.deepEqual(await enabledAt(control), ['request-id'])
    await store.put(KEY, JSON.stringify([{ name: 'request-id' }, { name: 'key-auth' }]))
    await eventually('the new list', async () => (await enabledAt(control)).length === 2)
    assert.deepEqual(await enabledAt(control), ['key-auth', 'request-id'])
    await store.delete(KEY)
    await eventually('the list of the settings', async () => (await enabledAt(control)).length === 1)
    assert.deepEqual(await enabledAt(control), ['proxy-rewrite'])
  })

  for (const [what, list] of [
    ['is not there', undefined],
    ['is no list', { name: 'request-id' }],
    ['has an entry without a name', [{ stream: true }]],
  ] as const) {
    it(`is that of the settings when the one of the store ${what}`, async (t) => {
      const control = await startControl(t, {}, { store: await storeWith(list), settings })
      assert.deepEqual(await enabledAt(control), ['proxy-rewrite'])
    })
  }

  it('refuses to bring back what adds to the listeners when it was not enabled while they were built', async (t) => {
    const listener = marker('mark-listener', new Map(), { fastify: () => undefined })
    const store = await storeWith([])
    const control = await startControl(
      t,
      {},
      {
        store,
        plugins: { 'mark-listener': async () => ({ default: listener }) },
        settings: { ...settings, plugins: ['mark-listener'] },
      },
    )
    await store.put(KEY, JSON.stringify([{ name: 'mark-listener' }]))
    await eventually('the refusal in the log', () =>
      control.logs.some(({ err }) => String((err as Error | undefined)?.message).includes('mark-listener')),
    )
    assert.deepEqual(await enabledAt(control), [])
  })

  it('holds from the first request on: nothing is served without a plugin that only the store names', async (t) => {
    const store = await storeWith([{ name: 'request-id' }])
    const route = { uri: '/a', plugins: { 'request-id': {} }, upstream: { nodes: { '127.0.0.1:1': 1 } } }
    await store.put('/apisix/routes/1', JSON.stringify(route))
    const control = await startControl(t, {}, { store, settings })
    assert.deepEqual(((await control.send('GET', '/v1/sync')).body as { quarantined: [] }).quarantined, [])
    assert.equal((await control.send('GET', '/v1/route/1')).status, 200)
  })
})

describe('the list of plugins of a node with admin API', () => {
  const plugins = ['proxy-rewrite', 'of-another-version']
  const written = [
    { name: 'proxy-rewrite' },
    { name: 'of-another-version' },
    { name: 'mqtt-proxy', stream: true },
  ]
  const settings = { ...SHARED, plugins, stream_plugins: ['mqtt-proxy'] }

  it('is written into etcd at the start and at each reload, whole: another version may have more of them', async (t) => {
    const store = await storeWith([{ name: 'request-id' }])
    const control = await startControl(t, {}, { store, settings, readPluginList: () => ['key-auth'] })
    const stands = async () => JSON.parse((await store.get(KEY))!.value)
    await eventually('the list', async () => (await stands()).length === written.length)
    assert.deepEqual(await stands(), written)
    assert.deepEqual(await enabledAt(control), ['proxy-rewrite'])
    assert.equal((await control.send('PUT', '/v1/plugins/reload')).status, 200)
    assert.deepEqual((await stands())[0], { name: 'key-auth' })
  })

  it('is not written again when it stands there already', async (t) => {
    const store = await storeWith(written)
    const { modRevision } = (await store.get(KEY))!
    const control = await startControl(t, {}, { store, settings })
    assert.equal((await control.send('PUT', '/v1/plugins/reload')).text, 'done')
    assert.equal((await store.get(KEY))!.modRevision, modRevision)
  })

  it('is not written when it is all there is, and not into a store of its own', async (t) => {
    for (const own of [{ ...SHARED, plugins: 'all' }, { plugins }]) {
      const store = await storeWith()
      const control = await startControl(t, {}, { store, settings: own })
      assert.equal((await control.send('PUT', '/v1/plugins/reload')).text, 'done')
      assert.equal(await store.get(KEY), undefined)
    }
  })

  it('does not come from the store', async (t) => {
    const store = await storeWith([{ name: 'request-id' }])
    const control = await startControl(t, {}, { store, settings: { plugins } })
    assert.deepEqual(await enabledAt(control), ['proxy-rewrite'])
  })

  it('is no reason not to start when the store does not take it', async (t) => {
    const store = await storeWith()
    store.put = () => Promise.reject(new Error('the store is full'))
    const control = await startControl(t, {}, { store, settings })
    await eventually('the warning', () => control.logs.some(({ reason }) => reason === 'the store is full'))
    assert.deepEqual(await enabledAt(control), ['proxy-rewrite'])
  })
})
