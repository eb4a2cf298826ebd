import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

/** A gateway whose configuration is handed over as a whole. */
async function start(t: TestContext, settings: Readonly<Record<string, unknown>> = {}) {
  const { port } = await fakeUpstream(t)
  const gateway = await startGateway(
    t,
    {},
    {
      settings: {
        'gatewright.store': 'auto',
        'deployment.role': 'traditional',
        'deployment.role_traditional.config_provider': 'yaml',
        ...settings,
      },
    },
  )
  const url = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin/configs`
  const request = (method: string, headers: Record<string, string> = {}, body?: string) =>
    fetch(url, {
      method,
      headers: { 'x-api-key': ADMIN_KEY, ...headers },
      ...(body !== undefined && { body }),
    })
  return {
    gateway,
    upstream: { nodes: { [`127.0.0.1:${port}`]: 1 } },
    request,
    /** As declarative clients do: the digest is that of the content. Resolves once it is served. */
    put: async (document: object) => {
      const body = JSON.stringify(document)
      const digest = createHash('sha1').update(body).digest('hex')
      const response = await request('PUT', { 'content-type': 'application/json', 'x-digest': digest }, body)
      await gateway.gateway.settled()
      return response.status
    },
    ask: async (path: string) => {
      const response = await fetch(gateway.proxyUrl + path)
      return [response.status, (await response.text()).trim()] as const
    },
  }
}

describe('a configuration handed over as a whole', () => {
  it('is served, replaced and emptied', async (t) => {
    const { put, ask, upstream } = await start(t)
    assert.equal((await ask('/a'))[0], 404)
    assert.equal(await put({ routes: [{ id: 'a', uri: '/a', upstream }] }), 202)
    assert.equal((await ask('/a'))[0], 200)
    assert.equal(await put({ routes: [{ id: 'b', uri: '/b', upstream }] }), 202)
    assert.deepEqual([(await ask('/a'))[0], (await ask('/b'))[0]], [404, 200])
    assert.equal(await put({}), 202)
    assert.equal((await ask('/b'))[0], 404)
  })

  it('lets counters live on in what the next configuration leaves as it is', async (t) => {
    const { gateway, put, upstream } = await start(t)
    const route = (id: string, count: number, modifiedIndex?: number) => ({
      ...{ id, uri: `/${id}`, upstream },
      plugins: { 'limit-count': { count, time_window: 600, key_type: 'constant', key: 'all' } },
      ...(modifiedIndex !== undefined && { modifiedIndex }),
    })
    const remaining = async (id: string) => {
      const response = await fetch(`${gateway.proxyUrl}/${id}`)
      await response.text()
      return Number(response.headers.get('x-ratelimit-remaining'))
    }
    const all = async () => [await remaining('same'), await remaining('indexed'), await remaining('changed')]
    await put({ routes: [route('same', 10), route('indexed', 10, 1), route('changed', 10)] })
    assert.deepEqual(await all(), [9, 9, 9])

    const services = [{ id: 'another', upstream }]
    await put({ services, routes: [route('same', 10), route('indexed', 99, 1), route('changed', 20)] })
    assert.deepEqual(await all(), [8, 8, 19])

    await put({ routes: [], routes_conf_version: 2 })
    assert.deepEqual(await all(), [7, 7, 18])
  })

  it('is never mixed with another in one request, however fast they follow each other', async (t) => {
    const { gateway, put } = await start(t)
    const configurations = await Promise.all(
      ['A', 'B'].map(async (name) => {
        const { port } = await fakeUpstream(t, (_request, response) => void response.end(name))
        return {
          routes: [
            {
              ...{ id: 'r', uri: '/', upstream_id: 'u' },
              plugins: { 'response-rewrite': { headers: { set: { 'x-route': name } } } },
            },
          ],
          upstreams: [{ id: 'u', nodes: { [`127.0.0.1:${port}`]: 1 } }],
        }
      }),
    )
    await put(configurations[0]!)
    let isDone = false
    const seen = new Map<string, number>()
    const askUntilDone = async () => {
      while (!isDone) {
        const response = await fetch(gateway.proxyUrl)
        const pair = `${response.headers.get('x-route')}${await response.text()}`
        seen.set(pair, (seen.get(pair) ?? 0) + 1)
      }
    }
    const clients = [askUntilDone(), askUntilDone(), askUntilDone()]
    for (let i = 1; i <= 60; i++) await put(configurations[i % 2]!)
    isDone = true
    await Promise.all(clients)
    assert.deepEqual([...seen.keys()].sort(), ['AA', 'BB'])
  })

  it('serves again after a restart, with its digest and versions, and can be replaced as if nothing had been', async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'gatewright-configs-'))
    t.after(() => rm(dataDir, { recursive: true, force: true }))
    const settings = { 'gatewright.data_dir': dataDir }
    const first = await start(t, settings)
    const { upstream } = first
    const document = { routes: [{ id: 'a', uri: '/a', upstream }], routes_conf_version: 7 }
    assert.equal(await first.put(document), 202)
    const before = await (await first.request('GET')).text()
    await first.gateway.stop()

    const second = await start(t, settings)
    assert.equal((await second.ask('/a'))[0], 200)
    assert.equal(await (await second.request('GET')).text(), before)
    assert.equal(await second.put(document), 204)
    assert.equal(await second.put({ routes: [], routes_conf_version: 6 }), 400)
    assert.equal(
      await second.put({ routes: [{ id: 'b', uri: '/b', upstream }], routes_conf_version: 8 }),
      202,
    )
    assert.deepEqual([(await second.ask('/a'))[0], (await second.ask('/b'))[0]], [404, 200])
    // It saves what serves in that folder.
    await second.gateway.stop()
  })

  it('may carry the list of enabled plugins', async (t) => {
    const { put, ask, upstream } = await start(t)
    const routes = [
      { id: '1', uri: '/enabled', upstream, plugins: { 'response-rewrite': { status_code: 202 } } },
      { id: '2', uri: '/disabled', upstream, plugins: { 'request-id': {} } },
    ]
    assert.equal(await put({ routes, plugins: [{ name: 'response-rewrite' }] }), 202)
    await eventually('the list', async () => (await ask('/disabled'))[0] === 404)
    assert.equal((await ask('/enabled'))[0], 202)
    assert.equal(await put({ routes: [], routes_conf_version: 1 }), 202)
    await eventually('the list of the settings', async () => (await ask('/disabled'))[0] === 200)
  })

  it('is what a declarative client gets back: HEAD for the marks, GET for the content, PUT only when it differs', async (t) => {
    const { request, upstream } = await start(t)
    const body = JSON.stringify({
      routes: [{ id: 'a', uri: '/a', upstream, modifiedIndex: 1 }],
      routes_conf_version: 1,
    })
    const digest = createHash('sha1').update(body).digest('hex')
    assert.equal((await request('HEAD')).headers.get('x-digest'), null)
    assert.equal((await request('PUT', { 'x-digest': digest }, body)).status, 202)
    const head = await request('HEAD')
    assert.equal(head.headers.get('x-digest'), digest)
    assert.ok(Math.abs(Number(head.headers.get('x-last-modified')) - Date.now() / 1000) < 60)
    assert.equal((await request('PUT', { 'x-digest': digest }, body)).status, 204)
    const shown = (await (await request('GET')).json()) as Record<string, unknown>
    assert.deepEqual(shown['routes'], JSON.parse(body).routes)
    assert.equal(shown['X-Digest'], digest)
  })
})
