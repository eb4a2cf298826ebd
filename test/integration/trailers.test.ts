import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { http2Node } from '../support/http2-node.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'

const H2C = { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } }
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'

function routeTo(address: string, upstream: Record<string, unknown> = {}, route = {}): Resources {
  return { routes: { all: { uri: '/*', upstream: { nodes: { [address]: 1 }, ...upstream }, ...route } } }
}

/** A node that answers every request with these bytes once its head is there. */
function answering(t: TestContext, bytes: string): Promise<string> {
  return rawUpstream(t, (socket) => {
    socket.on('data', (chunk) => {
      if (chunk.includes('\r\n\r\n')) socket.write(bytes, 'latin1')
    })
  })
}

const get = (lines: string) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`

describe('trailers of an HTTP/1.1 node', () => {
  const TRAILING = `${HEAD}Trailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\nX-Sum: 43\r\n\r\n`

  it('reach a client of HTTP/1.1 that asked for them, announced as the node did', async (t) => {
    const gateway = await startGateway(t, routeTo(await answering(t, TRAILING)))
    const asked = await rawRequest(gateway.proxyPort, get('TE: trailers\r\n'))
    assert.equal(asked.headers['trailer'], 'X-Sum')
    assert.match(asked.body, /^4\r\nbody\r\n0\r\nx-sum: 42\r\nx-sum: 43\r\n\r\n$/)
  })

  it('are left out with their announcement for a client that did not ask, and one of HTTP/1.0', async (t) => {
    const gateway = await startGateway(t, routeTo(await answering(t, TRAILING)))
    const unasked = await rawRequest(gateway.proxyPort, get(''))
    assert.equal(unasked.headers['trailer'], undefined)
    assert.match(unasked.body, /^4\r\nbody\r\n0\r\n\r\n$/)
    const old = await rawRequest(gateway.proxyPort, 'GET / HTTP/1.0\r\nTE: trailers\r\n\r\n')
    assert.deepEqual([old.headers['trailer'], old.body], [undefined, 'body'])
  })

  it('reach a client of HTTP/2', async (t) => {
    const gateway = await startGateway(t, routeTo(await answering(t, TRAILING)), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const answer = await ask(session, { ':path': '/' })
    assert.equal(answer.body, 'body')
    assert.equal(answer.headers['trailer'], 'X-Sum')
    assert.equal(answer.trailers?.['x-sum'], '42, 43')
  })

  it('do not hold back the answer to HEAD, nor one without a body', async (t) => {
    for (const [method, bytes, status] of [
      ['HEAD', `${HEAD}Trailer: X-Sum\r\n\r\n`, 200],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nTrailer: X-Sum\r\n\r\n', 304],
      ['GET', 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nhi', 200],
    ] as const) {
      const gateway = await startGateway(t, routeTo(await answering(t, bytes)))
      const request = get('TE: trailers\r\n').replace('GET', method)
      const answer = await rawRequest(gateway.proxyPort, request)
      assert.deepEqual([answer.status, answer.headers['trailer']], [status, undefined])
    }
  })

  it('pass a plugin that rewrites the body', async (t) => {
    const plugins = { 'response-rewrite': { filters: [{ regex: 'body', replace: 'other' }] } }
    const gateway = await startGateway(t, routeTo(await answering(t, TRAILING), {}, { plugins }))
    const answer = await rawRequest(gateway.proxyPort, get('TE: trailers\r\n'))
    assert.match(answer.body, /^5\r\nother\r\n0\r\nx-sum: 42\r\nx-sum: 43\r\n\r\n$/)
  })

  it('are asked of the node exactly where the client asked for them', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, routeTo(node.address))
    await rawRequest(gateway.proxyPort, get('TE: gzip, trailers;q=1\r\n'))
    await rawRequest(gateway.proxyPort, get('TE: gzip\r\n'))
    assert.deepEqual(
      node.requests.map(({ headers }) => [headers.te, headers.connection]),
      [
        ['trailers', 'TE'],
        [undefined, undefined],
      ],
    )
  })

  it('that frame, route, authenticate or describe a message are dropped', async (t) => {
    const dropped = [
      ...['Content-Length: 3', 'Transfer-Encoding: chunked', 'Host: evil', 'Connection: close', 'Trailer: A'],
      ...['Set-Cookie: a=b', 'WWW-Authenticate: Basic', 'Content-Type: text/html', 'Location: /', 'Vary: *'],
      ...['Cache-Control: no-store', 'content_length: 3', 'X-Forwarded-For: 1.1.1.1'],
    ]
    const bytes = `${HEAD}\r\n0\r\n${dropped.join('\r\n')}\r\nX-Kept: 1\r\nContent-Digest: x\r\n\r\n`
    const gateway = await startGateway(t, routeTo(await answering(t, bytes)), H2C)
    const { body } = await rawRequest(gateway.proxyPort, get('TE: trailers\r\n'))
    assert.equal(body, '0\r\nx-kept: 1\r\ncontent-digest: x\r\n\r\n')
    const session = await connectHttp2(t, gateway.proxyUrl)
    const { trailers } = await ask(session, { ':path': '/' })
    assert.deepEqual(Object.entries(trailers ?? {}), [
      ['x-kept', '1'],
      ['content-digest', 'x'],
    ])
  })

  it('without end or malformed break the answer off', async (t) => {
    for (const trailers of ['A: b\r\n'.repeat(100), `A: ${'b'.repeat(20_000)}\r\n`, 'nonsense\r\n']) {
      const node = await answering(t, `${HEAD}\r\n4\r\nbody\r\n0\r\n${trailers}\r\n`)
      const gateway = await startGateway(t, routeTo(node))
      const { status, body } = await rawRequest(gateway.proxyPort, get('TE: trailers\r\n'))
      if (status === 200) assert.doesNotMatch(body, /\r\n0\r\n/, 'a broken answer looks whole')
      else assert.equal(status, 502)
    }
  })
})

describe('trailers of a request', () => {
  const POST = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n'

  /** A node that answers with the trailers it got and what announced them. */
  async function tellingNode(t: TestContext): Promise<string> {
    const node = await fakeUpstream(t, (request, response) => {
      request.resume().on('end', () => {
        response.end(JSON.stringify([request.headers.trailer, request.rawTrailers]))
      })
    })
    return node.address
  }

  it('go from HTTP/1.1 to an HTTP/1.1 node, but for those that must not', async (t) => {
    const gateway = await startGateway(t, routeTo(await tellingNode(t)))
    const trailers = [
      ...['X-Sum: 42', 'Authorization: Basic x', 'X-Consumer-Username: root', 'X_Consumer_Username: root'],
      ...['X-Forwarded-For: 1.1.1.1', 'X-Real-IP: 1.1.1.1', 'Cookie: a=b', 'X-End: yes'],
    ]
    const answer = await rawRequest(
      gateway.proxyPort,
      `${POST}Trailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`,
    )
    assert.match(answer.body, /\["X-Sum",\["X-Sum","42","X-End","yes"\]\]/)
  })

  it('go from HTTP/2 to an HTTP/1.1 node', async (t) => {
    const gateway = await startGateway(t, routeTo(await tellingNode(t)), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':path': '/', ':method': 'POST' }, { waitForTrailers: true } as object)
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42', 'x-real-ip': '1.1.1.1' }))
    stream.end('body')
    assert.equal(await textOf(stream), '[null,["x-sum","42"]]')
  })

  it('go from HTTP/1.1 to an HTTP/2 node', async (t) => {
    const node = await http2Node(t, (stream) => {
      stream.resume().on('trailers', (trailers) => {
        stream.respond({ ':status': 200 })
        stream.end(JSON.stringify([trailers['x-sum'], trailers['cookie']]))
      })
    })
    const gateway = await startGateway(t, routeTo(node, { scheme: 'grpc' }))
    const answer = await rawRequest(
      gateway.proxyPort,
      `${POST}\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\nCookie: a=b\r\n\r\n`,
    )
    assert.match(answer.body, /\["42",null\]/)
  })

  it('are sent once more with the body when a node fails', async (t) => {
    const bodies: string[] = []
    const node = await rawUpstream(t, (socket) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        if (!text.endsWith('X-Sum: 42\r\n\r\n')) return
        bodies.push(text.slice(text.indexOf('\r\n\r\n') + 4))
        if (bodies.length === 1) socket.destroy()
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const gateway = await startGateway(t, routeTo(node, { retries: 1 }))
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`${POST.replace('POST', 'PUT')}\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n`)
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 200/)
    assert.deepEqual(bodies, Array(2).fill('4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n'))
  })
})

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
