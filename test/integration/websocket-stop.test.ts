import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'
import { acceptRaw, handshake, webSocketClient, webSocketUpstream } from '../support/websocket.ts'

const GOING_AWAY = '\x88\x02\x03\xe9'

async function stage(t: TestContext, address: string, settings: StartOptions['settings'] = {}) {
  const gateway = await startGateway(
    t,
    { routes: { 1: { uri: '/*', enable_websocket: true, upstream: { nodes: { [address]: 1 } } } } },
    { settings },
  )
  return { gateway, url: `ws://127.0.0.1:${gateway.proxyPort}/` }
}

/** A node that accepts every handshake with `protocol` and shows its side of the last tunnel. */
async function rawNode(t: TestContext, protocol = 'websocket') {
  const node: { address: string; socket: Socket | undefined } = { address: '', socket: undefined }
  node.address = await rawUpstream(t, (socket) => {
    acceptRaw(
      socket,
      () => {
        node.socket = socket.resume()
      },
      protocol,
    )
  })
  return node
}

describe('a stop with tunnels open', () => {
  it('tells both ends of a WebSocket that the gateway goes away', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway, url } = await stage(t, upstream.address)
    const client = webSocketClient(t, url)
    await client.open
    const nodeClosed = once(upstream.sockets[0]!, 'close')
    const stopped = gateway.stop()
    assert.deepEqual(await client.closed, { code: 1001, reason: '' })
    assert.equal((await nodeClosed)[0], 1001)
    assert.deepEqual(await stopped, { forced: 0 })
  })

  it('lets the frame under way end first, and sends nothing after the close frame', async (t) => {
    const node = await rawNode(t)
    const { gateway } = await stage(t, node.address)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    await client.until(/\r\n\r\n/)
    node.socket!.write('\x82\x05he', 'latin1')
    await client.until(/he$/)
    const stopped = gateway.stop()
    await eventually(
      'the gateway has stopped accepting',
      async () =>
        await rawConnect(t, gateway.proxyPort).then(
          () => false,
          () => true,
        ),
    )
    node.socket!.write('llo\x82\x04late', 'latin1')
    assert.ok((await client.untilClosed()).endsWith(`\r\n\r\n\x82\x05hello${GOING_AWAY}`))
    assert.deepEqual(await stopped, { forced: 0 })
  })

  it('cuts at the deadline, and counts, what does not end', async (t) => {
    for (const protocol of ['websocket', 'tcp']) {
      const node = await rawNode(t, protocol)
      const { gateway } = await stage(t, node.address, { 'gatewright.shutdown.max_drain_ms': 150 })
      const client = await rawConnect(t, gateway.proxyPort)
      client.socket.allowHalfOpen = true
      client.send(handshake().replace('Upgrade: websocket', `Upgrade: ${protocol}`))
      await client.until(/\r\n\r\n/)
      assert.deepEqual(await gateway.stop(), { forced: 1 })
      assert.equal(client.text.endsWith(GOING_AWAY), protocol === 'websocket')
    }
  })

  it('refuses new ones with 503 while it still accepts requests', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway, url } = await stage(t, upstream.address, { 'gatewright.shutdown.min_drain_ms': 500 })
    const stopped = gateway.stop()
    assert.equal((await webSocketClient(t, url).refusal).status, 503)
    assert.equal((await fetch(gateway.proxyUrl)).status, 426)
    await stopped
    assert.equal(upstream.requests.length, 0)
  })

  it('tells one that opens meanwhile, too', async (t) => {
    let accept = () => {}
    const address = await rawUpstream(t, (socket) => {
      socket.once('data', () => {
        accept = () => socket.write('HTTP/1.1 101 Over\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      })
    })
    const { gateway } = await stage(t, address)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    const asked = accept
    await eventually('the node is asked', () => accept !== asked)
    const stopped = gateway.stop()
    accept()
    assert.ok((await client.untilClosed()).endsWith(`\r\n\r\n${GOING_AWAY}`))
    assert.deepEqual(await stopped, { forced: 0 })
  })
})

describe('the access log of a WebSocket', () => {
  it('is one line, written when it has ended, with the bytes that the client was sent', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'gatewright-log-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'access.log')
    const node = await rawNode(t)
    const { gateway } = await stage(t, node.address, { 'gatewright.log.access_log': file })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake('/chat'))
    await client.until(/\r\n\r\n/)
    node.socket!.write('x'.repeat(1234))
    await client.until(/x{1234}$/)
    client.socket.destroy()
    await gateway.stop()
    const lines = (await readFile(file, 'utf8')).split('\n')
    assert.equal(lines.length, 2)
    assert.match(lines[0]!, /"GET \/chat HTTP\/1\.1" 101 1234 /)
  })
})
