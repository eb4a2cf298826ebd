import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { eventually } from '../support/watch-recording.ts'

const UPSTREAM = { service_name: 'chat', discovery_type: 'registry' }

/** A gateway that may use sockets in a directory of its own; its only route goes to agents of the type `chat`. */
async function start(t: TestContext, upstream: object = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-sockets-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const gateway = await startRegistryGateway(
    t,
    { settings: { 'gatewright.registry.unix_sockets': [directory] } },
    { routes: { 1: { uri: '/*', upstream: { ...UPSTREAM, ...upstream } } } },
  )
  return { gateway, path: join(directory, 'agent.sock') }
}

async function listen(t: TestContext, server: Server, path: string): Promise<void> {
  server.listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
}

async function register(gateway: RegistryGateway, endpoint: string) {
  const node = await gateway.registry('PUT', 'nodes/n1', { endpoint, status: 'running', ttl_s: 300 })
  if (node.status === 201) await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
  return node
}

async function ask(gateway: RegistryGateway, headers = {}) {
  const response = await fetch(gateway.proxyUrl, { headers })
  return { status: response.status, text: await response.text() }
}

describe('an agent behind a Unix socket of this machine', { concurrency: 2 }, () => {
  it('is asked there, by name, too, and probed there', async (t) => {
    const seen: [url: string | undefined, host: string | undefined][] = []
    const { gateway, path } = await start(t, {
      pass_host: 'node',
      checks: { active: { http_path: '/health' } },
    })
    const server = http.createServer((request, response) => {
      seen.push([request.url, request.headers.host])
      response.end('from the socket')
    })
    await listen(t, server, path)
    assert.equal((await register(gateway, `unix:${path}`)).status, 201)
    await eventually('an answer', async () => (await ask(gateway)).text === 'from the socket', 20_000)
    assert.equal((await ask(gateway, { 'x-agent-id': 'chat/a' })).status, 200)
    await eventually('a probe', () => seen.some(([url]) => url === '/health'), 20_000)
    assert.deepEqual(new Set(seen.map(([, host]) => host)), new Set(['localhost']))
  })

  it('is asked over HTTP/2 for gRPC', async (t) => {
    const { gateway, path } = await start(t, { scheme: 'grpc' })
    const server = http2.createServer()
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 })
      stream.end('from the socket')
    })
    await listen(t, server, path)
    await register(gateway, `unix:${path}`)
    await eventually('an answer', async () => (await ask(gateway)).text === 'from the socket', 20_000)
  })

  it('is shown in variables as nginx does', async (t) => {
    const { gateway, path } = await start(t)
    const server = http.createServer((_request, response) => response.end('ok'))
    await listen(t, server, path)
    await register(gateway, `unix:${path}`)
    await eventually('an answer', async () => (await ask(gateway)).text === 'ok', 20_000)
    await gateway.put('routes', '1', {
      uri: '/*',
      upstream: UPSTREAM,
      plugins: {
        'response-rewrite': { headers: { set: { 'x-where': '$upstream_addr' } } },
      },
    })
    const where = async () => (await fetch(gateway.proxyUrl)).headers.get('x-where')
    await eventually('its address', async () => (await where()) === `unix:${path}`, 20_000)
  })

  it('is WORKER_NODE_UNAVAILABLE when nobody listens there', async (t) => {
    const { gateway, path } = await start(t)
    writeFileSync(path, '')
    await register(gateway, `unix:${path}`)
    await eventually('a 502', async () => (await ask(gateway)).status === 502, 20_000)
    assert.equal(JSON.parse((await ask(gateway)).text).error_code, 'WORKER_NODE_UNAVAILABLE')
  })

  it('is not used where there is no such socket: it may be on another machine', async (t) => {
    const { gateway, path } = await start(t)
    await register(gateway, `unix:${path}`)
    assert.equal((await gateway.registry('GET', 'agents/chat/a')).body.status, 'online')
    assert.equal(JSON.parse((await ask(gateway)).text).error_code, 'NO_HEALTHY_NODE')
  })

  it('is refused outside of the directories of the settings, of which there are none by default', async (t) => {
    const { gateway, path } = await start(t)
    const plain = await startRegistryGateway(t)
    for (const [where, endpoint] of [
      [gateway, 'unix:/var/run/docker.sock'],
      [gateway, `unix:${path}/../../docker.sock`],
      [plain, `unix:${path}`],
    ] as const) {
      const { status, body } = await register(where, endpoint)
      assert.deepEqual([endpoint, status, body.error_code], [endpoint, 400, 'VALIDATION_FAILED'])
    }
    await gateway.registry('PUT', 'nodes/n2', { endpoint: 'http://127.0.0.1:1', status: 'running' })
    const agent = { node_id: 'n2', endpoint: 'unix:/var/run/docker.sock' }
    assert.equal((await gateway.registry('PUT', 'agents/chat/b', agent)).status, 400)
  })
})
