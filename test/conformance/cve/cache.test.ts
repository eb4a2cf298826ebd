import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../../support/raw-client.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function stage(t: TestContext, handler: Handler, cache: Record<string, unknown> = {}) {
  const upstream = await fakeUpstream(t, handler)
  const gateway = await startGateway(t)
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: { 'proxy-cache': { cache_strategy: 'memory', cache_zone: 'memory_cache', ...cache } },
    upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
  })
  /** Lines of a head after the request line; the body that comes back. */
  const ask = async (target: string, lines: readonly string[] = [], start = 'GET') => {
    const head = [`${start} ${target} HTTP/1.1`, ...lines, 'Connection: close', '', '']
    if (!lines.some((line) => /^host:/i.test(line))) head.splice(1, 0, 'Host: site.test')
    return rawRequest(gateway.proxyPort, head.join('\r\n'))
  }
  return { upstream, gateway, ask }
}

/** Answers with what an upstream may build links from, as far as it got any of it. */
const echoing: Handler = ({ headers, url, method }, response) => {
  const seen = Object.entries(headers)
    .filter(([name]) => /^x-|^host$|^forwarded$/.test(name))
    .filter(([name]) => name !== 'x-forwarded-for' && name !== 'x-real-ip')
  response.end(JSON.stringify({ url, method, ...Object.fromEntries(seen) }))
}

describe('caches elsewhere (reliability.md §2.1 and §2.3)', () => {
  it('CVE-2026-2836: one host or scheme never gets the answer of another, whatever the key names', async (t) => {
    const { ask } = await stage(t, ({ headers }, response) => response.end(`for ${headers.host}`), {
      cache_key: ['$uri'],
    })
    for (const host of ['a.test', 'b.test', 'a.test:8080', 'a.test']) {
      assert.match((await ask('/same', [`Host: ${host}`])).body, new RegExp(`for ${host}$`))
    }
  })

  it('CVE-2025-4366: a hit leaves no body behind that the next request would be read from', async (t) => {
    const { gateway, ask, upstream } = await stage(t, (_, response) => response.end('stored'), {
      cache_method: ['GET', 'POST'],
    })
    const post = 'POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 44\r\n\r\n'
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n\r\n'
    await ask('/')
    const asked = upstream.requests.length
    const connection = await rawConnect(t, gateway.proxyPort)
    connection.send(`${post}${smuggled}`)
    await connection.until(/stored$/)
    connection.send(`${post}${smuggled}GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n`)
    const text = await connection.untilClosed()
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3)
    assert.equal(text.match(/Status: HIT/g)?.length, 2)
    assert.ok(upstream.requests.slice(asked).every(({ url }) => url === '/'))
  })

  const unkeyed = [
    ...['X-Forwarded-Host: evil.test', 'X-Forwarded-Scheme: http', 'X-Forwarded-Prefix: /evil'],
    ...['X-Original-URL: /evil', 'X-Rewrite-URL: /evil', 'X_Original_URL: /evil', 'X-Host: evil.test'],
    ...['X-HTTP-Method-Override: DELETE', 'X-Method-Override: POST', 'Forwarded: host=evil.test'],
    'Host: site.test:1337',
  ]
  for (const line of unkeyed) {
    it(`class cache: ${line} changes nobody else's answer`, async (t) => {
      const { ask } = await stage(t, echoing)
      await ask('/page', [line])
      const { body } = await ask('/page')
      assert.doesNotMatch(body, /evil|1337|DELETE|POST/)
      assert.match((await ask('/page')).text, /Status: HIT/)
    })
  }

  for (const suffix of ['/x.css', ';.css', '%00.css', '%3f.css', '%23.css', '%0a.css', '/..%2fx.css']) {
    it(`class cache deception: what is for one client is not kept because its path ends in ${suffix}`, async (t) => {
      const { ask } = await stage(t, ({ headers }, response) => {
        response.setHeader('Cache-Control', 'private')
        response.end(`account of ${headers.cookie}`)
      })
      const target = `/account${suffix}`
      await ask(target, ['Cookie: victim'])
      assert.doesNotMatch((await ask(target, ['Cookie: other'])).body, /victim/)
    })
  }

  it('class cache: an encoded ? is no query, in either direction', async (t) => {
    const { ask } = await stage(t, ({ url }, response) => response.end(`target ${url}`))
    for (const target of ['/a%3Fb', '/a?b', '/a%3Fb', '/a?b']) {
      assert.ok((await ask(target)).body.endsWith(`target ${target}`))
    }
  })

  const unshared: [what: string, lines: readonly string[], answer: Record<string, string>][] = [
    ['Authorization', ['Authorization: Bearer victim'], {}],
    ['Set-Cookie', [], { 'Set-Cookie': 'session=victim' }],
    ['Vary: *', [], { Vary: '*' }],
    ['no-store in a second line', [], { 'Cache-Control': 'max-age=60, No-Store' }],
  ]
  for (const [what, lines, answer] of unshared) {
    it(`class cache: nothing is shared with ${what}`, async (t) => {
      const { ask, upstream } = await stage(t, (_, response) => {
        for (const [name, value] of Object.entries(answer)) response.setHeader(name, value)
        response.end(`answer ${upstream.requests.length}`)
      })
      await ask('/', lines)
      assert.match((await ask('/')).body, /answer 2/)
    })
  }

  it('class cache: a HEAD leaves no empty page behind for a GET', async (t) => {
    const { ask } = await stage(t, (_, response) => response.end('page'))
    await ask('/', [], 'HEAD')
    assert.match((await ask('/')).body, /page/)
    assert.match((await ask('/', [], 'HEAD')).text, /Status: HIT/)
  })

  it('class cache: the body of a GET decides nothing for those who have none', async (t) => {
    const { ask, gateway } = await stage(t, (request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => response.end(`said ${body}.`))
    })
    const fat = 'GET / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil'
    assert.match((await rawRequest(gateway.proxyPort, fat)).body, /said evil\./)
    assert.match((await ask('/')).body, /said \./)
    assert.match((await rawRequest(gateway.proxyPort, fat)).body, /said evil\./)
  })

  it('class cache (CPDoS): what one head provokes is nobody else’s error page', async (t) => {
    const every = Array.from({ length: 200 }, (_, i) => 400 + i)
    const { ask } = await stage(
      t,
      ({ headers }, response) => {
        const provoked = Number(headers['x-provoke'] ?? 200)
        response.writeHead(provoked).end()
      },
      { cache_http_status: [200, ...every.filter((status) => status < 500)] },
    )
    for (const status of [400, 408, 412, 413, 414, 416, 417, 431]) {
      assert.equal((await ask('/', [`X-Provoke: ${status}`])).status, status)
    }
    assert.equal((await ask('/')).status, 200)
    for (const line of [`X-Long: ${'x'.repeat(40_000)}`, 'X-Meta: a\x01b']) {
      assert.ok((await ask('/other', [line])).status >= 400)
      assert.equal((await ask('/other')).status, 200)
    }
  })

  it('class cache: by default no error is kept but a 404', async (t) => {
    const { ask, upstream } = await stage(t, ({ url }, response) => {
      response.writeHead(Number(url?.slice(1))).end()
    })
    for (const status of [400, 401, 403, 405, 429, 500, 502, 503, 504]) {
      for (let i = 0; i < 2; i++) await ask(`/${status}`)
    }
    assert.equal(upstream.requests.length, 18)
  })
})
