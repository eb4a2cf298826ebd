import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { streamSink } from '../support/log-sinks.ts'
import { startRedis } from '../support/redis.ts'
import { eventually } from '../support/watch-recording.ts'

const authority = makeCertificate({ names: ['authority'] })
const service = makeCertificate({ names: ['127.0.0.1'], issuer: { ...authority, name: 'authority' } })

/** A service that says yes. */
async function authService(t: TestContext): Promise<string> {
  const server = createServer(service, (_request, response) => response.end()).listen(0, '127.0.0.1')
  t.after(() => new Promise((done) => server.close(done)))
  t.after(() => server.closeAllConnections())
  await once(server, 'listening')
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function trustedFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-authority-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'authority.pem')
  writeFileSync(path, authority.cert)
  return path
}

/** Services whose certificates a private authority has signed, and the status of a request that a plugin asks each of them about. */
async function stage(t: TestContext, settings: Record<string, unknown>) {
  const redis = await startRedis(t, { tls: { ...service, ca: authority.cert } })
  const sink = await streamSink(t, { tls: service })
  const upstream = await fakeUpstream(t)
  const gateway = await startGateway(t, {}, { settings })
  const route = (id: string, plugins: Record<string, Record<string, unknown>>) =>
    gateway.put('routes', id, {
      uri: `/${id}`,
      plugins,
      upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
    })
  const { host: redis_host, port: redis_port } = redis
  const limit = { count: 9, time_window: 60, policy: 'redis', redis_host, redis_port }
  await route('redis', { 'limit-count': { ...limit, redis_ssl: true, redis_ssl_verify: true } })
  await route('http', { 'forward-auth': { uri: await authService(t), timeout: 10_000 } })
  await route('tcp', { 'tcp-logger': { host: '127.0.0.1', port: sink.port, tls: true, batch_max_size: 1 } })
  const ask = async (id: string) => (await fetch(`${gateway.proxyUrl}/${id}`)).status
  return { ask, sink }
}

describe('authorities in apisix.ssl.ssl_trusted_certificate', () => {
  it('vouch for the services that plugins use, redis among them', async (t) => {
    const { ask, sink } = await stage(t, { 'apisix.ssl.ssl_trusted_certificate': trustedFile(t) })
    await eventually('redis is asked', async () => (await ask('redis')) === 200, 30_000)
    assert.deepEqual([await ask('http'), await ask('tcp')], [200, 200])
    await eventually('an entry', () => sink.texts.length === 1, 30_000)
  })

  it('are needed: without them such services are not spoken to', async (t) => {
    const { ask, sink } = await stage(t, {})
    assert.deepEqual([await ask('redis'), await ask('http'), await ask('tcp')], [500, 403, 200])
    assert.deepEqual(sink.texts, [])
  })
})
