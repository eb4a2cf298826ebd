import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { makeCertificate } from '../../../test/support/certificates.ts'
import { createLogger } from '../../observe/logger.ts'
import { CertificateIndex } from '../../snapshot/certificate-index.ts'
import { compileServerCertificate } from '../../snapshot/server-certificate.ts'
import { terminateTls } from './terminate.ts'

const HANDSHAKE_TIMEOUT_MS = 100

async function impatientServer(t: TestContext): Promise<{ port: number; reasons: string[] }> {
  const reasons: string[] = []
  const ssl = compileServerCertificate('1', { sni: 'a.test', ...makeCertificate({ names: ['a.test'] }) })
  const index = CertificateIndex.EMPTY.with([], [ssl])
  const server = createServer()
  terminateTls(server, {
    defaults: {
      protocols: ['TLSv1.2', 'TLSv1.3'],
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
      hasSessionTickets: false,
      alpn: ['http/1.1'],
    },
    fallbackServerName: undefined,
    certificates: () => index,
    logger: createLogger('silent'),
    onRefused: (reason) => void reasons.push(reason),
    onLeave: () => undefined,
    handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  return { port: (server.address() as AddressInfo).port, reasons }
}

/** The hello of Node's own client, with nothing after it. */
function hello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => undefined, write: (chunk: Buffer) => resolve(chunk) })
    connectTls({ socket: wire, servername }).on('error', () => wire.destroy())
  })
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => socket.destroy()).resume()
  if (!socket.closed) await once(socket, 'close')
}

describe('a connection that gets no further', () => {
  it('is closed in time, before its hello, in the middle of it, and in the handshake', {
    timeout: 5000,
  }, async (t) => {
    const { port, reasons } = await impatientServer(t)
    const whole = await hello('a.test')
    const sockets = [Buffer.alloc(0), whole.subarray(0, 60), whole].map((bytes) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(bytes)
      return socket
    })
    await Promise.all(sockets.map(closed))
    assert.deepEqual(reasons, ['timeout', 'timeout', 'timeout'])
  })
})
