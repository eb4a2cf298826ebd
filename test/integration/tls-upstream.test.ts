import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Upstream } from '../../src/model/types.ts'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls } from '../support/tls-client.ts'

const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
const node = makeCertificate({ names: ['node.test'], issuer: authority })

interface TlsNode {
  readonly address: string
  /** Per request: server name of the connection, Host, client's common name. */
  readonly seen: readonly (readonly [name: string, host: string, client: string])[]
  readonly connections: number
}

async function tlsNode(t: TestContext, options: TlsOptions = {}): Promise<TlsNode> {
  const seen: [string, string, string][] = []
  let connections = 0
  const server = createServer({ ...node, rejectUnauthorized: false, ...options }, (request, response) => {
    const socket = request.socket as TLSSocket
    const { subject } = socket.getPeerCertificate()
    seen.push([String(socket.servername), request.headers.host ?? '', String(subject?.CN ?? '')])
    response.end('ok')
  })
  server.on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    address,
    seen,
    get connections() {
      return connections
    },
  }
}

function toward(address: string, change: Partial<Upstream> = {}): Partial<Upstream> {
  return { scheme: 'https', nodes: { [address]: 1 }, ...change }
}

async function withUpstream(
  t: TestContext,
  upstream: Partial<Upstream>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<TestGateway> {
  const pair = makeCertificate({ names: ['gateway'] })
  const ssls = { any: { sni: '*', ...pair } }
  const resources = { ssls, upstreams: { u: upstream }, routes: { all: { uri: '/*', upstream_id: 'u' } } }
  return startGateway(t, resources, { settings })
}

/** A file with the authority, as `ssl_trusted_certificate` names it. */
async function trusting(t: TestContext): Promise<Readonly<Record<string, unknown>>> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-trust-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'authorities.pem')
  writeFileSync(path, authority.cert)
  return { 'apisix.ssl.ssl_trusted_certificate': path }
}

async function ask(gateway: TestGateway, host: string): Promise<number> {
  return (await askOverTls(gateway.tlsPort, { servername: 'client.test', hostHeader: host })).status
}

describe('the name that a node is asked for', () => {
  it('is the Host that is sent, without its port, and none for an address', async (t) => {
    const rows = [
      [{}, 'A.test:1234', 'a.test'],
      [{}, '127.0.0.1:80', 'false'],
      [{ pass_host: 'rewrite', upstream_host: 'b.test:9' }, 'a.test', 'b.test'],
      [{ pass_host: 'node' }, 'a.test', 'false'],
    ] as const
    for (const [change, host, name] of rows) {
      const { address, seen } = await tlsNode(t)
      const gateway = await withUpstream(t, toward(address, change))
      assert.equal(await ask(gateway, host), 200)
      assert.equal(seen[0]![0], name)
    }
  })

  it('has connections of its own: none is used for another name, and they are kept', async (t) => {
    const backend = await tlsNode(t)
    const gateway = await withUpstream(t, toward(backend.address))
    for (const host of ['a.test', 'b.test', 'a.test', 'b.test', 'a.test']) await ask(gateway, host)
    assert.deepEqual(
      backend.seen.map(([name, host]) => name === host),
      [true, true, true, true, true],
    )
    assert.equal(backend.connections, 2)
  })
})

describe("a node's certificate", () => {
  it('is checked with tls.verify against ssl_trusted_certificate and the name, and not without', async (t) => {
    const { address, seen } = await tlsNode(t)
    const settings = await trusting(t)
    const rewrite = (upstream_host: string, verify: boolean) =>
      toward(address, { pass_host: 'rewrite', upstream_host, tls: { verify } })
    const gateway = await withUpstream(t, rewrite('node.test', true), settings)
    assert.equal(await ask(gateway, 'a.test'), 200)
    await gateway.put('upstreams', 'u', rewrite('other.test', true))
    assert.equal(await ask(gateway, 'a.test'), 502)
    assert.equal(seen.length, 1)
    await gateway.put('upstreams', 'u', rewrite('other.test', false))
    assert.equal(await ask(gateway, 'a.test'), 200)
    const warned = gateway.logs.filter(({ level, node }) => level === 40 && node === address)
    assert.equal(warned.length, 1)
  })

  it('of an unknown authority is refused with tls.verify', async (t) => {
    const { address, seen } = await tlsNode(t)
    const tls = { verify: true }
    const upstream = toward(address, { pass_host: 'rewrite', upstream_host: 'node.test', tls })
    const gateway = await withUpstream(t, upstream)
    assert.equal(await ask(gateway, 'a.test'), 502)
    assert.equal(seen.length, 0)
  })

  it('has to come before anything else: what is said in the clear ends in 502', async (t) => {
    const address = await rawUpstream(t, (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'))
    assert.equal(await ask(await withUpstream(t, toward(address)), 'a.test'), 502)
  })

  it('cannot be checked with a file that is not there: the gateway does not start', async (t) => {
    const settings = { 'apisix.ssl.ssl_trusted_certificate': '/nowhere/authorities.pem' }
    await assert.rejects(startGateway(t, {}, { settings }), /ssl_trusted_certificate: "\/nowhere/)
  })
})

describe('the certificate that the gateway shows to a node', () => {
  const first = makeCertificate({ names: ['first'], issuer: authority })
  const second = makeCertificate({ names: ['second'], issuer: authority })
  const asking = { requestCert: true, ca: authority.cert }

  it('stands in the upstream', async (t) => {
    const { address, seen } = await tlsNode(t, asking)
    const tls = { client_cert: first.cert, client_key: first.key }
    assert.equal(await ask(await withUpstream(t, toward(address, { tls })), 'a.test'), 200)
    assert.equal(seen[0]![2], 'first')
  })

  it('stands in the environment, and the upstream refers to it', async (t) => {
    process.env['GW_NODE_CERT'] = first.cert
    process.env['GW_NODE_KEY'] = first.key
    t.after(() => {
      delete process.env['GW_NODE_CERT']
      delete process.env['GW_NODE_KEY']
    })
    const { address, seen } = await tlsNode(t, asking)
    const gateway = await withUpstream(t, toward(address))
    const tls = { client_cert: '$env://GW_NODE_CERT', client_key: '$env://GW_NODE_KEY' }
    await gateway.put('upstreams', 'u', toward(address, { tls }))
    assert.equal(await ask(gateway, 'a.test'), 200)
    assert.equal(seen[0]![2], 'first')
  })

  it('or in an ssl of type client, whose edits new connections follow', async (t) => {
    const { address, seen } = await tlsNode(t, asking)
    const gateway = await withUpstream(t, toward(address, { keepalive_pool: { requests: 1 } }))
    await gateway.put('ssls', 'mine', { type: 'client', ...first })
    const tls = { client_cert_id: 'mine' }
    await gateway.put('upstreams', 'u', toward(address, { tls, keepalive_pool: { requests: 1 } }))
    assert.equal(await ask(gateway, 'a.test'), 200)
    await gateway.put('ssls', 'mine', { type: 'client', ...second })
    assert.equal(await ask(gateway, 'a.test'), 200)
    await gateway.admin('DELETE', 'ssls/mine')
    assert.equal(await ask(gateway, 'a.test'), 502)
    assert.deepEqual(
      seen.map(([, , client]) => client),
      ['first', 'second'],
    )
  })

  it('must be there, and be of type client', async (t) => {
    const gateway = await withUpstream(t, toward('127.0.0.1:1'))
    for (const [id, message] of [
      ['none', 'failed to fetch ssl info by ssl id [none], response code: 404'],
      ['any', 'failed to fetch ssl info by ssl id [any], wrong ssl type'],
    ]) {
      const upstream = toward('127.0.0.1:1', { tls: { client_cert_id: id! } })
      const { status, body } = await gateway.admin('PUT', 'upstreams/u', upstream)
      assert.deepEqual([status, body], [400, { error_msg: message }])
    }
  })
})
