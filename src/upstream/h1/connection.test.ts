import assert from 'node:assert/strict'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createSecureContext, type TLSSocket, type TlsOptions } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { makeCertificate } from '../../../test/support/certificates.ts'
import { outgoing, ProbeSink } from '../../../test/support/transport-probe.ts'
import { eventually } from '../../../test/support/watch-recording.ts'
import { rawUpstream } from '../../testing/fake-upstream.ts'
import type { PoolIdentity } from '../pool-registry.ts'
import type { Sending } from '../transport.ts'
import { Http1Pool } from './pool.ts'

const authority = { ...makeCertificate({ names: ['the authority'] }), name: 'the authority' }
const certificate = makeCertificate({ names: ['node.test', '127.0.0.1'], issuer: authority })

/** What the node saw of one request. */
interface Seen {
  readonly serverName: string | false | null
  readonly clientName: string | undefined
}

async function tlsNode(t: TestContext, options: TlsOptions = {}): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createHttpsServer({ ...certificate, ...options }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername: string | false | null }
    const { subject } = socket.getPeerCertificate()
    seen.push({ serverName: socket.servername, clientName: subject?.CN?.toString() })
    response.end('x'.repeat(100_000))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

function identity(port: number, change: Partial<PoolIdentity> = {}): PoolIdentity {
  return {
    scheme: 'https',
    host: '127.0.0.1',
    port,
    serverName: 'node.test',
    tls: undefined,
    keepalive: { size: 1, idleMs: 60_000, requests: 1000 },
    ...change,
  }
}

async function ask(t: TestContext, to: PoolIdentity, connectMs = 5000): Promise<ProbeSink> {
  const pool = new Http1Pool(to, () => performance.now())
  t.after(() => pool.close())
  const sink = new ProbeSink()
  pool.send(outgoing({ connectMs }), sink)
  return sink.over
}

describe('a connection over TLS', () => {
  it('asks for the server name, and takes any certificate unless told to verify', async (t) => {
    const { port, seen } = await tlsNode(t)
    const sink = await ask(t, identity(port))
    assert.equal(sink.bytes, 100_000)
    assert.equal(seen[0]!.serverName, 'node.test')
  })

  it('asks for no name when all it has is an address', async (t) => {
    const { port, seen } = await tlsNode(t)
    assert.ok((await ask(t, identity(port, { serverName: '127.0.0.1' }))).isEnded)
    assert.equal(seen[0]!.serverName, false)
  })

  it('refuses a certificate of an authority that it does not know when told to verify', async (t) => {
    const { port, seen } = await tlsNode(t)
    const { error } = await ask(t, identity(port, { tls: { verify: true } }))
    assert.deepEqual([error!.kind, error!.isUnsent, seen.length], ['connect', true, 0])
  })

  it('shows the client certificate that it is given', async (t) => {
    const { port, seen } = await tlsNode(t, { requestCert: true, ca: authority.cert })
    const { cert, key } = makeCertificate({ names: ['the gateway'], issuer: authority })
    const context = createSecureContext({ cert, key })
    assert.ok((await ask(t, identity(port, { secureContext: () => context }))).isEnded)
    assert.equal(seen[0]!.clientName, 'the gateway')
  })

  it('fails, and throws nothing, when there is nothing to be secured with', async (t) => {
    const { port } = await tlsNode(t)
    const secureContext = () => assert.fail('no such certificate')
    const { error } = await ask(t, identity(port, { secureContext }))
    assert.deepEqual([error!.kind, error!.isUnsent], ['connect', true])
  })

  it('fails with a node that speaks no TLS', async (t) => {
    const address = await rawUpstream(t, (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'))
    const { error } = await ask(t, identity(Number(address.split(':')[1])))
    assert.deepEqual([error!.kind, error!.isUnsent], ['connect', true])
  })

  it('fails in time with a node that never answers the handshake', async (t) => {
    const address = await rawUpstream(t, () => {})
    const { error } = await ask(t, identity(Number(address.split(':')[1])), 30)
    assert.deepEqual([error!.kind, error!.isUnsent], ['connect-timeout', true])
  })

  it('is held back by a slow reader like a plain one', async (t) => {
    const { port } = await tlsNode(t)
    const pool = new Http1Pool(identity(port), () => performance.now())
    t.after(() => pool.close())
    const sink = new ProbeSink()
    sink.isSlow = true
    const sending = pool.send(outgoing(), sink)
    await eventually('the first bytes came', () => sink.bytes > 0)
    assert.ok(sink.bytes < 100_000)
    sink.isSlow = false
    sending.resume(sink)
    assert.equal((await sink.over).bytes, 100_000)
  })
})

/** Listens with a queue for one connection, says where, and never accepts. */
const DEAF = `
  const { createServer } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
  })
`

describe('a connection that is never accepted', () => {
  it('fails with the connect timeout', async (t) => {
    const worker = new Worker(DEAF, { eval: true })
    t.after(() => worker.terminate())
    const port = await new Promise<number>((resolve) => worker.once('message', resolve))
    const plain = identity(port, { scheme: 'http', serverName: undefined })
    // The kernel completes the first ones on its own, as many as fit in the queue.
    const attempts = Array.from({ length: 5 }, () => ask(t, plain, 100))
    const { error } = await Promise.race(attempts)
    assert.deepEqual([error!.kind, error!.isUnsent], ['connect-timeout', true])
  })
})

/** Keeps the last chunk that it was allowed to keep, and asks for more a moment later. */
class KeepingSink extends ProbeSink {
  kept: Buffer = Buffer.alloc(0)
  sending: Sending | undefined

  override onData(chunk: Buffer, mayKeep = false): boolean {
    super.onData(chunk)
    if (!mayKeep) return true
    this.kept = chunk
    setImmediate(() => this.sending!.resume(this))
    return false
  }
}

describe('the bytes of a long body', () => {
  it('stay as they are for a sink that paused, even when the next body comes on the same connection', async (t) => {
    let connections = 0
    const address = await rawUpstream(t, (socket) => {
      connections++
      let letter = 'a'
      socket.on('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${letter.repeat(300_000)}`)
        letter = 'b'
      })
    })
    const port = Number(address.split(':')[1])
    const pool = new Http1Pool(identity(port, { scheme: 'http' }), () => performance.now())
    t.after(() => pool.close())
    const sinks = [new KeepingSink(), new KeepingSink()] as const
    for (const sink of sinks) {
      sink.sending = pool.send(outgoing({}), sink)
      await sink.over
      assert.equal(sink.bytes, 300_000)
    }
    assert.equal(connections, 1)
    assert.ok(sinks[0].kept.length > 0, 'nothing could be kept')
    assert.deepEqual(new Set(sinks[0].kept), new Set(Buffer.from('a')))
    assert.deepEqual(new Set(sinks[1].kept), new Set(Buffer.from('b')))
  })
})
