import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { IncomingHttpHeaders } from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { http2Node } from '../support/http2-node.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'

const H2C = { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } }
const FIRST = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\nX-Hint: 1\r\n\r\n'
const SECOND = 'HTTP/1.1 103 Early Hints\r\nX-Hint: 2\r\n\r\n'
const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

function routeTo(address: string, upstream: Record<string, unknown> = {}): Resources {
  return { routes: { all: { uri: '/*', upstream: { nodes: { [address]: 1 }, ...upstream } } } }
}

/** A node that gives its hints at once and the answer when it is told to. */
async function hintingNode(t: TestContext, hints: string, final = FINAL) {
  const told: { finish(): void } = { finish: () => {} }
  const address = await rawUpstream(t, (socket) => {
    socket.on('data', (chunk) => {
      if (!chunk.includes('\r\n\r\n')) return
      socket.write(hints, 'latin1')
      told.finish = () => void socket.write(final, 'latin1')
    })
  })
  return { address, finish: () => told.finish() }
}

const get = (version = '1.1') => `GET / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`

describe('early hints of a node', () => {
  it('reach a client of HTTP/1.1 while the node still thinks, one by one and as they were', async (t) => {
    const node = await hintingNode(t, FIRST + SECOND)
    const gateway = await startGateway(t, routeTo(node.address))
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(get())
    await client.until(/X-Hint: 2\r\n\r\n$/)
    assert.equal(client.text, FIRST + SECOND)
    node.finish()
    assert.match(await client.untilClosed(), /X-Hint: 2\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
  })

  it('are understood by a client as hints, and the connection goes on', async (t) => {
    const node = await rawUpstream(t, (socket) => void socket.on('data', () => socket.write(FIRST + FINAL)))
    const gateway = await startGateway(t, routeTo(node))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    for (let i = 0; i < 2; i++) {
      const request = http.get(gateway.proxyUrl, { agent })
      const seen: http.InformationEvent[] = []
      request.on('information', (information) => seen.push(information))
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      assert.equal(response.statusCode, 200)
      assert.deepEqual(
        seen.map(({ statusCode, headers }) => [statusCode, headers['link']]),
        [[103, '</a.css>; rel=preload, </b.js>']],
      )
      response.resume()
      await once(response, 'end')
    }
  })

  it('reach a client of HTTP/2', async (t) => {
    const node = await hintingNode(t, FIRST + SECOND)
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const hints = await hintsOverHttp2(t, gateway, () => node.finish())
    assert.deepEqual(
      hints.map((headers) => [headers[':status'], headers['link'], headers['x-hint']]),
      [
        [103, '</a.css>; rel=preload, </b.js>', '1'],
        [103, undefined, '2'],
      ],
    )
  })

  it('come from HTTP/2 nodes too, for clients of either version', async (t) => {
    const node = await http2Node(t, (stream) => {
      stream.additionalHeaders({ ':status': 103, link: ['</a>', '</b>'] })
      stream.additionalHeaders({ ':status': 102 })
      setImmediate(() => {
        stream.respond({ ':status': 200, 'content-length': '2' })
        stream.end('ok')
      })
    })
    const gateway = await startGateway(t, routeTo(node, { scheme: 'grpc' }), H2C)
    const { text } = await rawRequest(gateway.proxyPort, get())
    assert.match(
      text,
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\nlink: <\/b>\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*ok$/,
    )
    const hints = await hintsOverHttp2(t, gateway)
    assert.deepEqual(
      hints.map((headers) => headers['link']),
      ['</a>, </b>'],
    )
  })

  it('are kept from clients of HTTP/1.0', async (t) => {
    const node = await rawUpstream(t, (socket) => void socket.on('data', () => socket.write(FIRST + FINAL)))
    const gateway = await startGateway(t, routeTo(node))
    const answer = await rawRequest(gateway.proxyPort, get('1.0'))
    assert.deepEqual([answer.status, answer.body], [200, 'ok'])
  })

  it('lose what is about the connection or a body', async (t) => {
    const hints =
      'HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nUpgrade: h2c\r\nServer: node\r\n' +
      'Content-Length: 9\r\nTrailer: A\r\nTE: a\r\nHost: b\r\nHTTP2-Settings: c\r\nProxy-Connection: d\r\nX-Kept: 1\r\n\r\n'
    const node = await rawUpstream(t, (socket) => void socket.on('data', () => socket.write(hints + FINAL)))
    const gateway = await startGateway(t, routeTo(node), H2C)
    const { text } = await rawRequest(gateway.proxyPort, get())
    assert.match(text, /^HTTP\/1\.1 103 Early Hints\r\nX-Kept: 1\r\n\r\nHTTP\/1\.1 200 OK/)
    const [headers] = await hintsOverHttp2(t, gateway)
    assert.deepEqual(Object.keys(headers!), [':status', 'x-kept'])
  })

  it('are the only interim answers that are passed on', async (t) => {
    const others =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n'
    const node = await rawUpstream(t, (socket) => void socket.on('data', () => socket.write(others + FINAL)))
    const gateway = await startGateway(t, routeTo(node))
    assert.match((await rawRequest(gateway.proxyPort, get())).text, /^HTTP\/1\.1 200 OK/)
  })

  it('are no answer: without a final one the request fails, or goes to another node', async (t) => {
    let attempts = 0
    const node = await rawUpstream(t, (socket) => {
      socket.on('data', () => {
        attempts++
        if (attempts === 2) socket.end(SECOND + FINAL)
        else socket.end(FIRST)
      })
    })
    const gateway = await startGateway(t, routeTo(node, { retries: 1 }))
    const retried = await rawRequest(gateway.proxyPort, get())
    assert.match(
      retried.text,
      /^HTTP\/1\.1 103[\s\S]*X-Hint: 1[\s\S]*X-Hint: 2\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*ok$/,
    )
    await gateway.put('routes', 'all', { uri: '/*', upstream: { nodes: { [node]: 1 }, retries: 0 } })
    const failed = await rawRequest(gateway.proxyPort, get())
    assert.match(failed.text, /^HTTP\/1\.1 103[\s\S]*\r\n\r\nHTTP\/1\.1 502 Bad Gateway/)
  })

  it('without end are given up with 502', async (t) => {
    for (const scheme of ['http', 'grpc']) {
      const node =
        scheme === 'http'
          ? await rawUpstream(t, (socket) => void socket.on('data', () => socket.write(SECOND.repeat(100))))
          : await http2Node(t, (stream) => {
              for (let i = 0; i < 100; i++) stream.additionalHeaders({ ':status': 103, 'x-hint': '2' })
            })
      const gateway = await startGateway(t, routeTo(node, { scheme, retries: 0 }))
      const { text } = await rawRequest(gateway.proxyPort, get())
      assert.match(text, /HTTP\/1\.1 502 Bad Gateway/)
      assert.ok(text.split('HTTP/1.1 103').length <= 33, 'hints were passed on without end')
    }
  })

  it('do not keep a node from being given up that then says nothing more', async (t) => {
    const node = await hintingNode(t, FIRST)
    const gateway = await startGateway(
      t,
      routeTo(node.address, { timeout: { connect: 1, send: 1, read: 0.1 } }),
    )
    const { text } = await rawRequest(gateway.proxyPort, get())
    assert.match(text, /^HTTP\/1\.1 103[\s\S]*\r\n\r\nHTTP\/1\.1 504 /)
  })
})

/** Asks over HTTP/2 and gives the hints that came before the answer; `onHint` is called at each. */
async function hintsOverHttp2(
  t: TestContext,
  gateway: TestGateway,
  onHint = () => {},
): Promise<IncomingHttpHeaders[]> {
  const session = await connectHttp2(t, gateway.proxyUrl)
  const stream = session.request({ ':path': '/' })
  const hints: IncomingHttpHeaders[] = []
  stream.on('headers', (headers) => {
    hints.push(headers)
    onHint()
  })
  const [headers] = await once(stream, 'response')
  assert.equal(headers[':status'], 200)
  let body = ''
  for await (const chunk of stream) body += chunk
  assert.equal(body, 'ok')
  return hints
}
