import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import {
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  literal,
  request,
  requestBlock,
} from '../../support/http2-frames.ts'
import { rawConnect, rawRequest } from '../../support/raw-client.ts'
import { eventually } from '../../support/watch-recording.ts'
import { startStage } from '../front-door/stage.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n'
const POST = 'POST /x HTTP/1.1\r\nHost: a\r\n'
const chunked = (body: string, line = 'Transfer-Encoding: chunked') => `${POST}${line}\r\n\r\n${body}`

/** Payloads that Node's parser once took for something else; all are refused, and what follows is no request. */
const PARSER: readonly (readonly [id: string, bytes: string])[] = [
  ['CVE-2021-22959', `${POST}Content-Length : 5\r\n\r\nhello`],
  ['CVE-2021-22960', chunked('1;\nx\r\na\r\n0\r\n\r\n')],
  ['CVE-2022-32213', chunked('0\r\n\r\n', 'Transfer-Encoding: chunkedchunked, identity;q')],
  ['CVE-2022-32214', `${GET}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['CVE-2022-32215', chunked('0\r\n\r\n', 'Transfer-Encoding: chunked\r\n , identity')],
  ['CVE-2022-35256', `${GET}X: a\rContent-Length: 5\r\n\r\nhello`],
  ['CVE-2023-30589', `${GET}X:\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['CVE-2024-22019', chunked(`1;${'a'.repeat(100_000)}\r\na\r\n0\r\n\r\n`)],
  ['CVE-2024-27982', `POST /x HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello`],
  ['CVE-2025-23167', `${GET}X: a\r\n\rX`],
]

async function http2(t: TestContext) {
  const node = await fakeUpstream(t)
  return startGateway(
    t,
    { routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
    { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } },
  )
}

describe('what went wrong in the parts that this gateway is made of (reliability.md §2.2)', () => {
  for (const [id, bytes] of PARSER) {
    it(`${id}: is refused with 400, and nothing behind it is taken for a request`, async (t) => {
      const stage = await startStage(t)
      const { statuses } = await stage.exchange(`${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.deepEqual(statuses, [400])
      assert.ok(!stage.received.some(({ url }) => url === '/smuggled'))
      assert.deepEqual(stage.bodyBytes, [])
    })
  }

  for (const [id, target] of [
    ['CVE-2021-21321', '/public/../admin'],
    ['CVE-2021-21322', '/public/%2e%2e/admin'],
    ['CVE-2025-66415', '/public/..%2fadmin'],
  ] as const) {
    it(`${id}: ${target} is matched and forwarded as one and the same path`, async (t) => {
      const node = await fakeUpstream(t)
      const upstream = { nodes: { [node.address]: 1 } }
      const gateway = await startGateway(t, { routes: { public: { uri: '/public/*', upstream } } })
      const { status } = await rawRequest(
        gateway.proxyPort,
        `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      assert.equal(status, 404)
      assert.equal(node.requests.length, 0)
    })
  }

  it('CVE-2023-51701: a Content-Type with a tab, a blank or a second one goes on as it was, with its body', async (t) => {
    const stage = await startStage(t)
    for (const line of [
      'Content-Type: application/json\t; a=b',
      'Content-Type:  application/json',
      'Content-Type: a/b\r\nContent-Type: c/d',
    ]) {
      await stage.exchange(`${POST}Connection: close\r\n${line}\r\nContent-Length: 2\r\n\r\n{}`)
      const { rawHeaders } = stage.received.at(-1)!
      const sent = line.split('\r\n').map((one) => one.slice(13).trim())
      const seen = rawHeaders.filter(
        (_, i) => rawHeaders[i - 1]?.toLowerCase() === 'content-type' && i % 2 === 1,
      )
      assert.deepEqual(seen, sent)
    }
    assert.deepEqual(stage.bodyBytes, [2, 2, 2])
  })

  it('CVE-2026-33805: Connection cannot strip a header that a plugin adds', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const plugins = { 'proxy-rewrite': { headers: { set: { 'X-Inner': 'secret' } } } }
    const gateway = await startGateway(t, { routes: { all: { uri: '/*', plugins, upstream } } })
    await rawRequest(gateway.proxyPort, `${GET}Connection: close, x-inner\r\n\r\n`)
    assert.equal(node.requests[0]!.headers['x-inner'], 'secret')
  })

  it('CVE-2022-35949: no target leads to a host that is no node', async (t) => {
    const evil = await fakeUpstream(t)
    const stage = await startStage(t)
    for (const target of [
      `//${evil.address}/x`,
      `http://${evil.address}/x`,
      `/\\${evil.address}`,
      `//x@${evil.address}`,
      `/@${evil.address}`,
    ])
      await stage.exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.equal(evil.requests.length, 0)
    assert.ok(stage.received.length >= 3)
  })

  for (const id of ['CVE-2022-31150', 'CVE-2022-35948', 'CVE-2023-23936', 'CVE-2026-1527']) {
    it(`${id}: no value that plugins take from a request adds a line, on either side`, async (t) => {
      const node = await fakeUpstream(t)
      const upstream = { nodes: { [node.address]: 1 } }
      const plugins = {
        'proxy-rewrite': { uri: '/v/$arg_p', headers: { set: { 'X-P': '$arg_p', 'X-C': '$cookie_c' } } },
        'response-rewrite': { headers: { set: { 'X-P': '$arg_p' } } },
      }
      const gateway = await startGateway(t, { routes: { all: { uri: '/*', plugins, upstream } } })
      const target = '/x?p=%0d%0aX-Evil:%201%0d%0a%0d%0aGET%20/evil%20HTTP/1.1'
      const { text } = await rawRequest(
        gateway.proxyPort,
        `GET ${target} HTTP/1.1\r\nHost: a\r\nCookie: c=%0d%0aX-Evil: 1\r\nUpgrade: %0d%0aX-Evil\r\nConnection: close\r\n\r\n`,
      )
      assert.doesNotMatch(text, /\r\nx-evil:/i)
      assert.equal(node.requests.length, 1)
      assert.equal(node.requests[0]!.headers['x-evil'], undefined)
    })
  }

  it('CVE-2026-1525: a length that a plugin writes beside the one of the client is one length on the wire', async (t) => {
    let head = ''
    const node = await rawUpstream(t, (socket) => {
      socket.on('data', (data) => {
        head += data.toString('latin1')
        if (head.includes('abc')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      })
    })
    const plugins = {
      'proxy-rewrite': { headers: { set: { 'content-length': '3', 'Content-LENGTH': '3' } } },
    }
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', plugins, upstream: { nodes: { [node]: 1 } } } },
    })
    await rawRequest(gateway.proxyPort, `${POST}Connection: close\r\nContent-Length: 3\r\n\r\nabc`)
    assert.equal(head.match(/content-length/gi)?.length ?? 0, 1, head)
  })

  for (const id of ['CVE-2026-22036', 'CVE-2026-2581']) {
    it(`${id}: a chain of codings or of equal requests costs the gateway nothing`, async (t) => {
      const node = await fakeUpstream(t, (_request, response) => {
        response.setHeader('content-encoding', Array(5000).fill('gzip').join(','))
        response.end('x')
      })
      const gateway = await startGateway(t, {
        routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } },
      })
      const ask = `${GET}Connection: close\r\n\r\n`
      const answers = await Promise.all(Array.from({ length: 20 }, () => rawRequest(gateway.proxyPort, ask)))
      for (const { status } of answers) assert.ok(status === 200 || status === 502)
    })
  }

  it('CVE-2024-30260: a redirect of the node is shown to the client, and never followed', async (t) => {
    const other = await fakeUpstream(t)
    const node = await fakeUpstream(t, (_request, response) => {
      response.writeHead(302, { location: `http://${other.address}/` }).end()
    })
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } },
    })
    const { status, headers } = await rawRequest(
      gateway.proxyPort,
      `${GET}Authorization: x\r\nConnection: close\r\n\r\n`,
    )
    assert.deepEqual([status, headers['location']], [302, `http://${other.address}/`])
    assert.equal(other.requests.length, 0)
  })

  it('CVE-2024-21536: odd paths end no process', async (t) => {
    const stage = await startStage(t)
    for (const target of [
      '//x@x',
      '//',
      '/%',
      '///////',
      '/?',
      '/*',
      '*',
      '/..',
      '/:::@',
      '/%ff%fe',
      '@',
      'x:y',
    ])
      await stage.exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.deepEqual((await stage.exchange(`${GET}Connection: close\r\n\r\n`)).statuses, [200])
  })

  for (const id of ['CVE-2025-32996', 'CVE-2025-32997']) {
    it(`${id}: a body is written once, whatever it claims to be`, async (t) => {
      const stage = await startStage(t)
      for (const body of ['{', 'a=b&a', '<x>', '']) {
        const head = `${POST}Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
        assert.deepEqual((await stage.exchange(head + body)).statuses, [200])
      }
      assert.deepEqual(stage.bodyBytes, [1, 5, 3, 0])
    })
  }

  it('CVE-2026-55602: a host that only contains, begins or ends with another is not that host', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const gateway = await startGateway(t, {
      routes: {
        exact: { uri: '/*', host: 'example.com', upstream },
        wild: { uri: '/*', host: '*.example.org', upstream },
      },
    })
    const statusOf = async (host: string) =>
      (await rawRequest(gateway.proxyPort, `GET /api HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
        .status
    for (const host of [
      'evilexample.com',
      'example.com.evil',
      'xexample.org',
      'example.org.evil',
      'example.com.evil:80',
    ])
      assert.equal(await statusOf(host), 404, host)
    for (const host of ['example.com@evil', 'evil/example.com']) assert.equal(await statusOf(host), 400, host)
    for (const host of ['example.com', 'a.example.org:3000']) assert.equal(await statusOf(host), 200, host)
  })

  it('CVE-2025-59465: a broken HEADERS frame ends a connection, not the process', async (t) => {
    const gateway = await http2(t)
    for (const payload of [
      Buffer.from([0x80]),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]),
      literal(':path', '/'),
      Buffer.alloc(0),
    ]) {
      for (const flags of [0, END_HEADERS, END_HEADERS | END_STREAM, 0x2c]) {
        const client = await connectFrames(t, gateway.proxyPort)
        await client.send(frame(FRAME.headers, { stream: 1, flags, payload }))
        await client.send(frame(FRAME.data, { stream: 1, flags: 8, payload: Buffer.from([9]) }))
        client.socket.resetAndDestroy()
      }
    }
    const sound = await connectFrames(t, gateway.proxyPort)
    await sound.send(request(1))
    await eventually('another one is answered', () => sound.answered.has(1))
  })

  it('CVE-2024-27983: a connection that is reset among CONTINUATION frames ends no process', async (t) => {
    const gateway = await http2(t)
    for (let i = 0; i < 50; i++) {
      const client = await connectFrames(t, gateway.proxyPort)
      await client.send(frame(FRAME.headers, { stream: 1, payload: requestBlock() }))
      await client.send(frame(FRAME.continuation, { stream: 1, payload: literal('a', 'b') }))
      client.socket.resetAndDestroy()
    }
    const sound = await connectFrames(t, gateway.proxyPort)
    await sound.send(request(1))
    await eventually('another one is answered', () => sound.answered.has(1))
    sound.socket.destroy()
    const url = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
    await eventually('none of them is kept', async () =>
      /^gatewright_client_connections 0$/m.test(await (await fetch(url)).text()),
    )
  })

  it('CVE-2026-21710: a header called __proto__ is data, on both sides', async (t) => {
    const node = await rawUpstream(t, (socket) => {
      socket.on('data', () =>
        socket.end('HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\nContent-Length: 2\r\n\r\nok'),
      )
    })
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', upstream: { nodes: { [node]: 1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`${GET}__proto__: x\r\n__proto__: y\r\nConnection: close\r\n\r\n`)
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 200 .*\r\n__proto__: x\r\n.*ok$/s)
    assert.equal(({} as Record<string, unknown>)['x'], undefined)
  })

  it('CVE-2026-48931: what a node says without being asked is no answer to the next request', async (t) => {
    const node = await rawUpstream(t, (socket) => {
      socket.setNoDelay(true)
      const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        setImmediate(() => socket.write(evil))
      })
    })
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', upstream: { nodes: { [node]: 1 } } } },
    })
    for (let i = 0; i < 20; i++) {
      assert.equal(await (await fetch(gateway.proxyUrl)).text(), 'ok')
      // Until what nobody asked for has come.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
})
