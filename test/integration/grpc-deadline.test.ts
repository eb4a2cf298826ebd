import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { fakeUpstream, rawUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { http2Node } from '../support/http2-node.ts'

const H2C = { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } }
const CALL = { ':method': 'POST', ':path': '/echo.Echo/talk', 'content-type': 'application/grpc' }
/** One message of two bytes. */
const MESSAGE = Buffer.from([0, 0, 0, 0, 2, 104, 105])
/** Longer than any deadline here, short enough to fail a test that waits for it. */
const PATIENCE = { timeout: 40_000 }

/** A session with a gateway in front of nodes; gRPC's clients keep deadlines themselves, this one does not. */
async function clientOf(
  t: TestContext,
  nodes: readonly string[],
  { upstream = {}, ...options }: StartOptions & { upstream?: Record<string, unknown> } = {},
): Promise<{ session: ClientHttp2Session; logs: readonly Readonly<Record<string, unknown>>[] }> {
  const members = { scheme: 'grpc', nodes: Object.fromEntries(nodes.map((node) => [node, 1])), ...upstream }
  const plugins = Object.fromEntries(Object.keys(options.plugins ?? {}).map((name) => [name, {}]))
  const routes = { all: { uri: '/*', plugins, upstream: members as never } }
  const gateway = await startGateway(t, { routes }, { ...H2C, ...options })
  return { session: await connectHttp2(t, gateway.proxyUrl), logs: gateway.logs }
}

/** The code that a stream is reset with, once it is gone. */
async function resetOf(stream: ServerHttp2Stream): Promise<number | undefined> {
  if (!stream.closed) await once(stream, 'close')
  return stream.rstCode
}

function trailersOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  return once(stream.resume(), 'trailers').then(([trailers]) => trailers as IncomingHttpHeaders)
}

describe('the deadline of a gRPC call', () => {
  it(
    'ends a call without an answer: a status in the head for the client, a cancellation for the node',
    PATIENCE,
    async (t) => {
      const seen: { stream: ServerHttp2Stream; timeout: unknown }[] = []
      const node = await http2Node(t, (stream, headers) => {
        seen.push({ stream, timeout: headers['grpc-timeout'] })
      })
      const { session } = await clientOf(t, [node])
      const startedAt = performance.now()
      const answer = await ask(session, { ...CALL, 'grpc-timeout': '150m' }, MESSAGE)
      assert.ok(performance.now() - startedAt >= 149, 'it was ended before its time')
      assert.deepEqual([answer.status, answer.headers['grpc-status'], answer.body], [200, '4', ''])
      assert.equal(answer.trailers, undefined)
      assert.equal(seen.length, 1)
      assert.equal(seen[0]!.timeout, '150m')
      assert.equal(await resetOf(seen[0]!.stream), constants.NGHTTP2_CANCEL)
    },
  )

  it('ends a call under way by trailers', PATIENCE, async (t) => {
    const streams: ServerHttp2Stream[] = []
    const node = await http2Node(t, (stream) => {
      streams.push(stream)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(MESSAGE)
    })
    const { session } = await clientOf(t, [node])
    const call = session.request({ ...CALL, 'grpc-timeout': '200m' })
    call.write(MESSAGE)
    const trailers = trailersOf(call)
    const [head] = await once(call, 'response')
    assert.equal(head[':status'], 200)
    assert.equal((await trailers)['grpc-status'], '4')
    assert.equal(await resetOf(streams[0]!), constants.NGHTTP2_CANCEL)
    call.close()
  })

  it('counts from the receipt, through connecting and retries', PATIENCE, async (t) => {
    const silent = await rawUpstream(t, () => {})
    const cutting = await rawUpstream(t, (socket) => void setTimeout(() => socket.destroy(), 60))
    for (const [nodes, options] of [
      [[silent], {}],
      [[cutting], { upstream: { retries: 100 } }],
    ] as const) {
      const { session, logs } = await clientOf(t, nodes, options)
      const answer = await ask(session, { ...CALL, 'grpc-timeout': '100m' }, MESSAGE)
      assert.deepEqual([answer.status, answer.headers['grpc-status']], [200, '4'])
      const codes = logs.map(({ code }) => code).filter((code) => code !== undefined)
      assert.deepEqual(codes, ['grpc_deadline_exceeded'])
    }
  })

  it(
    'lets no attempt follow when it passes in a plugin, before the first one or between two',
    PATIENCE,
    async (t) => {
      let attempts = 0
      const node = await rawUpstream(t, (socket) => {
        attempts++
        socket.destroy()
      })
      const wait = () => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 80))
      for (const [phases, deadline] of [
        [{ access: wait }, '40m'],
        [{ beforeProxy: wait }, '120m'],
      ] as const) {
        const slow = definePlugin<object>({
          name: 'slow',
          priority: 1,
          schema: { type: 'object' },
          compile: () => phases,
        })
        const { session } = await clientOf(t, [node], {
          upstream: { retries: 5 },
          plugins: { slow: async () => ({ default: slow }) },
        })
        const answer = await ask(session, { ...CALL, 'grpc-timeout': deadline }, MESSAGE)
        assert.equal(answer.headers['grpc-status'], '4')
        const before = attempts
        await wait()
        await wait()
        assert.equal(attempts, before, `an attempt followed the deadline of ${deadline}`)
      }
    },
  )

  it('does not touch a call that ends in time', PATIENCE, async (t) => {
    const node = await http2Node(t, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(MESSAGE)
    })
    const { session, logs } = await clientOf(t, [node])
    const headers = { ...CALL, 'grpc-timeout': '100m' }
    assert.equal((await ask(session, headers, MESSAGE)).trailers?.['grpc-status'], '0')
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.ok(!logs.some(({ code }) => code === 'grpc_deadline_exceeded'))
  })

  it('is the node’s to judge when it cannot be read, and means nothing outside gRPC', PATIENCE, async (t) => {
    const seen: unknown[] = []
    const node = await fakeUpstream(t, (request, response) => {
      seen.push(request.headers['grpc-timeout'])
      setTimeout(() => response.end('late'), 100)
    })
    const { session } = await clientOf(t, [node.address], { upstream: { scheme: 'http' } })
    for (const [type, timeout] of [
      ['application/grpc', '1x'],
      ['application/grpc', '-1m'],
      ['application/grpc', '999999999m'],
      ['application/grpc-web', '1m'],
      ['application/json', '1m'],
    ] as const) {
      const answer = await ask(session, { ...CALL, 'content-type': type, 'grpc-timeout': timeout }, MESSAGE)
      assert.deepEqual([answer.status, answer.body, seen.pop()], [200, 'late', timeout])
    }
  })

  it('cuts an answer of which a part is out when there is no room for a status', PATIENCE, async (t) => {
    const node = await fakeUpstream(t, (_request, response) => void response.write('part'))
    const gateway = await startGateway(
      t,
      { routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
      H2C,
    )
    const headers = { 'content-type': 'application/grpc', 'grpc-timeout': '150m' }
    const answer = await fetch(gateway.proxyUrl, { method: 'POST', headers, body: 'x' })
    await assert.rejects(answer.text())
  })
})
