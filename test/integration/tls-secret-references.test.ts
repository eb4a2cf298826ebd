import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls } from '../support/tls-client.ts'

const server = makeCertificate({ names: ['gateway'] })
const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
const alice = makeCertificate({ names: ['alice'], issuer: authority })

/** References to variables of the environment that are there until the test ends. */
function inEnvironment(t: TestContext, values: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(values)
  for (const name of names) process.env[`GW_TLS_${name}`] = values[name]
  t.after(() => {
    for (const name of names) delete process.env[`GW_TLS_${name}`]
  })
  return Object.fromEntries(names.map((name) => [name, `$env://GW_TLS_${name}`]))
}

async function routed(t: TestContext) {
  const node = await fakeUpstream(t)
  return { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } }
}

describe('an ssl whose texts are kept elsewhere', () => {
  it('is served with what they stand for, written by the admin API', async (t) => {
    const { CERT, KEY } = inEnvironment(t, { CERT: server.cert, KEY: server.key })
    const gateway = await startGateway(t, { routes: await routed(t) })
    await gateway.put('ssls', '1', { sni: 'a.test', cert: CERT!, key: KEY! })
    const { status, subject } = await askOverTls(gateway.tlsPort, { servername: 'a.test' })
    assert.deepEqual([status, subject], [200, 'gateway'])
  })

  it('may mix both, in further pairs too', async (t) => {
    const rsa = makeCertificate({ names: ['rsa'], isRsa: true })
    const { KEY, RSA } = inEnvironment(t, { KEY: server.key, RSA: rsa.key })
    const ssl = { sni: 'a.test', cert: server.cert, key: KEY!, certs: [rsa.cert], keys: [RSA!] }
    const gateway = await startGateway(t, { routes: await routed(t), ssls: { 1: ssl } })
    const asked = {
      servername: 'a.test',
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
    } as const
    assert.equal((await askOverTls(gateway.tlsPort, asked)).subject, 'rsa')
  })

  it('asks clients for certificates of the authority that client.ca refers to', async (t) => {
    const { CA } = inEnvironment(t, { CA: authority.cert })
    const ssl = { sni: 'a.test', ...server, client: { ca: CA! } }
    const gateway = await startGateway(t, { routes: await routed(t), ssls: { 1: ssl } })
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'a.test', ...alice })).status, 200)
    await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'a.test' }))
  })

  it('refuses its names when client.ca has no value, and no wildcard steps in', async (t) => {
    const ssls = {
      any: { sni: '*', ...server },
      1: { sni: 'a.test', ...server, client: { ca: '$env://GW_TLS_NOT_SET' } },
    }
    const gateway = await startGateway(t, { routes: await routed(t), ssls })
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'b.test' })).status, 200)
    for (const shown of [{}, alice]) {
      await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'a.test', ...shown }))
    }
  })

  it('is not served when what they stand for does not belong together', async (t) => {
    const { KEY } = inEnvironment(t, { KEY: makeCertificate({ names: ['other'] }).key })
    const gateway = await startGateway(t, { routes: await routed(t) })
    const { status } = await gateway.admin('PUT', 'ssls/1', { sni: 'a.test', cert: server.cert, key: KEY })
    assert.equal(status, 201)
    await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'a.test' }), /unrecognized name/)
    assert.ok(!JSON.stringify(gateway.logs).includes('PRIVATE KEY'))
  })

  it('is found in a stored text whose references are escaped', async (t) => {
    inEnvironment(t, { CERT: server.cert, KEY: server.key })
    const store = new MemoryStore({ logger: createLogger('silent') })
    await store.put(
      '/apisix/ssls/1',
      '{"sni":"a.test","cert":"\\u0024env://GW_TLS_CERT","key":"$\\u0065nv:\\u002f/GW_TLS_KEY"}',
    )
    const gateway = await startGateway(t, { routes: await routed(t) }, { store })
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'a.test' })).subject, 'gateway')
  })
})
