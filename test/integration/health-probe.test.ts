import assert from 'node:assert/strict'
import type { AddressInfo, Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import type { ProbeOutcome } from '../../src/upstream/health/active.ts'
import { readChecks } from '../../src/upstream/health/checks.ts'
import { probeOverSocket } from '../../src/upstream/health/probe.ts'
import { makeCertificate } from '../support/certificates.ts'

interface Target {
  readonly address: string
  readonly active?: Record<string, unknown>
  readonly hostHeader?: string
}

function probe({ address, active = {}, hostHeader = 'a.test' }: Target): Promise<ProbeOutcome> {
  const { active: spec } = readChecks({ checks: { active } })!
  const [host = '', port] = address.split(':')
  const request = { host, port: Number(port), hostHeader, spec, secureContext: undefined }
  return new Promise((resolve) => void probeOverSocket(request, resolve))
}

/** A node that answers each connection's first bytes with these, and remembers what it read. */
async function answering(t: TestContext, answer: string): Promise<{ address: string; read: string[] }> {
  const read: string[] = []
  const address = await rawUpstream(t, (socket) => {
    socket.on('data', (bytes) => {
      read.push(bytes.toString())
      socket.end(answer)
    })
  })
  return { address, read }
}

interface TlsNode {
  readonly address: string
  readonly names: readonly unknown[]
}

async function tlsNode(t: TestContext): Promise<TlsNode> {
  const names: unknown[] = []
  const sockets = new Set<Socket>()
  const server = createTlsServer(makeCertificate({ names: ['a.test'] }), (socket) => {
    names.push(socket.servername)
    socket.on('error', () => socket.destroy())
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
  })
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, names }
}

describe('a probe', () => {
  it('is a GET without a body, with the configured path and headers, and reads the status', async (t) => {
    const { address, read } = await answering(t, 'HTTP/1.1 204 No Content\r\n\r\n')
    const active = {
      http_path: '/up?x=1',
      http_method: 'POST',
      http_req_body: 'b',
      req_headers: ['A: 1', 'B: 2'],
    }
    assert.deepEqual(await probe({ address, active }), { kind: 'status', status: 204 })
    assert.deepEqual(read, [
      'GET /up?x=1 HTTP/1.1\r\nConnection: close\r\nA: 1\r\nB: 2\r\nHost: a.test\r\n\r\n',
    ])
  })

  it('carries the Host of `req_headers` where they have one', async (t) => {
    const { address, read } = await answering(t, 'HTTP/1.0 200\n')
    assert.deepEqual(await probe({ address, active: { req_headers: ['host: b.test'] } }), {
      kind: 'status',
      status: 200,
    })
    assert.equal(read.join('').match(/host:/gi)?.length, 1)
  })

  for (const [what, answer] of [
    ['nothing', ''],
    ['something else than HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n'],
    ['a line without end', 'x'.repeat(10_000)],
  ] as const) {
    it(`that is answered with ${what} is an HTTP failure`, async (t) => {
      const { address } = await answering(t, answer)
      assert.equal((await probe({ address })).kind, 'http_failure')
    })
  }

  it('that is refused or reset is a TCP failure', async (t) => {
    assert.equal((await probe({ address: await refusingAddress() })).kind, 'tcp_failure')
    const reset = await rawUpstream(t, (socket) => void socket.on('data', () => socket.resetAndDestroy()))
    assert.equal((await probe({ address: reset })).kind, 'tcp_failure')
  })

  it('that gets no answer in time is a timeout', async (t) => {
    const address = await rawUpstream(t, () => {})
    assert.deepEqual(await probe({ address, active: { timeout: 0.05 } }), {
      kind: 'timeout_failure',
      message: 'no answer within 50 ms',
    })
    assert.deepEqual(await probe({ address, active: { type: 'https', timeout: 0.05 } }), {
      kind: 'timeout_failure',
      message: 'no connection within 50 ms',
    })
  })

  it('over https asks for the Host as server name and checks the certificate unless told not to', async (t) => {
    const { address, names } = await tlsNode(t)
    const refused = await probe({ address, active: { type: 'https' } })
    assert.equal(refused.kind, 'tcp_failure')
    const active = { type: 'https', https_verify_certificate: false }
    assert.deepEqual(await probe({ address, active, hostHeader: 'a.test:8443' }), {
      kind: 'status',
      status: 200,
    })
    assert.equal(names.at(-1), 'a.test')
  })

  it('over https that cannot be secured is a TCP failure, not told before it began', async (t) => {
    const { active: spec } = readChecks({ checks: { active: { type: 'https' } } })!
    const { address } = await tlsNode(t)
    const secureContext = () => {
      throw new Error('the client certificate is gone')
    }
    const request = {
      host: '127.0.0.1',
      port: Number(address.split(':')[1]),
      hostHeader: 'a.test',
      spec,
      secureContext,
    }
    const outcome = await new Promise<ProbeOutcome>((resolve) => {
      let hasReturned = false
      probeOverSocket(request, (one) => {
        assert.ok(hasReturned)
        resolve(one)
      })
      hasReturned = true
    })
    assert.deepEqual(outcome, { kind: 'tcp_failure', message: 'the client certificate is gone' })
  })

  it('over https to a node that speaks no TLS is a TCP failure', async (t) => {
    const { address } = await answering(t, 'HTTP/1.1 200 OK\r\n\r\n')
    assert.equal((await probe({ address, active: { type: 'https' } })).kind, 'tcp_failure')
  })

  it('that is given up tells nothing and closes its connection', async (t) => {
    const closed = new Promise<void>((resolve) => {
      void rawUpstream(t, (socket) => {
        socket.on('close', () => resolve())
        socket.on('data', () => giveUp())
      }).then((address) => begin(address))
    })
    const told: ProbeOutcome[] = []
    let giveUp = () => {}
    const begin = (address: string) => {
      const { active: spec } = readChecks({ checks: { active: {} } })!
      const [host = '', port] = address.split(':')
      const request = { host, port: Number(port), hostHeader: host, spec, secureContext: undefined }
      giveUp = probeOverSocket(request, (outcome) => told.push(outcome))
    }
    await closed
    assert.deepEqual(told, [])
  })
})
