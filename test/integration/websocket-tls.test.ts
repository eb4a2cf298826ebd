import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { rawConnect } from '../support/raw-client.ts'
import { acceptRaw, handshake, webSocketClient, webSocketUpstream } from '../support/websocket.ts'

const certificate = makeCertificate({ names: ['node.test'] })

/** A node behind TLS that answers the end of what it is sent with its last words. */
async function halfClosingNode(t: TestContext): Promise<string> {
  const server = createServer({ ...certificate, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    acceptRaw(socket, () => socket.on('end', () => socket.end('last words')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a WebSocket over TLS', () => {
  it('goes to a node of scheme https', async (t) => {
    const upstream = await webSocketUpstream(t, undefined, { tls: certificate })
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          enable_websocket: true,
          upstream: { scheme: 'https', nodes: { [upstream.address]: 1 } },
        },
      },
    })
    const client = webSocketClient(t, `ws://127.0.0.1:${gateway.proxyPort}/`)
    await client.open
    client.socket.send('a'.repeat(200_000))
    const message = await new Promise<Buffer>((resolve) => client.socket.once('message', resolve))
    assert.equal(message.length, 200_000)
  })

  it('passes on the end of one direction to such a node', async (t) => {
    const address = await halfClosingNode(t)
    const gateway = await startGateway(t, {
      routes: {
        1: { uri: '/*', enable_websocket: true, upstream: { scheme: 'https', nodes: { [address]: 1 } } },
      },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    await client.until(/\r\n\r\n/)
    client.socket.end()
    assert.match(await client.untilClosed(), /last words$/)
  })

  it('comes in at a listener with TLS', async (t) => {
    const upstream = await webSocketUpstream(t)
    const gateway = await startGateway(
      t,
      {
        ssls: { 1: { snis: ['gateway.test'], cert: certificate.cert, key: certificate.key } },
        routes: { 1: { uri: '/*', enable_websocket: true, upstream: { nodes: { [upstream.address]: 1 } } } },
      },
      { settings: { 'apisix.ssl.listen': [{ ip: '127.0.0.1', port: 0 }] } },
    )
    const client = webSocketClient(t, `wss://127.0.0.1:${gateway.addresses.tls![0]!.port}/`, {
      headers: { host: 'gateway.test' },
      servername: 'gateway.test',
      rejectUnauthorized: false,
    })
    await client.open
    client.socket.send('through')
    const message = await new Promise<Buffer>((resolve) => client.socket.once('message', resolve))
    assert.equal(message.toString(), 'through')
    assert.equal(upstream.requests[0]!.headers['x-forwarded-proto'], 'https')
    await gateway.stop()
    assert.equal((await client.closed).code, 1001)
  })
})
