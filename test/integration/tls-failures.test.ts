import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { describe, it } from 'node:test'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type Resources, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/watch-recording.ts'

const server = makeCertificate({ names: ['gateway'] })
const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
const stranger = makeCertificate({ names: ['stranger'] })
const SSLS: NonNullable<Resources['ssls']> = {
  open: { sni: 'open.test', ssl_protocols: ['TLSv1.3'], ...server },
  guarded: { sni: 'guarded.test', client: { ca: authority.cert }, ...server },
}

type Attempt = (port: number) => void

const shake =
  (options: ConnectionOptions): Attempt =>
  (port) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.on('error', () => socket.destroy()).resume()
  }

const say =
  (bytes: string, isReset = false): Attempt =>
  (port) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => socket.destroy()).resume()
    socket.write(bytes, 'latin1', () => isReset && socket.resetAndDestroy())
  }

const ROWS: readonly (readonly [what: string, reason: string, attempt: Attempt])[] = [
  ['for a name that no ssl has', 'unknown-name', shake({ servername: 'none.test' })],
  ['for no name', 'unknown-name', shake({})],
  ['of plain HTTP', 'not-tls', say('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['of nonsense', 'not-tls', say('\x00\x01\x02\x03\x04\x05\x06')],
  [
    'in a version that is not allowed',
    'no-common-parameters',
    shake({ servername: 'open.test', maxVersion: 'TLSv1.2' }),
  ],
  [
    'without the certificate that is asked for',
    'client-certificate',
    shake({ servername: 'guarded.test', maxVersion: 'TLSv1.2' }),
  ],
  [
    'with a certificate of a stranger',
    'client-certificate',
    shake({ servername: 'guarded.test', ...stranger }),
  ],
  ['that the client breaks off', 'client-left', say('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', true)],
]

async function failures({ addresses }: TestGateway): Promise<Record<string, number>> {
  const url = `http://127.0.0.1:${addresses.metrics!.port}/apisix/prometheus/metrics`
  const text = await (await fetch(url)).text()
  const lines = text.matchAll(/^gatewright_tls_handshake_failures_total\{reason="([a-z-]+)"\} (\d+)$/gm)
  return Object.fromEntries([...lines].map(([, reason, count]) => [reason!, Number(count)]))
}

describe('a TLS handshake', () => {
  for (const [what, reason, attempt] of ROWS) {
    it(`${what} counts as ${reason}`, async (t) => {
      const gateway = await startGateway(t, { ssls: SSLS })
      attempt(gateway.tlsPort)
      await eventually('it is counted', async () => Object.keys(await failures(gateway)).length > 0)
      assert.deepEqual(await failures(gateway), { [reason]: 1 })
    })
  }

  it('that ends well, or a port that is merely knocked at, counts as no failure', async (t) => {
    const gateway = await startGateway(t, { ssls: SSLS })
    const knock = connectTcp(gateway.tlsPort, '127.0.0.1', () => knock.end())
    await new Promise((resolve) => knock.once('close', resolve))
    const socket = connectTls({
      ...{ host: '127.0.0.1', port: gateway.tlsPort, servername: 'open.test', rejectUnauthorized: false },
    })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    socket.resume().end()
    await new Promise((resolve) => socket.once('close', resolve))
    assert.deepEqual(await failures(gateway), {})
  })
})
