import assert from 'node:assert/strict'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

const CHUNK = Buffer.alloc(64 * 1024, 'x')
const CHUNKS = 600

type Handler = Parameters<typeof fakeUpstream>[1]

async function gatewayTo(t: TestContext, handler: Handler): Promise<TestGateway> {
  const upstream = await fakeUpstream(t, handler)
  return startGateway(t, { routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } } })
}

/** Resolves when `count` has stood still for a while above 0. */
async function standsStill(count: () => number): Promise<number> {
  let before = -1
  let calm = 0
  await eventually('it stands still', async () => {
    calm = count() === before && before > 0 ? calm + 1 : 0
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 25))
    return calm === 4
  })
  return before
}

describe('streaming', () => {
  it('holds back an upstream that is faster than its client', async (t) => {
    let written = 0
    const gateway = await gatewayTo(t, (_request, response) => {
      const more = (): void => {
        while (written < CHUNKS) {
          written++
          if (!response.write(CHUNK)) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    const client = await rawConnect(t, gateway.proxyPort)
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', (text) => {
      received += text.length
    })
    client.socket.pause()
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.ok((await standsStill(() => written)) < CHUNKS, 'the upstream had to wait')
    client.socket.resume()
    await eventually('the client has it all', () => client.isClosed)
    assert.ok(received > CHUNKS * CHUNK.length)
  })

  it('holds back a client that is faster than its upstream', async (t) => {
    let resume: (() => void) | undefined
    let size = 0
    const gateway = await gatewayTo(t, (request, response) => {
      resume = () => {
        request.on('data', (chunk: Buffer) => {
          size += chunk.length
        })
        request.on('end', () => response.end(String(size)))
      }
    })
    let written = 0
    let answer = ''
    const outgoing = httpRequest({ port: gateway.proxyPort, method: 'POST' }, (response) => {
      response.setEncoding('utf8').on('data', (text) => {
        answer += text
      })
    })
    const more = (): void => {
      while (written < CHUNKS) {
        written++
        if (!outgoing.write(CHUNK)) return void outgoing.once('drain', more)
      }
      outgoing.end()
    }
    more()
    assert.ok((await standsStill(() => written)) < CHUNKS, 'the client had to wait')
    resume!()
    await eventually('the upstream has it all', () => answer === String(CHUNKS * CHUNK.length))
  })

  it('delivers server-sent events one by one', async (t) => {
    let stream: ServerResponse | undefined
    const gateway = await gatewayTo(t, (_request, response) => {
      stream = response
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/content-type: text\/event-stream\r\n.*\r\n\r\n/s)
    for (let i = 0; i < 5; i++) {
      stream!.write(`data: ${i}\n\n`)
      await client.until(new RegExp(`data: ${i}\n\n`))
    }
    stream!.end()
    await client.until(/\r\n0\r\n\r\n$/)
  })

  it('carries both directions at once', async (t) => {
    const gateway = await gatewayTo(t, (request, response) => {
      response.flushHeaders()
      request.on('data', (chunk) => response.write(`echo ${chunk}`))
      request.on('end', () => response.end('done'))
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (const word of ['one', 'two']) {
      client.send(`3\r\n${word}\r\n`)
      await client.until(new RegExp(`echo ${word}`))
    }
    client.send('0\r\n\r\n')
    await client.until(/done/)
  })
})
