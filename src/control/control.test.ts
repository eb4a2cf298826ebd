import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import type { FastifyPluginCallback } from 'fastify'
import { createLogger } from '../observe/logger.ts'
import { PluginReloadError } from '../plugin/reload-error.ts'
import { type ControlItem, type ControlSource, controlPlugin } from './control.ts'
import type { HealthReport } from './healthcheck.ts'
import { createControlListener } from './listener.ts'
import { metricsPlugin } from './metrics.ts'
import { statusPlugin } from './status.ts'

const logger = createLogger('silent')

async function serve(t: TestContext, plugin: FastifyPluginCallback): Promise<string> {
  const listener = createControlListener(plugin, logger)
  t.after(() => listener.close())
  const { ip, port } = await listener.listen({ ip: '127.0.0.1', port: 0 })
  assert.notEqual(port, 0)
  return `http://${ip}:${port}`
}

describe('the status listener', () => {
  it('is live whatever happens and ready only without reasons', async (t) => {
    const readiness = { isDraining: false, blocking: ['config', 'proxy'], reasons: () => readiness.blocking }
    const remarks: string[] = []
    const url = await serve(t, statusPlugin(readiness, { remarks: () => remarks }))
    const ready = async () => {
      const response = await fetch(`${url}/status/ready`)
      return [response.status, await response.json()]
    }
    const live = await fetch(`${url}/status`)
    assert.equal(live.status, 200)
    assert.equal(live.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(await live.text(), '{"status":"ok"}')

    assert.deepEqual(await ready(), [
      503,
      { status: 'error', error: 'waiting for config, proxy', reasons: ['config', 'proxy'] },
    ])
    readiness.blocking = []
    assert.deepEqual(await ready(), [200, { status: 'ok' }])
    remarks.push('serves from disk')
    assert.deepEqual(await ready(), [200, { status: 'ok', remarks: ['serves from disk'] }])
    remarks.length = 0
    readiness.isDraining = true
    assert.deepEqual(await ready(), [
      503,
      { status: 'draining', error: 'the gateway is stopping', reasons: ['draining'] },
    ])
    assert.equal((await fetch(`${url}/status`)).status, 200)
  })
})

describe('the metrics listener', () => {
  it('serves what the registry says at the configured path and nothing elsewhere', async (t) => {
    const registry = {
      async *exposeInSlices() {
        yield 'a 1\n'
        yield 'b 2\n'
      },
    }
    const url = await serve(t, metricsPlugin(registry, '/apisix/prometheus/metrics'))
    const response = await fetch(`${url}/apisix/prometheus/metrics`)
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    assert.equal(await response.text(), 'a 1\nb 2\n')
    assert.equal((await fetch(`${url}/metrics`)).status, 404)
  })
})

describe('the control API', () => {
  const route: ControlItem = {
    key: '/apisix/routes/1',
    value: { id: '1', uri: '/a' },
    createdIndex: 3,
    modifiedIndex: 4,
    has_domain: false,
  }
  const counter = { success: 0, http_failure: 0, tcp_failure: 0, timeout_failure: 0 }
  const node = { ip: '10.0.0.1', port: 80, hostname: '10.0.0.1', status: 'healthy' as const, counter }
  const report: HealthReport = { name: '/apisix/upstreams/1', type: 'http', nodes: [node] }
  let isHeld = false
  const source: ControlSource = {
    sync: () => ({
      observed_revision: 9,
      published_revision: 8,
      pending_revision: 9,
      lag_ms: 12,
      quarantined: [
        {
          kind: 'routes',
          id: '7',
          reason: 'unknown plugin "x"',
          since: '2026-01-01T00:00:00.000Z',
          revision: 9,
          older_version_serves: true,
        },
      ],
    }),
    confirmStore: () => isHeld,
    debug: {
      settings: { timeline: 0, plugins_header: false, rejected_by_header: false },
      set: () => {},
      timeline: { capacity: () => 0, find: () => undefined, newest: () => [] },
    },
    lifecycle: () => ({ phase: 'running', notReady: [], components: [] }),
    listMetadata: () => [],
    getMetadata: () => undefined,
    serverInfo: () => ({ etcd_version: '3', hostname: 'h', id: 'i', version: '1', boot_time: 1 }),
    reloadPlugins: async () => undefined,
    list: (kind) => (kind === 'routes' ? [route] : []),
    get: (kind, id) => (kind === 'routes' && id === '1' ? route : undefined),
    health: {
      all: () => [report],
      find: (type, id) => {
        if (type !== 'upstreams' || id === '9') return 'not-found'
        return id === '1' ? report : 'no-checker'
      },
    },
    dumpDiscovery: (type) => (type === 'atlas' ? { services: {} } : undefined),
    schema: () => ({ main: {}, plugins: { 'key-auth': { priority: 2500 } }, stream_plugins: {} }),
  }
  const get = async (url: string): Promise<[number, unknown]> => {
    const response = await fetch(url)
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
    return [response.status, await response.json()]
  }

  it('shows items, one or all, and says which one is missing', async (t) => {
    const url = await serve(t, controlPlugin(source))
    assert.deepEqual(await get(`${url}/v1/routes`), [200, [route]])
    assert.deepEqual(await get(`${url}/v1/route/1`), [200, route])
    assert.deepEqual(await get(`${url}/v1/services`), [200, []])
    assert.deepEqual(await get(`${url}/v1/route/2`), [404, { error_msg: 'route[2] not found' }])
    assert.deepEqual(await get(`${url}/v1/upstream/1`), [404, { error_msg: 'upstream[1] not found' }])
  })

  it('confirms a store that was held back, and refuses to where none is', async (t) => {
    const url = await serve(t, controlPlugin(source))
    const confirm = () => fetch(`${url}/v1/sync/confirm`, { method: 'POST' })
    assert.equal((await confirm()).status, 409)
    isHeld = true
    const confirmed = await confirm()
    assert.deepEqual([confirmed.status, await confirmed.json()], [200, source.sync()])
  })

  it('shows the state of synchronisation, the schemas and what registries told, as lines', async (t) => {
    const url = await serve(t, controlPlugin(source))
    assert.deepEqual(await get(`${url}/v1/sync`), [200, source.sync()])
    assert.deepEqual(await get(`${url}/v1/schema`), [200, source.schema()])
    assert.deepEqual(await get(`${url}/v1/discovery/atlas/dump`), [200, { services: {} }])
    assert.ok((await (await fetch(`${url}/v1/schema`)).text()).endsWith('}\n'))
  })

  it('shows health checks, all or of one resource, and says what is wrong with a question', async (t) => {
    const url = await serve(t, controlPlugin(source))
    assert.deepEqual(await get(`${url}/v1/healthcheck`), [200, [report]])
    assert.deepEqual(await get(`${url}/v1/healthcheck/upstreams/1`), [200, report])
    for (const [path, status, message] of [
      ['upstreams/2', 404, 'no checker for upstreams[2]'],
      ['upstreams/9', 404, 'upstreams[9] not found'],
      ['stream_routes/1', 404, 'stream_routes[1] not found'],
      ['services', 404, 'missing src id for src type services'],
      ['plugins/1', 400, 'invalid src type plugins'],
    ] as const) {
      assert.deepEqual(await get(`${url}/v1/healthcheck/${path}`), [status, { error_msg: message }])
    }
  })

  it('writes a long list in pieces and whole', async (t) => {
    const many = Array.from({ length: 250 }, (_, id) => ({ ...route, key: `/apisix/routes/${id}` }))
    const url = await serve(t, controlPlugin({ ...source, list: () => many }))
    assert.deepEqual(await get(`${url}/v1/routes`), [200, many])
    assert.ok((await (await fetch(`${url}/v1/routes`)).text()).endsWith(']\n'))
  })

  it('shows what became of secrets where some are resolved, and knows nothing of them elsewhere', async (t) => {
    const status = { reference: '$secret://vault/1/a/b', manager: 'vault/1', state: 'failed', reason: 'r' }
    const url = await serve(t, controlPlugin({ ...source, secrets: () => [{ ...status, ageMs: 7 }] }))
    assert.deepEqual(await get(`${url}/v1/secrets`), [200, [{ ...status, age_ms: 7 }]])
    const other = await serve(t, controlPlugin(source))
    assert.equal((await get(`${other}/v1/secrets`))[0], 404)
  })

  it('says why plugins cannot be reloaded, and no more than that it failed when it is not for people', async (t) => {
    const failing = (error: Error) =>
      serve(t, controlPlugin({ ...source, reloadPlugins: () => Promise.reject(error) }))
    const reload = async (url: string) => {
      const response = await fetch(`${url}/v1/plugins/reload`, { method: 'PUT' })
      return [response.status, await response.json()]
    }
    assert.deepEqual(await reload(await failing(new PluginReloadError('restart it'))), [
      400,
      { error_msg: 'restart it' },
    ])
    assert.deepEqual(await reload(await failing(new Error('secret cause'))), [
      500,
      { error_msg: '500 Internal Server Error' },
    ])
  })

  it('answers an unknown path with 404 and a failure with a bland 500, both as JSON', async (t) => {
    const failing = {
      ...source,
      sync: () => {
        throw new Error('secret cause')
      },
    }
    const url = await serve(t, controlPlugin(failing))
    assert.deepEqual(await get(`${url}/v2`), [404, { error_msg: '404 Not Found' }])
    assert.deepEqual(await get(`${url}/v1/sync`), [500, { error_msg: '500 Internal Server Error' }])
  })

  it('logs the cause of a failure', async (t) => {
    const lines: string[] = []
    const sink = new Writable({
      write: (chunk, _encoding, next) => {
        lines.push(String(chunk))
        next()
      },
    })
    const failing = {
      ...source,
      sync: () => {
        throw new Error('the cause')
      },
    }
    const listener = createControlListener(controlPlugin(failing), createLogger('error', sink))
    t.after(() => listener.close())
    const { ip, port } = await listener.listen({ ip: '127.0.0.1', port: 0 })
    await fetch(`http://${ip}:${port}/v1/sync`)
    assert.equal(JSON.parse(lines[0] ?? '{}').err.message, 'the cause')
  })
})

describe('a control listener', () => {
  it('rejects when its port is taken and closes although a client keeps its connection', async () => {
    const make = () => createControlListener(statusPlugin({ isDraining: false, reasons: () => [] }), logger)
    const first = make()
    const address = await first.listen({ ip: '127.0.0.1', port: 0 })
    await fetch(`http://127.0.0.1:${address.port}/status`)
    const second = make()
    await assert.rejects(second.listen(address), /EADDRINUSE/)
    await second.close()
    await first.close()
    await first.close()
    await assert.rejects(fetch(`http://127.0.0.1:${address.port}/status`))
  })
})
