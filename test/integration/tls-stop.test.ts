import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls } from '../support/tls-client.ts'
import { eventually } from '../support/watch-recording.ts'

const NAME = 'shop.test'

async function stage(t: TestContext) {
  const held: ServerResponse[] = []
  const node = await fakeUpstream(t, (_request, response) => void held.push(response))
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } },
    ssls: { shop: { snis: [NAME], ...makeCertificate({ names: [NAME] }) } },
  })
  return { gateway, held }
}

/** What a TLS client says first. */
async function helloBytes(): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connectTls({ port: (server.address() as AddressInfo).port, servername: NAME })
  client.on('error', () => client.destroy())
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  server.close()
  return bytes
}

async function plain(t: TestContext, port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => socket.destroy()).resume()
  await once(socket, 'connect')
  if (bytes.length > 0) socket.write(bytes)
  return socket
}

async function secured(t: TestContext, port: number, protocol: string): Promise<TLSSocket> {
  const ask = { port, servername: NAME, ALPNProtocols: [protocol], rejectUnauthorized: false }
  const socket = connectTls(ask)
  t.after(() => socket.destroy())
  socket.on('error', () => socket.destroy()).resume()
  await once(socket, 'secureConnect')
  return socket
}

describe('a stop of a gateway with TLS', () => {
  it('does not wait for clients that stall before, in or after their handshake', async (t) => {
    const { gateway } = await stage(t)
    const hello = await helloBytes()
    const port = gateway.tlsPort
    const clients = [
      await plain(t, port, Buffer.alloc(0)),
      await plain(t, port, hello.subarray(0, 3)),
      await plain(t, port, hello.subarray(0, hello.length - 1)),
      await plain(t, port, hello),
      await secured(t, port, 'http/1.1'),
      await secured(t, port, 'h2'),
    ]
    // Its first bytes are the gateway's part of the handshake.
    await eventually('the whole hello was answered', () => clients[3]!.bytesRead > 0)
    const startedAt = performance.now()
    assert.deepEqual(await gateway.stop(), { forced: 0 })
    const ms = performance.now() - startedAt
    assert.ok(ms < 5000, `the stop took ${Math.round(ms)} ms`)
    await eventually('all are gone', () => clients.every((client) => client.destroyed))
  })

  it('lets requests over TLS finish, on connections that have served before and on new ones', async (t) => {
    const { gateway, held } = await stage(t)
    const answers = [1, 2, 3].map(() => askOverTls(gateway.tlsPort, { servername: NAME }))
    await eventually('the node has them', () => held.length === 3)
    const stopped = gateway.stop()
    // Longer than stalled connections are given.
    await new Promise((resolve) => setTimeout(resolve, 400))
    for (const response of held) response.end('done')
    for (const answer of answers) assert.equal((await answer).body, 'done')
    assert.deepEqual(await stopped, { forced: 0 })
  })
})
