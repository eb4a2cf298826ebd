import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { grpcNode } from '../../test/support/grpc.ts'
import { decodeText } from './base64.ts'
import plugin from './index.ts'

function frame(text: string): Buffer {
  const bytes = Buffer.from(text)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Messages and trailers of a body of gRPC-Web. */
function framesOf(body: Buffer): { messages: string[]; trailers: string } {
  const messages: string[] = []
  let trailers = ''
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1)
    const text = body.toString('latin1', at + 5, end)
    if (body[at] === 0x80) trailers = text
    else messages.push(text)
    at = end
  }
  return { messages, trailers }
}

async function withGateway(t: TestContext, uri = '/grpc/*') {
  const node = await grpcNode(t, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
      if (call.request.toString() === 'fail') answer({ code: grpc.status.NOT_FOUND, details: 'nicht da: ü' })
      else answer(null, Buffer.concat([Buffer.from('echo '), call.request]))
    },
    repeat: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let i = 0; i < 3; i++) call.write(Buffer.from(`${call.request} ${i}`))
      call.end()
    },
    collect: () => {},
    talk: () => {},
  })
  const gateway = await startGateway(t)
  await gateway.put('routes', '1', {
    uri,
    plugins: { 'grpc-web': {} },
    upstream: { scheme: 'grpc', type: 'roundrobin', nodes: { [node.address]: 1 } },
  })
  const call = (method: string, body: Buffer | string, type: string) =>
    fetch(`${gateway.proxyUrl}/grpc/echo.Echo/${method}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
  return { call, gateway }
}

describe('grpc-web', () => {
  for (const type of ['application/grpc-web', 'application/grpc-web+proto']) {
    it(`carries a call of type ${type} and puts the trailers behind the message`, async (t) => {
      const { call } = await withGateway(t)
      const response = await call('unary', frame('hi'), type)
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), type)
      assert.equal(response.headers.get('access-control-allow-origin'), '*')
      assert.equal(response.headers.get('access-control-expose-headers'), 'grpc-message,grpc-status')
      const { messages, trailers } = framesOf(Buffer.from(await response.arrayBuffer()))
      assert.deepEqual(messages, ['echo hi'])
      assert.match(trailers, /^grpc-status:0\r\n/)
    })
  }

  it('carries text, in one piece or in several with their own padding', async (t) => {
    const { call } = await withGateway(t)
    const whole = frame('hello there')
    const texts = [
      whole.toString('base64'),
      whole.subarray(0, 4).toString('base64') + whole.subarray(4).toString('base64'),
    ]
    for (const text of texts) {
      const response = await call('unary', text, 'application/grpc-web-text')
      assert.equal(response.headers.get('content-type'), 'application/grpc-web-text')
      const body = decodeText(await response.text())
      assert.deepEqual(framesOf(body!).messages, ['echo hello there'])
    }
  })

  it('carries streams of answers', async (t) => {
    const { call } = await withGateway(t)
    for (const type of ['application/grpc-web', 'application/grpc-web-text+proto']) {
      const isText = type.includes('text')
      const response = await call('repeat', isText ? frame('x').toString('base64') : frame('x'), type)
      const bytes = isText ? decodeText(await response.text())! : Buffer.from(await response.arrayBuffer())
      const { messages, trailers } = framesOf(bytes)
      assert.deepEqual(messages, ['x 0', 'x 1', 'x 2'])
      assert.match(trailers, /grpc-status:0/)
    }
  })

  it('tells how a failed call ended', async (t) => {
    const { call } = await withGateway(t)
    const response = await call('unary', frame('fail'), 'application/grpc-web')
    assert.equal(response.status, 200)
    const { messages, trailers } = framesOf(Buffer.from(await response.arrayBuffer()))
    assert.deepEqual(messages, [])
    assert.match(trailers, /^grpc-status:5\r\ngrpc-message:nicht%20da:%20%C3%BC\r\n/)
  })

  it('tells in the same way that no node could be reached', async (t) => {
    const { call, gateway } = await withGateway(t)
    await gateway.put('routes', '1', {
      uri: '/grpc/*',
      plugins: { 'grpc-web': {} },
      upstream: { scheme: 'grpc', type: 'roundrobin', nodes: { '127.0.0.1:1': 1 } },
    })
    const response = await call('unary', frame('hi'), 'application/grpc-web')
    assert.equal(response.headers.get('grpc-status'), '14')
    assert.equal(response.headers.get('content-type'), 'application/grpc-web')
  })

  it('answers preflights, and refuses what is no gRPC-Web', async (t) => {
    const { gateway, call } = await withGateway(t)
    const url = `${gateway.proxyUrl}/grpc/echo.Echo/unary`
    const preflight = await fetch(url, { method: 'OPTIONS' })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-methods'), 'POST')
    assert.equal(
      preflight.headers.get('access-control-allow-headers'),
      'content-type,x-grpc-web,x-user-agent',
    )
    assert.equal((await fetch(url)).status, 405)
    assert.equal((await call('unary', '{}', 'application/json')).status, 400)
    assert.equal((await call('unary', 'not base64!', 'application/grpc-web-text')).status, 400)
  })

  it('wants a route with a prefix', async (t) => {
    const { call } = await withGateway(t, '/grpc/echo.Echo/unary')
    assert.equal((await call('unary', frame('hi'), 'application/grpc-web')).status, 400)
  })

  it('bounds the text that it decodes', async () => {
    const answer = await mountPlugin(plugin, { max_req_body_size: 8 }).request({
      method: 'POST',
      target: '/echo.Echo/unary',
      headers: { 'content-type': 'application/grpc-web-text' },
      body: 'A'.repeat(12),
    })
    assert.equal(answer.status, 413)
  })

  it('calls nothing but two parts of a path', async () => {
    const answer = await mountPlugin(plugin, {}).request({
      method: 'POST',
      target: '/a/b/x%0d%0ay.Echo/un%3fary',
      headers: { 'content-type': 'application/grpc-web' },
    })
    assert.equal(answer.sent?.target, '/x%0D%0Ay.Echo/un%3Fary')
  })
})
