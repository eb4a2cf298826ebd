import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import type { Ssl } from '../../src/model/types.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls, handshake } from '../support/tls-client.ts'

const server = makeCertificate({ names: ['gateway'] })
const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
const otherAuthority = { ...makeCertificate({ names: ['other authority'] }), name: 'other authority' }
const alice = makeCertificate({ names: ['alice'], issuer: authority })
const stranger = makeCertificate({ names: ['stranger'], issuer: otherAuthority })
const guarded = { sni: 'guarded.test', ...server, client: { ca: authority.cert } } as const

async function withSsls(
  t: TestContext,
  ssls: Readonly<Record<string, Partial<Ssl>>>,
  options: StartOptions = {},
): Promise<TestGateway & { readonly reached: () => number }> {
  const upstream = await fakeUpstream(t, (request, response) => response.end(request.headers['x-tls']))
  const nodes = { [upstream.address]: 1 }
  const plugins = { 'proxy-rewrite': { headers: { 'x-tls': '$ssl_client_verify $ssl_client_s_dn' } } }
  const routes = { all: { uri: '/*', plugins, upstream: { nodes } } }
  const gateway = await startGateway(t, { ssls, routes }, options)
  return { ...gateway, reached: () => upstream.requests.length }
}

/** The answer to a GET on a connection that is open already. */
function askAgain(socket: TLSSocket, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(String(data).split('\r\n')[0] ?? ''))
    socket.once('error', reject)
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  })
}

/** The releases of nodejs/node#65579. */
const HIDES_CHAINS = /^v(24\.(2[1-9])|26\.[89])\./.test(process.version)

describe('an ssl with client.ca', () => {
  it('lets in who shows a certificate of that authority, and says who it is', async (t) => {
    const gateway = await withSsls(t, { 1: guarded })
    const { status, body } = await askOverTls(gateway.tlsPort, { servername: 'guarded.test', ...alice })
    assert.deepEqual([status, body], [200, 'SUCCESS CN=alice'])
  })

  it('refuses in the handshake who shows none or one of another authority', async (t) => {
    const gateway = await withSsls(t, { 1: guarded })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const shown of [{}, stranger]) {
        await assert.rejects(
          askOverTls(gateway.tlsPort, { servername: 'guarded.test', maxVersion, ...shown }),
          /certificate required|handshake failure|socket hang up|ECONNRESET|EPIPE|disconnected/,
        )
      }
    }
    assert.equal(gateway.reached(), 0)
  })

  it('asks nobody else for a certificate', async (t) => {
    const gateway = await withSsls(t, { 1: guarded, 2: { sni: 'open.test', ...server } })
    const { body } = await askOverTls(gateway.tlsPort, { servername: 'open.test', ...alice })
    assert.equal(body.trim(), 'NONE')
  })

  it('counts the certificates between the client and its authority', async (t) => {
    const middle = { ...makeCertificate({ names: ['middle'], issuer: authority }), name: 'middle' }
    const bob = makeCertificate({ names: ['bob'], issuer: middle })
    const chain = { cert: bob.cert + middle.cert, key: bob.key }
    const client = { ca: authority.cert }
    const gateway = await withSsls(t, {
      none: { sni: 'none.test', ...server, client: { ...client, depth: 0 } },
      one: { sni: 'one.test', ...server, client },
    })
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'none.test', ...alice })).status, 200)
    const viaMiddle = askOverTls(gateway.tlsPort, { servername: 'one.test', ...chain })
    // Some versions of Node hide the chain from a server (nodejs/node#65579): then nothing but a direct certificate is let in.
    if (HIDES_CHAINS) await assert.rejects(viaMiddle)
    else assert.equal((await viaMiddle).status, 200)
    await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'none.test', ...chain }))
  })

  it('whose authority cannot be read refuses everybody, also in place of a version or a wildcard without one', async (t) => {
    const store = new MemoryStore({ logger: createLogger('silent') })
    const gateway = await withSsls(
      t,
      { 1: { sni: 'guarded.test', ...server }, any: { sni: '*', ...server } },
      { store },
    )
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'guarded.test' })).status, 200)
    const unreadable = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(128)}\n-----END CERTIFICATE-----`
    await store.put('/apisix/ssls/1', JSON.stringify({ ...guarded, client: { ca: unreadable } }))
    await gateway.gateway.settled()
    for (const shown of [{}, alice]) {
      await assert.rejects(
        handshake(gateway.tlsPort, { servername: 'guarded.test', ...shown }),
        /handshake failure/,
      )
    }
  })
})

describe('paths that need no client certificate', () => {
  const ssl = { ...guarded, client: { ca: authority.cert, skip_mtls_uri_regex: ['^/public/'] } }

  it('are served without one; all others are answered 400', async (t) => {
    const gateway = await withSsls(t, { 1: ssl })
    const rows = [
      ['/public/a', {}, 200],
      ['/private', {}, 400],
      ['/public/../private', {}, 400],
      ['/public/%2e%2e/private', {}, 400],
      ['/private', stranger, 400],
      ['/private', alice, 200],
    ] as const
    for (const [path, shown, status] of rows) {
      const options = { servername: 'guarded.test', path, ...shown }
      assert.equal((await askOverTls(gateway.tlsPort, options)).status, status, path)
    }
    assert.equal(gateway.reached(), 2)
  })
})

describe('a Host other than the name in the handshake', () => {
  it('is answered 400 when its ssl asks for a client certificate', async (t) => {
    const gateway = await withSsls(t, {
      1: { ...guarded, sni: '*.guarded.test' },
      2: { snis: ['open.test', 'open2.test'], ...server },
    })
    const rows = [
      ['open.test', 'a.guarded.test', {}, 400],
      ['open.test', 'A.Guarded.Test.:443', {}, 400],
      ['a.guarded.test', 'b.guarded.test', alice, 400],
      ['a.guarded.test', 'a.guarded.test', alice, 200],
      ['a.guarded.test', 'open.test', alice, 200],
      ['open.test', 'open2.test', {}, 200],
      ['open.test', 'unknown.test', {}, 200],
    ] as const
    for (const [servername, hostHeader, shown, status] of rows) {
      const answer = await askOverTls(gateway.tlsPort, { servername, hostHeader, ...shown })
      assert.equal(answer.status, status, `${servername} → ${hostHeader}`)
    }
  })
})

describe('a connection from before its ssl asked for certificates', () => {
  it('is not broken, but must be made anew for another request', async (t) => {
    const gateway = await withSsls(t, { 1: { sni: 'guarded.test', ...server } })
    const socket = await handshake(gateway.tlsPort, { servername: 'guarded.test' })
    t.after(() => socket.destroy())
    assert.equal(await askAgain(socket, 'guarded.test'), 'HTTP/1.1 200 OK')
    await gateway.put('ssls', '1', guarded)
    assert.equal(await askAgain(socket, 'guarded.test'), 'HTTP/1.1 400 Bad Request')
  })

  it('goes on when only the certificate of the gateway changes', async (t) => {
    const gateway = await withSsls(t, { 1: guarded })
    const socket = await handshake(gateway.tlsPort, { servername: 'guarded.test', ...alice })
    t.after(() => socket.destroy())
    assert.equal(await askAgain(socket, 'guarded.test'), 'HTTP/1.1 200 OK')
    await gateway.put('ssls', '1', { ...guarded, ...makeCertificate({ names: ['renewed'] }) })
    assert.equal(await askAgain(socket, 'guarded.test'), 'HTTP/1.1 200 OK')
  })
})

describe('a session of one name', () => {
  it('is never resumed for a name that asks for a client certificate', async (t) => {
    const settings = { 'apisix.ssl.ssl_session_tickets': true }
    const ssls = {
      1: guarded,
      2: { sni: 'open.test', ...server },
      3: { ...guarded, sni: 'other.test', client: { ca: otherAuthority.cert } },
    }
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const gateway = await withSsls(t, ssls, { settings })
      const open = await sessionOf(gateway.tlsPort, { servername: 'open.test', maxVersion })
      assert.ok(open, 'open.test gives a session')
      const again = await handshake(gateway.tlsPort, { servername: 'open.test', maxVersion, session: open })
      assert.equal(again.isSessionReused(), true)
      again.destroy()
      await assert.rejects(
        askOverTls(gateway.tlsPort, { servername: 'guarded.test', maxVersion, session: open }),
      )
      const proven = await sessionOf(gateway.tlsPort, { servername: 'guarded.test', maxVersion, ...alice })
      const session: Buffer = proven ?? open
      await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'other.test', maxVersion, session }))
      await assert.rejects(askOverTls(gateway.tlsPort, { servername: 'guarded.test', maxVersion, session }))
      assert.equal(gateway.reached(), 2)
    }
  })
})

/** The session that a connection gives after one request, if it gives one; tickets of TLS 1.3 come after the handshake. */
async function sessionOf(
  port: number,
  options: Parameters<typeof handshake>[1],
): Promise<Buffer | undefined> {
  const socket = await handshake(port, options)
  let session: Buffer | undefined = options.maxVersion === 'TLSv1.2' ? socket.getSession() : undefined
  socket.on('session', (ticket: Buffer) => {
    session = ticket
  })
  await askAgain(socket, options.servername ?? '')
  socket.destroy()
  return session
}
