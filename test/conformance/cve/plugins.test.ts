import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../../support/raw-client.ts'

/** Where a response begins, in a line of its own or behind the body of the one before. */
const STATUSES = /(?:^|\n|[^ \t])HTTP\/1\.1 (\d{3}) /g

describe('what went wrong in plugins of other gateways (reliability.md §2.1 and §2.3)', () => {
  for (const [name, config, status] of [
    ['mocking', { response_example: 'made up' }, 200],
    ['fault-injection', { abort: { http_status: 418, body: 'no' } }, 418],
    ['serverless-pre-function', { functions: ['() => [202, "mine"]'] }, 202],
    ['request-validation', { header_schema: { required: ['x-a'] } }, 400],
    ['client-control', { max_body_size: 3 }, 413],
  ] as const) {
    it(`CVE-2025-4366: an answer of ${name} without the body leaves the next request whole`, async (t) => {
      const node = await fakeUpstream(t)
      const upstream = { nodes: { [node.address]: 1 } }
      const gateway = await startGateway(t, {
        routes: {
          all: { uri: '/*', upstream },
          one: { uri: '/one', plugins: { [name]: config }, upstream },
        },
      })
      const inner = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
      const client = await rawConnect(t, gateway.proxyPort)
      client.send(
        `POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}` +
          'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      )
      const text = await client.untilClosed()
      const statuses = [...text.matchAll(STATUSES)].map((match) => Number(match[1]))
      assert.equal(statuses[0], status)
      // One clean answer, or two.
      assert.ok(statuses.length === 1 || (statuses.length === 2 && statuses[1] === 200), statuses.join())
      assert.ok(node.requests.every(({ url }) => url === '/next'))
    })
  }

  it('CVE-2022-25757: of a key that stands twice in a body, what is checked is what is sent', async (t) => {
    const bodies: string[] = []
    const node = await fakeUpstream(t, (incoming, response) => {
      let body = ''
      incoming.on('data', (chunk) => {
        body += chunk
      })
      incoming.on('end', () => {
        bodies.push(body)
        response.end()
      })
    })
    const body_schema = { type: 'object', properties: { role: { enum: ['user'] } } }
    const plugins = { 'request-validation': { body_schema } }
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
    })
    const post = async (body: string | Uint8Array) =>
      (await fetch(gateway.proxyUrl, { method: 'POST', body })).status
    assert.equal(await post('{"role":"user","role":"admin"}'), 400)
    assert.equal(await post('{"role":"admin","role":"user"}'), 200)
    const odd = ['\ufeff{"role":"user"}', '{"role":"user","x":NaN}', '{"role":"user","x":1e400}']
    for (const body of [...odd, Buffer.from('{"role":"user","x":"\xff"}', 'latin1')])
      assert.equal(await post(body), 400)
    assert.deepEqual(bodies, ['{"role":"user"}'])
  })

  it('class crlf: no value of a request adds a line to what fault-injection and mocking answer', async (t) => {
    const headers = { 'X-Q': '$arg_q', 'X-C': '$cookie_c', 'X-U': '$http_x_u' }
    const gateway = await startGateway(t, {
      routes: {
        fault: { uri: '/fault', plugins: { 'fault-injection': { abort: { http_status: 418, headers } } } },
        mock: { uri: '/mock', plugins: { mocking: { response_example: 'x', response_headers: headers } } },
      },
    })
    const evil = '%0d%0aX-Evil:%201%0d%0a%0d%0aHTTP/1.1%20200%20OK'
    for (const path of ['/fault', '/mock']) {
      const head = `GET ${path}?q=${evil} HTTP/1.1\r\nHost: a\r\nCookie: c=${evil}\r\nX-U: ${evil}\r\n`
      const { text } = await rawRequest(gateway.proxyPort, `${head}Connection: close\r\n\r\n`)
      assert.doesNotMatch(text, /\r\nx-evil:/i, path)
      assert.equal([...text.matchAll(STATUSES)].length, 1, path)
    }
  })

  it('class decompression-bomb: a packed body that unpacks beyond its bound reaches nobody', async (t) => {
    const page = Buffer.alloc(20_000_000, 'x')
    const packed = new Map([
      ['gzip', gzipSync(page)],
      ['br', brotliCompressSync(page)],
      ['deflate', deflateSync(page)],
    ])
    const node = await fakeUpstream(t, ({ url = '' }, response) => {
      const coding = url.slice(1)
      response.writeHead(200, { 'content-encoding': coding }).end(packed.get(coding))
    })
    const plugins = {
      'response-rewrite': { filters: [{ regex: 'y', replace: 'z' }], max_resp_body_size: 1_000_000 },
    }
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
    })
    for (const coding of packed.keys()) {
      const response = await fetch(`${gateway.proxyUrl}/${coding}`)
      const text = await response.text().catch(() => 'broken off')
      assert.ok(text === 'broken off' || response.status === 500, `${coding}: ${response.status}`)
      assert.doesNotMatch(text, /xx/)
    }
  })

  it('class address-spoofing: real-ip takes no word of an address that is not trusted, in no spelling', async (t) => {
    const node = await fakeUpstream(t)
    const plugins = {
      'real-ip': { source: 'http_x_client_addr', trusted_addresses: ['192.0.2.0/24'] },
      'ip-restriction': { whitelist: ['10.0.0.1'] },
    }
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
    })
    for (const name of ['X-Client-Addr', 'x_client_addr', 'X-CLIENT-ADDR']) {
      const head = `GET / HTTP/1.1\r\nHost: a\r\n${name}: 10.0.0.1\r\nConnection: close\r\n\r\n`
      assert.equal((await rawRequest(gateway.proxyPort, head)).status, 403, name)
    }
    assert.equal(node.requests.length, 0)
  })
})
