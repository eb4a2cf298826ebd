import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { Ssl } from '../../src/model/types.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls, handshake } from '../support/tls-client.ts'

/** A gateway that forwards everything to a node, with these ssls. */
async function withSsls(
  t: TestContext,
  ssls: Readonly<Record<string, Partial<Ssl>>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<TestGateway> {
  const upstream = await fakeUpstream(t, (request, response) => {
    response.end(`${request.headers['x-forwarded-proto']} ${request.headers['x-tls']}`)
  })
  const nodes = { [upstream.address]: 1 }
  const plugins = { 'proxy-rewrite': { headers: { 'x-tls': '$ssl_server_name $ssl_client_verify $https' } } }
  return startGateway(t, { ssls, routes: { all: { uri: '/*', plugins, upstream: { nodes } } } }, { settings })
}

async function subjectFor(gateway: TestGateway, servername: string): Promise<string> {
  return (await askOverTls(gateway.tlsPort, { servername })).subject
}

describe('the name that a client asks for', () => {
  it('chooses the certificate: its own, one label below a wildcard, or that of *', async (t) => {
    const gateway = await withSsls(t, {
      own: { sni: 'API.example.com', ...makeCertificate({ names: ['own'] }) },
      wild: { snis: ['*.example.com', 'other.test'], ...makeCertificate({ names: ['wild'] }) },
      any: { sni: '*', ...makeCertificate({ names: ['any'] }) },
    })
    const rows = [
      ['api.example.com', 'own'],
      ['API.EXAMPLE.COM', 'own'],
      ['www.example.com', 'wild'],
      ['other.test', 'wild'],
      ['a.b.example.com', 'any'],
      ['example.com', 'any'],
    ] as const
    for (const [name, subject] of rows) assert.equal(await subjectFor(gateway, name), subject, name)
  })

  it('is told to the node with the scheme, and to plugins', async (t) => {
    const gateway = await withSsls(t, { 1: { sni: 'a.test', ...makeCertificate({ names: ['a.test'] }) } })
    const { status, body } = await askOverTls(gateway.tlsPort, { servername: 'a.test' })
    assert.deepEqual([status, body], [200, 'https a.test NONE on'])
  })

  it('ends the handshake when no enabled ssl of type server has it, or when there is none', async (t) => {
    const pair = makeCertificate({ names: ['a.test'] })
    const gateway = await withSsls(t, {
      off: { sni: 'off.test', status: 0, ...pair },
      client: { type: 'client', snis: ['client.test'], ...pair },
    })
    for (const servername of ['off.test', 'client.test', 'unknown.test']) {
      await assert.rejects(handshake(gateway.tlsPort, { servername }), /unrecognized name/, servername)
    }
    await gateway.put('ssls', 'any', { sni: '*', ...pair })
    await assert.rejects(handshake(gateway.tlsPort, {}), /unrecognized name/)
  })

  it('is fallback_sni when the client asks for none', async (t) => {
    const ssls = { 1: { sni: 'fallback.test', ...makeCertificate({ names: ['fallback'] }) } }
    const gateway = await withSsls(t, ssls, { 'apisix.ssl.fallback_sni': 'Fallback.test' })
    const { subject, body } = await askOverTls(gateway.tlsPort, {})
    assert.deepEqual([subject, body], ['fallback', 'https fallback.test NONE on'])
  })
})

describe('an ssl', () => {
  it('offers each client the certificate of several that it can use', async (t) => {
    const ecdsa = makeCertificate({ names: ['ecdsa'] })
    const rsa = makeCertificate({ names: ['rsa'], isRsa: true })
    const ssl = { sni: 'a.test', ...ecdsa, certs: [rsa.cert], keys: [rsa.key] }
    const gateway = await withSsls(t, { 1: ssl })
    const maxVersion = 'TLSv1.2'
    for (const [kind, ciphers] of [
      ['rsa', 'ECDHE-RSA-AES128-GCM-SHA256'],
      ['ecdsa', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    ] as const) {
      const options = { servername: 'a.test', ciphers, maxVersion } as const
      assert.equal((await askOverTls(gateway.tlsPort, options)).subject, kind)
    }
  })

  it('has TLS versions of its own, which are negotiated and not only refused', async (t) => {
    const pair = makeCertificate({ names: ['a.test'] })
    const gateway = await withSsls(t, {
      old: { sni: 'old.test', ...pair, ssl_protocols: ['TLSv1.2'] },
      new: { sni: 'new.test', ...pair, ssl_protocols: ['TLSv1.3'] },
      default: { sni: 'default.test', ...pair },
    })
    const protocolOf = async (servername: string) =>
      (await askOverTls(gateway.tlsPort, { servername })).protocol
    assert.equal(await protocolOf('old.test'), 'TLSv1.2')
    assert.equal(await protocolOf('new.test'), 'TLSv1.3')
    assert.equal(await protocolOf('default.test'), 'TLSv1.3')
    const onlyOld = { servername: 'new.test', maxVersion: 'TLSv1.2' } as const
    await assert.rejects(handshake(gateway.tlsPort, onlyOld), /protocol version/)
  })

  it('that is changed serves new handshakes at once and breaks no connection', async (t) => {
    const gateway = await withSsls(t, { 1: { sni: 'a.test', ...makeCertificate({ names: ['0'] }) } })
    let isDone = false
    const failures: unknown[] = []
    const subjects = new Set<string>()
    const clients = Array.from({ length: 4 }, async () => {
      while (!isDone) {
        try {
          const { status, subject } = await askOverTls(gateway.tlsPort, { servername: 'a.test' })
          subjects.add(subject)
          if (status !== 200) failures.push(status)
        } catch (error) {
          failures.push(error)
        }
      }
    })
    const kept = await handshake(gateway.tlsPort, { servername: 'a.test' })
    t.after(() => kept.destroy())
    for (let i = 1; i <= 20; i++) {
      await gateway.put('ssls', '1', { sni: 'a.test', ...makeCertificate({ names: [String(i)] }) })
      assert.equal(await subjectFor(gateway, 'a.test'), String(i))
    }
    isDone = true
    await Promise.all(clients)
    assert.deepEqual(failures, [])
    assert.ok(subjects.size > 1)
    const answered = new Promise((resolve) => kept.once('data', (data) => resolve(String(data))))
    kept.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.match(String(await answered), /^HTTP\/1\.1 200/)
  })

  it('that is deleted serves no more handshakes', async (t) => {
    const gateway = await withSsls(t, { 1: { sni: 'a.test', ...makeCertificate({ names: ['a'] }) } })
    assert.equal(await subjectFor(gateway, 'a.test'), 'a')
    assert.equal((await gateway.admin('DELETE', 'ssls/1')).status, 200)
    await assert.rejects(handshake(gateway.tlsPort, { servername: 'a.test' }), /unrecognized name/)
  })
})

describe('a session', () => {
  it('is resumed only where tickets are on', async (t) => {
    const ssls = { 1: { sni: 'a.test', ...makeCertificate({ names: ['a'] }) } }
    for (const hasTickets of [false, true]) {
      const gateway = await withSsls(t, ssls, { 'apisix.ssl.ssl_session_tickets': hasTickets })
      const options = { servername: 'a.test', maxVersion: 'TLSv1.2' } as const
      const first = await handshake(gateway.tlsPort, options)
      const session = first.getSession()
      first.destroy()
      const second = await handshake(gateway.tlsPort, { ...options, ...(session && { session }) })
      assert.equal(second.isSessionReused(), hasTickets)
      second.destroy()
    }
  })
})

describe('the TLS port', () => {
  it('answers who speaks plain HTTP to it with 400, and closes on nonsense', async (t) => {
    const gateway = await withSsls(t, {})
    assert.match(await say(gateway.tlsPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.equal(await say(gateway.tlsPort, '\x16\x03\x01\x00\x04\x02\x00\x00\x00'), '')
  })

  it('outlives clients that leave in the middle of a handshake', async (t) => {
    const gateway = await withSsls(t, { 1: { sni: 'a.test', ...makeCertificate({ names: ['a'] }) } })
    for (const start of ['', '\x16', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']) {
      const socket = connectTcp(gateway.tlsPort, '127.0.0.1')
      await new Promise<void>((resolve) => socket.write(Buffer.from(start, 'latin1'), () => resolve()))
      socket.resetAndDestroy()
    }
    assert.equal((await askOverTls(gateway.tlsPort, { servername: 'a.test' })).status, 200)
  })

  it('is not opened when apisix.ssl.enable is false', async (t) => {
    const gateway = await withSsls(t, {}, { 'apisix.ssl.enable': false })
    assert.equal(gateway.addresses.tls, undefined)
  })
})

/** Everything that is answered to these bytes until the connection ends. */
function say(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => void socket.write(Buffer.from(bytes, 'latin1')))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
