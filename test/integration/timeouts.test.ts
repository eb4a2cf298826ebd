import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream, rawUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'

const long = { connect: 5, send: 5, read: 5 }

describe('timeouts', () => {
  it('for connecting give 504', async (t) => {
    // A handshake that is never answered is part of connecting.
    const deaf = await rawUpstream(t, () => {})
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          upstream: { scheme: 'https', nodes: { [deaf]: 1 }, timeout: { ...long, connect: 0.05 } },
        },
      },
    })
    const answer = await fetch(gateway.proxyUrl)
    assert.equal(answer.status, 504)
    assert.equal(answer.headers.get('x-apisix-upstream-status'), '504')
    assert.equal(await answer.text(), '{"error_msg":"504 Gateway Timeout"}\n')
  })

  it('for sending give 504', async (t) => {
    const blocked = await rawUpstream(t, (socket) => void socket.pause())
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [blocked]: 1 }, timeout: { ...long, send: 0.1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    const chunk = 'x'.repeat(1024 * 1024)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * chunk.length}\r\n\r\n`)
    for (let i = 0; i < 32; i++) client.send(chunk)
    await client.until(/^HTTP\/1\.1 504 /)
    client.socket.destroy()
  })

  it('for reading give 504, and the upstream is given up', async (t) => {
    let closed: () => void
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve
    })
    const silent = await rawUpstream(t, (socket) => void socket.resume().on('close', () => closed()))
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [silent]: 1 }, timeout: { ...long, read: 0.05 } } } },
    })
    assert.equal((await fetch(gateway.proxyUrl)).status, 504)
    await isClosed
  })

  it('in the middle of a response cut it', async (t) => {
    const stalling = await fakeUpstream(t, (_request, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write('part')
    })
    const gateway = await startGateway(t, {
      routes: {
        1: { uri: '/*', upstream: { nodes: { [stalling.address]: 1 }, timeout: { ...long, read: 0.05 } } },
      },
    })
    const answer = await fetch(gateway.proxyUrl)
    assert.equal(answer.status, 200)
    await assert.rejects(answer.text())
  })

  it('of the route win over those of the upstream', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          timeout: { ...long, read: 0.05 },
          upstream: { nodes: { [silent]: 1 }, timeout: { ...long, read: 60 } },
        },
      },
    })
    assert.equal((await fetch(gateway.proxyUrl)).status, 504)
  })

  it('longer than a timer can be are long, not short', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => void setTimeout(() => response.end('ok'), 30))
    const forever = { connect: 1e9, send: 1e9, read: 1e9 }
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [node.address]: 1 }, timeout: forever } } },
    })
    assert.equal(await (await fetch(gateway.proxyUrl)).text(), 'ok')
  })
})
