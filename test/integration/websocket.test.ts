import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import type { Route } from '../../src/model/types.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'
import { acceptRaw, handshake, webSocketClient, webSocketUpstream } from '../support/websocket.ts'

/** A gateway whose only route goes to these nodes, WebSocket enabled. */
async function stage(
  t: TestContext,
  addresses: readonly string[],
  { route = {}, ...options }: StartOptions & { route?: Partial<Route> } = {},
) {
  const nodes = Object.fromEntries(addresses.map((address) => [address, 1]))
  const gateway = await startGateway(
    t,
    { routes: { 1: { uri: '/*', enable_websocket: true, upstream: { nodes }, ...route } } },
    options,
  )
  const url = `ws://127.0.0.1:${gateway.proxyPort}`
  const openTunnels = async (): Promise<number> => {
    const metrics = await fetch(
      `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`,
    )
    return Number(/^gatewright_tunnels_open (\d+)$/m.exec(await metrics.text())?.[1])
  }
  return { gateway, url, openTunnels }
}

describe('a WebSocket through the gateway', () => {
  it('carries messages both ways, of any kind and size', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url } = await stage(t, [upstream.address])
    const client = webSocketClient(t, `${url}/ws`)
    await client.open
    const sent = [
      Buffer.from('hello'),
      Buffer.alloc(1024 * 1024, 7),
      Buffer.alloc(0),
      Buffer.alloc(70_000, 1),
    ]
    for (const message of sent) client.socket.send(message)
    await eventually('all came back', () => client.messages.length === sent.length)
    assert.deepEqual(client.messages, sent)
  })

  it('keeps subprotocol, compression and close code of the handshake between the two ends', async (t) => {
    const upstream = await webSocketUpstream(
      t,
      (socket) => socket.on('message', () => socket.close(4321, 'enough')),
      {
        handleProtocols: (offered) => [...offered].at(-1)!,
        perMessageDeflate: { threshold: 0 },
      },
    )
    const { url } = await stage(t, [upstream.address])
    const client = webSocketClient(t, `${url}/ws`, { protocols: ['one', 'two'] })
    await client.open
    assert.equal(client.socket.protocol, 'two')
    assert.match(client.socket.extensions, /permessage-deflate/)
    client.socket.send('go')
    assert.deepEqual(await client.closed, { code: 4321, reason: 'enough' })
  })

  it('reaches the node with the target as it was sent, and with headers as for any request', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url } = await stage(t, [upstream.address], {
      route: { plugins: { 'proxy-rewrite': { headers: { set: { 'X-Set': 'by plugin' } } } } },
    })
    const client = webSocketClient(t, `${url}/a%2Fb/c?x=%20&y`)
    await client.open
    const [request] = upstream.requests
    assert.equal(request!.url, '/a%2Fb/c?x=%20&y')
    assert.equal(request!.headers['x-set'], 'by plugin')
    assert.equal(request!.headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(request!.headers.host, url.slice(5))
    assert.equal(request!.headers.connection, 'Upgrade')
    assert.equal(request!.headers.upgrade, 'websocket')
  })

  it('shows the client the 101 of the node, with what header filters made of it', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway } = await stage(t, [upstream.address], {
      route: { plugins: { 'response-rewrite': { headers: { set: { 'X-Filtered': 'yes' } } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    const text = await client.until(/\r\n\r\n/)
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    assert.match(text, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/)
    assert.match(text, /\r\nX-Filtered: yes\r\n/)
    assert.equal(text.match(/^connection: upgrade/gim)?.length, 1)
    assert.equal(text.match(/^upgrade: websocket/gim)?.length, 1)
  })

  it('loses no byte that came together with a head, on either side', async (t) => {
    const address = await rawUpstream(t, (socket) => {
      socket.once('data', (head) => {
        const early = head.toString('latin1').split('\r\n\r\n')[1]
        socket.write(`HTTP/1.1 101 Over\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\nfirst${early}`)
        socket.on('data', (chunk) => socket.write(chunk))
      })
    })
    const { gateway } = await stage(t, [address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`${handshake()}early`)
    await client.until(/\r\n\r\nfirstearly$/)
  })

  it('passes on the end of one direction and leaves the other one open', async (t) => {
    const address = await rawUpstream(t, (socket) => {
      socket.allowHalfOpen = true
      acceptRaw(socket, () => {
        socket.on('end', () => {
          socket.write('still ')
          setImmediate(() => socket.end('here'))
        })
      })
    })
    const { gateway, openTunnels } = await stage(t, [address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    await client.until(/\r\n\r\n/)
    client.socket.end()
    assert.match(await client.untilClosed(), /still here$/)
    await eventually('the tunnel is over', async () => (await openTunnels()) === 0)
  })

  it('is read from the node no faster than the client reads', async (t) => {
    const chunk = Buffer.alloc(64 * 1024)
    let written = 0
    let isStalled = false
    const address = await rawUpstream(t, (socket) => {
      acceptRaw(socket, () => {
        const write = () => {
          while (!socket.destroyed && written < 256 * 1024 * 1024) {
            written += chunk.length
            if (!socket.write(chunk)) break
          }
          isStalled = false
          setTimeout(() => {
            isStalled = true
          }, 300).unref()
        }
        socket.on('drain', write)
        socket.once('data', write)
      })
    })
    const { gateway } = await stage(t, [address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    await client.until(/\r\n\r\n/)
    client.socket.pause()
    client.send('go')
    await eventually('the node has to wait', () => isStalled)
    assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken from the node`)
    // One that never reads would be waited for when the gateway stops.
    client.socket.destroy()
  })

  it('is balanced, and a node that refuses connections is passed over', async (t) => {
    const first = await webSocketUpstream(t)
    const second = await webSocketUpstream(t)
    const { url } = await stage(t, [first.address, await refusingAddress(), second.address])
    for (let i = 0; i < 6; i++) await webSocketClient(t, `${url}/ws`).open
    assert.equal(first.requests.length + second.requests.length, 6)
    assert.ok(first.requests.length > 0 && second.requests.length > 0)
  })

  it('lives on while configuration changes around it', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway, url } = await stage(t, [upstream.address])
    const client = webSocketClient(t, `${url}/ws`)
    await client.open
    await gateway.admin('DELETE', 'routes/1')
    client.socket.send('still there?')
    await eventually('the echo', () => client.messages.length === 1)
  })

  it('is counted while it is open', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url, openTunnels } = await stage(t, [upstream.address])
    const clients = [webSocketClient(t, `${url}/a`), webSocketClient(t, `${url}/b`)]
    await Promise.all(clients.map(({ open }) => open))
    assert.equal(await openTunnels(), 2)
    clients[0]!.socket.close()
    await eventually('one is left', async () => (await openTunnels()) === 1)
  })

  it('ends when nothing moved in it for the read timeout, and not while something does', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url } = await stage(t, [upstream.address], {
      route: { timeout: { connect: 1, send: 1, read: 0.3 } },
    })
    const client = webSocketClient(t, `${url}/ws`)
    await client.open
    const openedAt = performance.now()
    const beat = setInterval(() => client.socket.send('beat'), 50)
    await eventually('it outlives the timeout', () => performance.now() - openedAt > 700)
    assert.equal(client.socket.readyState, client.socket.OPEN)
    clearInterval(beat)
    assert.equal((await client.closed).code, 1006)
  })
})

describe('a WebSocket of which one end is lost', () => {
  it('ends for the client when the node dies', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url, openTunnels } = await stage(t, [upstream.address])
    const client = webSocketClient(t, `${url}/ws`)
    await client.open
    upstream.sockets[0]!.terminate()
    assert.equal((await client.closed).code, 1006)
    await eventually('the tunnel is over', async () => (await openTunnels()) === 0)
  })

  it('ends for the node when the client dies', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url, openTunnels } = await stage(t, [upstream.address])
    const client = webSocketClient(t, `${url}/ws`)
    await client.open
    const closed = once(upstream.sockets[0]!, 'close')
    client.socket.terminate()
    await closed
    await eventually('the tunnel is over', async () => (await openTunnels()) === 0)
  })

  it('is not opened when the client leaves before the node has answered', async (t) => {
    let isAsked = false
    let isLeft = false
    const address = await rawUpstream(t, (socket) => {
      socket.on('data', () => {
        isAsked = true
      })
      socket.on('close', () => {
        isLeft = true
      })
    })
    const { gateway } = await stage(t, [address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    await eventually('the node is asked', () => isAsked)
    client.socket.end()
    await eventually('the node is let go', () => isLeft)
  })
})

describe('a WebSocket that does not come about', () => {
  it('shows the refusal of the node, body and all', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => {
      response.writeHead(426, { 'Sec-WebSocket-Version': '7, 8' }).end('x'.repeat(1_000_000))
    })
    const { url } = await stage(t, [upstream.address])
    const { status, headers, body } = await webSocketClient(t, `${url}/ws`).refusal
    assert.equal(status, 426)
    assert.equal(headers['sec-websocket-version'], '7, 8')
    assert.equal(headers.connection, 'close')
    assert.equal(body.length, 1_000_000)
  })

  it('is refused by a plugin before a node is asked', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway, url } = await stage(t, [upstream.address], { route: { plugins: { 'key-auth': {} } } })
    await gateway.put('consumers', 'jack', { username: 'jack', plugins: { 'key-auth': { key: 'secret' } } })
    const { status, body } = await webSocketClient(t, `${url}/ws`).refusal
    assert.equal(status, 401)
    assert.match(body, /Missing API key/)
    assert.equal(upstream.requests.length, 0)
    await webSocketClient(t, `${url}/ws`, { headers: { apikey: 'secret' } }).open
  })

  it('is an ordinary request where the route does not allow it', async (t) => {
    const upstream = await fakeUpstream(t)
    const { gateway } = await stage(t, [upstream.address], { route: { enable_websocket: false } })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(handshake())
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 200 OK\r\n.*ok/s)
    const { headers } = upstream.requests[0]!
    assert.equal(headers.upgrade, undefined)
    assert.equal(headers['sec-websocket-version'], '13')
  })

  it('is 404 where no route is', async (t) => {
    const gateway = await startGateway(t)
    const { status } = await webSocketClient(t, `ws://127.0.0.1:${gateway.proxyPort}/`).refusal
    assert.equal(status, 404)
  })

  it('is 502 when the node switches to what nobody asked for, or answers nonsense', async (t) => {
    for (const answer of [
      'HTTP/1.1 101 Over\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n',
      'HTTP/1.1 101 Over\r\n\r\n',
      'SSH-2.0-OpenSSH\r\n\r\n',
    ]) {
      const address = await rawUpstream(t, (socket) => void socket.once('data', () => socket.write(answer)))
      const { url } = await stage(t, [address])
      const { status } = await webSocketClient(t, `${url}/ws`).refusal
      assert.equal(status, 502, answer)
    }
  })

  it('is 504 when the node does not answer in time', async (t) => {
    const address = await rawUpstream(t, (socket) => void socket.resume())
    const { url } = await stage(t, [address], { route: { timeout: { connect: 1, send: 1, read: 0.1 } } })
    assert.equal((await webSocketClient(t, `${url}/ws`).refusal).status, 504)
  })

  it('is what a header filter says when that changes the status of the 101', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { url, openTunnels } = await stage(t, [upstream.address], {
      route: { plugins: { 'response-rewrite': { status_code: 418 } } },
    })
    assert.equal((await webSocketClient(t, `${url}/ws`).refusal).status, 418)
    assert.equal(await openTunnels(), 0)
  })
})

describe('a request with Upgrade that is no WebSocket', () => {
  it('becomes a tunnel too, whatever its protocol and method', async (t) => {
    let head = ''
    const address = await rawUpstream(t, (socket) => {
      socket.once('data', (chunk) => {
        head = chunk.toString('latin1')
        socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
        socket.on('data', (more) => socket.write(more))
      })
    })
    const { gateway } = await stage(t, [address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(
      'POST /attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
    )
    await client.until(/101 UPGRADED.*\r\n\r\n/s)
    client.send('ping')
    await client.until(/ping$/)
    assert.match(head, /^POST \/attach HTTP\/1\.1\r\n/)
  })

  it('is an ordinary one on a connection that lives on, when it asks for what only this hop could give', async (t) => {
    const upstream = await fakeUpstream(t)
    const { gateway } = await stage(t, [upstream.address])
    const client = await rawConnect(t, gateway.proxyPort)
    for (const protocol of ['h2c', 'foo, H2C', 'TLS/1.2', 'HTTP/2.0']) {
      client.send(
        `GET /${encodeURIComponent(protocol)} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n`,
      )
      client.send(`Upgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`)
      await eventually(
        'the node is asked',
        () => upstream.requests.at(-1)?.url === `/${encodeURIComponent(protocol)}`,
      )
      assert.equal(upstream.requests.at(-1)!.headers.upgrade, undefined)
      assert.equal(upstream.requests.at(-1)!.headers['http2-settings'], undefined)
    }
    await eventually('all are answered', () => client.text.match(/200 OK/g)?.length === 4)
  })

  it('keeps its body when it has one', async (t) => {
    let body = ''
    const upstream = await fakeUpstream(t, (request, response) => {
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => response.end('done'))
    })
    const { gateway } = await stage(t, [upstream.address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nbody',
    )
    await client.until(/done/)
    assert.equal(body, 'body')
  })

  it('waits for the answers to requests sent ahead of it', async (t) => {
    const upstream = await webSocketUpstream(t)
    const { gateway } = await stage(t, [upstream.address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n${handshake('/3')}`)
    await client.until(/HTTP\/1\.1 426.*HTTP\/1\.1 426.*HTTP\/1\.1 101/s)
  })
})
