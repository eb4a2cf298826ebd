import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { constants } from 'node:http2'
import https from 'node:https'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { rawConnect } from '../support/raw-client.ts'

const H2C = { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } }

function routeTo(address: string): Resources {
  return { routes: { all: { uri: '/*', upstream: { nodes: { [address]: 1 } } } } }
}

describe('a client that speaks HTTP/2', () => {
  it('is served on a listener with enable_http2, as HTTP/1.1 clients are', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => {
      response.writeHead(201, [
        ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Case', 'Kept', 'Connection', 'close'],
      ])
      response.end('hello')
    })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const answer = await ask(session, { ':path': '/a?b=c', ':authority': 'shop.test', 'x-one': '1' })
    assert.equal(answer.status, 201)
    assert.equal(answer.body, 'hello')
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
    assert.equal(answer.headers['x-case'], 'Kept')
    assert.equal(answer.headers.connection, undefined)
    const seen = node.requests[0]!
    assert.equal(seen.url, '/a?b=c')
    assert.equal(seen.headers.host, 'shop.test')
    assert.equal(seen.headers['x-one'], '1')
    assert.ok(!seen.rawHeaders.some((name) => name.startsWith(':')), 'pseudo headers went to the node')
    assert.equal(await (await fetch(`${gateway.proxyUrl}/x`)).text(), 'hello')
  })

  it('may send its cookies in several lines, which a node of HTTP/1.1 gets as one', async (t) => {
    const node = await fakeUpstream(t)
    const resources = routeTo(node.address)
    const route = {
      ...resources.routes!['all'],
      plugins: {
        'proxy-rewrite': { headers: { set: { 'X-Cookies': '$http_cookie', 'X-Second': '$cookie_b' } } },
      },
    }
    const gateway = await startGateway(t, { routes: { all: route } }, H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    await ask(session, { ':path': '/', ':authority': 'a', cookie: ['a=1', 'b=2', 'c=3'] })
    const { rawHeaders, headers } = node.requests[0]!
    assert.equal(rawHeaders.filter((name) => name.toLowerCase() === 'cookie').length, 1)
    assert.equal(headers.cookie, 'a=1; b=2; c=3')
    assert.equal(headers['x-cookies'], 'a=1; b=2; c=3')
    assert.equal(headers['x-second'], '2')
  })

  it('sends bodies of known and unknown length, and HTTP/1.1 beside it with its first bytes in pieces', async (t) => {
    const node = await fakeUpstream(t, (request, response) => void request.pipe(response))
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const large = 'x'.repeat(300_000)
    const [known, unknown] = await Promise.all([
      ask(session, { ':method': 'POST', ':path': '/', 'content-length': large.length }, large),
      ask(session, { ':method': 'PUT', ':path': '/' }, large),
    ])
    assert.equal(known.body, large)
    assert.equal(unknown.body, large)
    assert.equal(node.requests[0]!.headers['content-length'], '300000')
    assert.equal(node.requests[1]!.headers['transfer-encoding'], 'chunked')
    const raw = await rawConnect(t, gateway.proxyPort)
    for (const piece of [
      'P',
      'OST / HTTP/1.1\r\n',
      'Host: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
    ]) {
      raw.send(piece)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.match(await raw.untilClosed(), /^HTTP\/1\.1 200 OK[\s\S]*\r\nhi\r\n/)
  })

  it('gets the answers of the gateway itself, and of requests that are refused', async (t) => {
    const gateway = await startGateway(t, {}, H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const missing = await ask(session, { ':path': '/none', ':authority': 'a' })
    assert.equal(missing.status, 404)
    assert.match(missing.body, /404 Route Not Found/)
    assert.equal((await ask(session, { ':path': '/%zz', ':authority': 'a' })).status, 400)
    assert.equal((await ask(session, { ':path': '/', ':method': 'BREW', ':authority': 'a' })).status, 400)
    // From Node 22 on nghttp2 itself resets such a stream.
    const misnamed = await ask(session, { ':path': '/', ':authority': 'a@b' }).catch((error: Error) => error)
    if (misnamed instanceof Error) assert.match(misnamed.message, /NGHTTP2_PROTOCOL_ERROR/)
    else assert.equal(misnamed.status, 400)
    const head = await ask(session, { ':path': '/', ':method': 'HEAD', ':authority': 'a' })
    assert.deepEqual([head.status, head.body], [404, ''])
  })

  it('is answered while it still sends, and told that the rest is not wanted', async (t) => {
    const gateway = await startGateway(t, {}, H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':path': '/', ':method': 'POST' })
    stream.write('a beginning')
    const [headers] = await once(stream, 'response')
    assert.equal(headers[':status'], 404)
    stream.resume()
    await once(stream, 'close')
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR)
    assert.equal((await ask(session, { ':path': '/' })).status, 404)
  })

  it('that resets its stream ends the attempt at the node, and other streams go on', async (t) => {
    let hasLeft = false
    const node = await fakeUpstream(t, (request, response) => {
      if (request.url === '/ok') response.end('ok')
      else response.on('close', () => (hasLeft = true))
    })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':path': '/wait' })
    stream.on('error', () => {})
    await poll(() => node.requests.length === 1)
    stream.close(constants.NGHTTP2_CANCEL)
    await poll(() => hasLeft)
    assert.equal((await ask(session, { ':path': '/ok' })).body, 'ok')
  })

  it('never takes a broken answer for a whole one', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => {
      response.writeHead(200)
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    await assert.rejects(ask(session, { ':path': '/' }), /NGHTTP2_INTERNAL_ERROR/)
  })

  it('is not read faster than it takes the answer', async (t) => {
    let written = 0
    const node = await fakeUpstream(t, (_request, response) => {
      const more = () => {
        while (written < 400) {
          written++
          if (!response.write(Buffer.alloc(64 * 1024))) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const stream = session.request({ ':path': '/' })
    await once(stream, 'response')
    let before = -1
    await poll(async () => {
      const isStill = written === before
      before = written
      await new Promise((resolve) => setTimeout(resolve, 50))
      return isStill
    })
    assert.ok(written < 400, 'the whole answer was read for a client that takes nothing')
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    assert.equal(bytes, 400 * 64 * 1024)
  })

  it('loses a stream whose answer it leaves no room for, and a connection that it leaves idle', async (t) => {
    const node = await fakeUpstream(t, (request, response) => {
      response.end(request.url === '/large' ? Buffer.alloc(1024 * 1024) : 'small')
    })
    const gateway = await startGateway(t, routeTo(node.address), {
      settings: {
        ...H2C.settings,
        'nginx_config.http.send_timeout': '200ms',
        'nginx_config.http.keepalive_timeout': '1s',
      },
    })
    const session = await connectHttp2(t, gateway.proxyUrl)
    const closed = new Promise((resolve) => session.once('close', resolve))
    const stream = session.request({ ':path': '/large' })
    stream.on('error', () => {})
    await new Promise((resolve) => stream.once('close', resolve))
    assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL)
    assert.equal((await ask(session, { ':path': '/small' })).body, 'small')
    await closed
  })

  it('gets a GOAWAY when the gateway stops, and its streams finish', async (t) => {
    let answer: (() => void) | undefined
    const node = await fakeUpstream(t, (_request, response) => {
      answer = () => response.end('late')
    })
    const gateway = await startGateway(t, routeTo(node.address), H2C)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const pending = ask(session, { ':path': '/' })
    await poll(() => answer !== undefined)
    const goaway = once(session, 'goaway')
    const stopped = gateway.stop()
    assert.equal((await goaway)[0], constants.NGHTTP2_NO_ERROR)
    answer!()
    assert.equal((await pending).body, 'late')
    assert.deepEqual(await stopped, { forced: 0 })
  })
})

describe('a listener with TLS', () => {
  const tls = async (t: TestContext, settings: Record<string, unknown> = {}) => {
    const node = await fakeUpstream(t)
    const { cert, key } = makeCertificate({ names: ['shop.test'] })
    const resources = { ...routeTo(node.address), ssls: { shop: { snis: ['shop.test'], cert, key } } }
    const gateway = await startGateway(t, resources, { settings })
    return { node, url: `https://127.0.0.1:${gateway.addresses.tls![0]!.port}` }
  }
  const options = { servername: 'shop.test', rejectUnauthorized: false }

  it('agrees on HTTP/2 with clients that offer it, and on HTTP/1.1 with others', async (t) => {
    const { node, url } = await tls(t)
    const session = await connectHttp2(t, url, options)
    assert.equal(session.alpnProtocol, 'h2')
    const answer = await ask(session, { ':path': '/x', ':authority': 'shop.test' })
    assert.equal(answer.body, 'ok')
    assert.equal(node.requests[0]!.headers['x-forwarded-proto'], 'https')
    const request = https.get(url, { ...options, agent: false })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    assert.equal(response.httpVersion, '1.1')
    response.resume()
  })

  it('offers HTTP/1.1 only with enable_http2: false', async (t) => {
    const { url } = await tls(t, { 'apisix.enable_http2': false })
    await assert.rejects(connectHttp2(t, url, options), /ALPN|closed|alert|HTTP2|ECONNRESET/i)
  })
})

describe('a listener without enable_http2', () => {
  it('does not speak HTTP/2', async (t) => {
    const gateway = await startGateway(t, {})
    const raw = await rawConnect(t, gateway.proxyPort)
    raw.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    assert.match(await raw.untilClosed(), /^HTTP\/1\.1 [45]/)
  })
})

describe('trailers of a node', () => {
  it('reach an HTTP/1.1 client that asked for them, and no other', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => response.end())
    const grpcNode = await trailerNode(t)
    const gateway = await startGateway(t, {
      routes: {
        all: { uri: '/*', upstream: { scheme: 'grpc', nodes: { [grpcNode]: 1 } } },
        other: { uri: '/other', upstream: { nodes: { [node.address]: 1 } } },
      },
    })
    const trailersFor = (headers: http.OutgoingHttpHeaders) =>
      new Promise<NodeJS.Dict<string>>((resolve, reject) => {
        const request = http.get(`${gateway.proxyUrl}/x`, { headers, agent: false }, (response) => {
          response.resume().on('end', () => resolve(response.trailers))
        })
        request.on('error', reject)
      })
    assert.deepEqual({ ...(await trailersFor({ te: 'trailers' })) }, { 'x-sum': '42' })
    assert.deepEqual({ ...(await trailersFor({})) }, {})
  })
})

async function trailerNode(t: Parameters<typeof fakeUpstream>[0]): Promise<string> {
  const { createServer } = await import('node:http2')
  const server = createServer()
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }))
    stream.end('body')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

async function poll(isDone: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000
  while (!(await isDone())) {
    if (Date.now() > end) throw new Error('it did not come about within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
