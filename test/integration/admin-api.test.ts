import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import fastify from 'fastify'
import { type AdminDeps, createAdminApi } from '../../admin/api/index.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { PluginRegistry } from '../../src/plugin/registry.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'

const KEY = 'the-key'

async function start(t: TestContext, overrides: Partial<AdminDeps> = {}) {
  const logger = createLogger('silent')
  const store = new MemoryStore({ logger })
  const deps: AdminDeps = {
    store,
    prefix: '/apisix',
    plugins: new PluginRegistry(),
    graph: { dependents: () => [] },
    keys: [{ key: KEY, role: 'admin', name: 'admin' }],
    keyRequired: true,
    allowAdmin: ['127.0.0.1'],
    enableCors: true,
    version: '0.1.0',
    clock: { now: () => Date.now() },
    logger,
    bodyLimit: 1000,
    ...overrides,
  }
  const app = fastify()
  await app.register(createAdminApi(deps))
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(async () => {
    await app.close()
    await store.close()
  })
  return { store, port: (app.server.address() as AddressInfo).port }
}

/** Sends bytes as they are and returns what comes back until the server closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  socket.write(text)
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  await once(socket, 'close')
  return received
}

const head = (line: string, ...headers: string[]) =>
  `${[line, 'Host: a', `X-API-KEY: ${KEY}`, 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`

describe('the admin API on a socket', () => {
  it('takes a route from its creation to its end', async (t) => {
    const { port } = await start(t)
    const send = async (method: string, path: string, body?: object) => {
      const response = await fetch(`http://127.0.0.1:${port}/apisix/admin${path}`, {
        method,
        headers: { 'X-API-KEY': KEY },
        ...(body && { body: JSON.stringify(body) }),
      })
      return [response.status, await response.json()] as [number, { value: { desc?: string }; total: number }]
    }
    const route = { uri: '/a', upstream: { nodes: { '127.0.0.1:1980': 1 } } }
    assert.equal((await send('PUT', '/routes/1', route))[0], 201)
    assert.equal((await send('PATCH', '/routes/1', { desc: 'first' }))[0], 200)
    assert.equal((await send('GET', '/routes/1'))[1].value.desc, 'first')
    assert.equal((await send('GET', '/routes'))[1].total, 1)
    assert.equal((await send('DELETE', '/routes/1'))[0], 200)
    assert.equal((await send('GET', '/routes/1'))[0], 404)
  })

  it('refuses a chunked body above the limit', async (t) => {
    const { port, store } = await start(t)
    const chunk = `3e9\r\n${' '.repeat(1001)}\r\n0\r\n\r\n`
    const line = 'PUT /apisix/admin/routes/1 HTTP/1.1'
    const received = await exchange(port, head(line, 'Transfer-Encoding: chunked') + chunk)
    assert.match(received, /^HTTP\/1\.1 400 /)
    assert.match(
      received,
      /invalid request body: request size over 1000 is greater than the maximum size 1000 allowed/,
    )
    assert.deepEqual((await store.list('/')).items, [])
  })

  it('reads no body of who has no key', async (t) => {
    const { port } = await start(t)
    const line =
      'PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 900\r\n\r\n'
    assert.match(await exchange(port, line), /^HTTP\/1\.1 401 [\s\S]*missing apikey/)
  })

  for (const path of ['/apisix/admin/routes/%zz', '/%', '/apisix/admin/routes/%ff']) {
    it(`answers ${path} with 400`, async (t) => {
      const { port } = await start(t)
      assert.match(await exchange(port, head(`GET ${path} HTTP/1.1`)), /^HTTP\/1\.1 400 /)
    })
  }

  it('keeps out an address that allow_admin does not name', async (t) => {
    const { port } = await start(t, { allowAdmin: ['10.0.0.0/8'] })
    const received = await exchange(port, head('GET /apisix/admin/routes HTTP/1.1', 'X-Real-IP: 10.0.0.1'))
    assert.match(received, /^HTTP\/1\.1 403 /)
  })

  it('does not start with an allow_admin that is no address', async (t) => {
    await assert.rejects(start(t, { allowAdmin: ['everyone'] }), /invalid ip address: everyone/)
  })
})
