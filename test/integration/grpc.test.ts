import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { callUnary, ECHO, grpcClient, grpcNode, openTalk } from '../support/grpc.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'

const H2C = { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } }

function routeTo(address: string, upstream: Record<string, unknown> = {}): Resources {
  const route = { uri: '/echo.Echo/*', upstream: { scheme: 'grpc', nodes: { [address]: 1 }, ...upstream } }
  return { routes: { echo: route as never } }
}

type Unary = grpc.handleUnaryCall<Buffer, Buffer>
type Talk = grpc.handleBidiStreamingCall<Buffer, Buffer>

const echoUnary: Unary = (call, done) => {
  const trailer = new grpc.Metadata()
  trailer.set('x-trailer', 'end')
  trailer.set('bytes-bin', Buffer.from([0, 255]))
  const head = new grpc.Metadata()
  head.set('x-head', String(call.metadata.get('x-asked')[0]))
  call.sendMetadata(head)
  done(null, call.request, trailer)
}

const echoTalk: Talk = (call) => {
  call.on('data', (message) => call.write(message))
  call.on('end', () => call.end())
}

const HANDLERS = {
  unary: echoUnary,
  collect: ((call, done) => {
    const parts: Buffer[] = []
    call.on('data', (part) => parts.push(part))
    call.on('end', () => done(null, Buffer.concat(parts)))
  }) as grpc.handleClientStreamingCall<Buffer, Buffer>,
  repeat: ((call) => {
    for (let i = 0; i < 3; i++) call.write(Buffer.concat([call.request, Buffer.from(String(i))]))
    call.end()
  }) as grpc.handleServerStreamingCall<Buffer, Buffer>,
  talk: echoTalk,
}

const asIs = (value: Buffer) => value

describe('gRPC through the gateway', () => {
  it('carries a unary call with metadata, trailers and status', async (t) => {
    const node = await grpcNode(t, HANDLERS)
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const metadata = new grpc.Metadata()
    metadata.set('x-asked', 'yes')
    const outcome = await callUnary(client, 'hello', { metadata })
    assert.equal(outcome.code, grpc.status.OK)
    assert.deepEqual(outcome.messages, ['hello'])
    assert.deepEqual(outcome.metadata.get('x-trailer'), ['end'])
    assert.deepEqual(outcome.metadata.get('bytes-bin'), [Buffer.from([0, 255])])
  })

  it('carries client, server and two-way streams', async (t) => {
    const node = await grpcNode(t, HANDLERS)
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const collected = new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest<Buffer, Buffer>(
        ECHO.collect.path,
        asIs,
        asIs,
        (error, answer) => (error ? reject(error) : resolve(answer!.toString())),
      )
      for (const part of ['a', 'b', 'c']) call.write(Buffer.from(part))
      call.end()
    })
    assert.equal(await collected, 'abc')
    const repeated: string[] = []
    const stream = client.makeServerStreamRequest<Buffer, Buffer>(
      ECHO.repeat.path,
      asIs,
      asIs,
      Buffer.from('r'),
    )
    for await (const part of stream) repeated.push(part.toString())
    assert.deepEqual(repeated, ['r0', 'r1', 'r2'])
    const { call, messages, outcome } = openTalk(client)
    for (let turn = 1; turn <= 3; turn++) {
      call.write(Buffer.from(`turn ${turn}`))
      // Each answer arrives while the client's side is still open.
      await until(() => messages.length === turn)
    }
    call.end()
    assert.equal((await outcome).code, grpc.status.OK)
    assert.deepEqual(messages, ['turn 1', 'turn 2', 'turn 3'])
  })

  it('passes on the status of a node that refuses without a message', async (t) => {
    const refuse: Unary = (_call, done) => done({ code: grpc.status.ALREADY_EXISTS, details: 'twice — no' })
    const node = await grpcNode(t, { ...HANDLERS, unary: refuse })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const outcome = await callUnary(grpcClient(t, `127.0.0.1:${gateway.proxyPort}`), 'x')
    assert.equal(outcome.code, grpc.status.ALREADY_EXISTS)
    assert.equal(outcome.details, 'twice — no')
  })

  it('hands the deadline of the client to the node, and the cancellation when it has passed', async (t) => {
    let deadline: Date | number | undefined
    let isCancelled = false
    const wait: Unary = (call) => {
      deadline = call.getDeadline()
      call.on('cancelled', () => {
        isCancelled = true
      })
    }
    const node = await grpcNode(t, { ...HANDLERS, unary: wait })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const outcome = await callUnary(client, 'x', { deadline: Date.now() + 300 })
    assert.equal(outcome.code, grpc.status.DEADLINE_EXCEEDED)
    assert.ok(Number(deadline) < Date.now() + 1000, 'the node was not told of the deadline')
    await until(() => isCancelled)
  })

  it('cancels at the node what the client cancels, and tells the client what the node cuts', async (t) => {
    const cancelled: string[] = []
    const open: grpc.ServerDuplexStream<Buffer, Buffer>[] = []
    const talk: Talk = (call) => {
      open.push(call)
      call.on('data', (message) => call.write(message))
      call.on('cancelled', () => cancelled.push('one'))
    }
    const node = await grpcNode(t, { ...HANDLERS, talk })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const first = openTalk(client)
    first.call.write(Buffer.from('a'))
    await until(() => first.messages.length === 1)
    first.call.cancel()
    assert.equal((await first.outcome).code, grpc.status.CANCELLED)
    await until(() => cancelled.length === 1)
    const second = openTalk(client)
    second.call.write(Buffer.from('b'))
    await until(() => second.messages.length === 1)
    node.server.forceShutdown()
    const cut = await second.outcome
    assert.equal(cut.code, grpc.status.UNAVAILABLE, cut.details)
  })

  it('goes on with a new connection when the node ends the old one with GOAWAY', async (t) => {
    const node = await grpcNode(t, HANDLERS)
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    assert.equal((await callUnary(client, 'one')).code, grpc.status.OK)
    node.server.drain(node.address, 1000)
    for (let i = 0; i < 20; i++) assert.equal((await callUnary(client, 'two')).code, grpc.status.OK)
  })

  it('is encrypted to the node for scheme grpcs', async (t) => {
    const { cert, key } = makeCertificate({ names: ['127.0.0.1'] })
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }
    const node = await grpcNode(t, HANDLERS, grpc.ServerCredentials.createSsl(null, [pair]))
    const gateway = await startGateway(t, routeTo(node.address, { scheme: 'grpcs' }), H2C)
    const outcome = await callUnary(grpcClient(t, `127.0.0.1:${gateway.proxyPort}`), 'secret')
    assert.deepEqual([outcome.code, outcome.messages], [grpc.status.OK, ['secret']])
  })
})

describe('a gRPC client of a gateway that cannot serve it', () => {
  it('is told UNIMPLEMENTED for an unknown route, in one frame with HTTP 200', async (t) => {
    const gateway = await startGateway(t, {}, H2C)
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const outcome = await callUnary(client, 'x')
    assert.equal(outcome.code, grpc.status.UNIMPLEMENTED)
    assert.equal(outcome.details, '404 Route Not Found')
    const session = await connectHttp2(t, gateway.proxyUrl)
    const headers = { ':path': '/', ':method': 'POST', 'content-type': 'application/grpc+proto' }
    const answer = await ask(session, headers, 'x')
    assert.deepEqual([answer.status, answer.headers['grpc-status'], answer.body], [200, '12', ''])
    const web = await ask(session, { ...headers, 'content-type': 'application/grpc-web' }, 'x')
    assert.equal(web.status, 404)
  })

  it('is told UNAVAILABLE when no node can be reached', async (t) => {
    const gateway = await startGateway(t, routeTo(await refusingAddress()), H2C)
    const outcome = await callUnary(grpcClient(t, `127.0.0.1:${gateway.proxyPort}`), 'x')
    assert.equal(outcome.code, grpc.status.UNAVAILABLE)
  })

  it('is told DEADLINE_EXCEEDED when a node does not speak or does not answer in time', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const mute = await grpcNode(t, { ...HANDLERS, unary: () => {} })
    for (const [address, timeout] of [
      [silent, { connect: 0.1, send: 5, read: 5 }],
      [mute.address, { connect: 5, send: 5, read: 0.1 }],
    ] as const) {
      const gateway = await startGateway(t, routeTo(address, { timeout }), H2C)
      const outcome = await callUnary(grpcClient(t, `127.0.0.1:${gateway.proxyPort}`), 'x')
      assert.equal(outcome.code, grpc.status.DEADLINE_EXCEEDED)
    }
  })

  it('is told UNAUTHENTICATED by a plugin that wants a key', async (t) => {
    const node = await grpcNode(t, HANDLERS)
    const { routes } = routeTo(node.address)
    const echo = { ...routes!['echo'], plugins: { 'key-auth': {} } }
    const gateway = await startGateway(t, { routes: { echo } }, H2C)
    const outcome = await callUnary(grpcClient(t, `127.0.0.1:${gateway.proxyPort}`), 'x')
    assert.equal(outcome.code, grpc.status.UNAUTHENTICATED)
    assert.match(outcome.details, /API key/)
  })
})

async function until(isDone: () => boolean): Promise<void> {
  const end = Date.now() + 5000
  while (!isDone()) {
    if (Date.now() > end) throw new Error('it did not come about within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
