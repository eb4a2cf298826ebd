import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Upstream } from '../../src/model/types.ts'
import { fakeUpstream, type ReceivedRequest } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

interface Stage {
  /** Sends header lines; gives what the upstream received. */
  ask(lines: readonly string[], host?: string): Promise<ReceivedRequest>
  readonly port: number
  readonly upstreamPort: number
}

async function stage(
  t: TestContext,
  upstream: Partial<Upstream> = {},
  settings: StartOptions['settings'] = {},
): Promise<Stage> {
  const node = await fakeUpstream(t)
  const gateway = await startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: { nodes: { [node.address]: 1 }, ...upstream } } } },
    { settings },
  )
  return {
    port: gateway.proxyPort,
    upstreamPort: node.port,
    ask: async (lines, host = 'gateway.test:99') => {
      const head = ['GET / HTTP/1.1', `Host: ${host}`, ...lines]
      if (!lines.some((line) => /^connection:/i.test(line))) head.push('Connection: close')
      const { status } = await rawRequest(gateway.proxyPort, `${head.join('\r\n')}\r\n\r\n`)
      assert.equal(status, 200)
      return node.requests.at(-1)!
    },
  }
}

describe('headers toward the upstream', () => {
  it('keep order, spelling and repetition, and Host goes first', async (t) => {
    const { ask } = await stage(t)
    const { rawHeaders } = await ask(['b: 1', 'A: 2', 'B: 3', 'X_under: 4', 'Cookie: a=b', 'cookie: c=d'])
    assert.deepEqual(rawHeaders.slice(0, 14), [
      ...['Host', 'gateway.test:99', 'b', '1', 'A', '2', 'B', '3'],
      ...['X_under', '4', 'Cookie', 'a=b', 'cookie', 'c=d'],
    ])
  })

  it('lose what is about the connection, and what Connection nominates', async (t) => {
    const { ask } = await stage(t)
    const { headers } = await ask([
      'Connection: close, X-Hop, x-other',
      'X-Hop: 1',
      'X-Other: 2',
      'Keep-Alive: timeout=5',
      'TE: gzip',
      'Trailer: x',
      'Upgrade: h2c',
      'HTTP2-Settings: x',
      'Proxy-Connection: keep-alive',
      'X-Kept: 3',
    ])
    const gone = [
      'connection',
      'x-hop',
      'x-other',
      'keep-alive',
      'te',
      'trailer',
      'upgrade',
      'proxy-connection',
    ]
    for (const name of [...gone, 'http2-settings']) assert.equal(headers[name], undefined, name)
    assert.equal(headers['x-kept'], '3')
  })

  it('cannot be stripped of what the gateway adds', async (t) => {
    const { ask } = await stage(t)
    const { headers } = await ask(['Connection: close, X-Real-IP, X-Forwarded-For, Host'])
    assert.equal(headers['x-real-ip'], '127.0.0.1')
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers.host, 'gateway.test:99')
  })

  it('cannot be stripped of what a plugin adds', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      consumers: { jack: { username: 'jack', plugins: { 'key-auth': { key: 'k' } } } },
      routes: { 1: { uri: '/*', plugins: { 'key-auth': {} }, upstream: { nodes: { [node.address]: 1 } } } },
    })
    const { status } = await rawRequest(
      gateway.proxyPort,
      'GET / HTTP/1.1\r\nHost: a\r\napikey: k\r\nConnection: close, X-Consumer-Username\r\n\r\n',
    )
    assert.equal(status, 200)
    assert.equal(node.requests[0]!.headers['x-consumer-username'], 'jack')
  })

  it('tell of the client; what an untrusted one says of itself is replaced, its chain is continued', async (t) => {
    const { ask } = await stage(t, {}, { 'nginx_config.http.real_ip_from': [] })
    const { headers } = await ask([
      'X-Forwarded-For: 1.1.1.1',
      'X-Real-IP: 2.2.2.2',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Port: 1',
      'Forwarded: for=3.3.3.3',
    ])
    assert.equal(headers['x-forwarded-for'], '1.1.1.1, 127.0.0.1')
    assert.equal(headers['x-real-ip'], '127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'http')
    assert.equal(headers['x-forwarded-host'], 'gateway.test:99')
    assert.equal(headers['x-forwarded-port'], '99')
    assert.equal(headers['forwarded'], undefined)
  })

  it('name the port of the listener when Host has none', async (t) => {
    const { ask, port } = await stage(t)
    const { headers } = await ask([], 'gateway.test')
    assert.equal(headers['x-forwarded-port'], String(port))
  })

  it('keep what a trusted peer says', async (t) => {
    const { ask } = await stage(t, {}, { 'apisix.trusted_addresses': ['127.0.0.0/8'] })
    const { headers } = await ask([
      'X-Forwarded-For: 1.1.1.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: shop',
      'X-Forwarded-Port: 443',
      'Forwarded: for=3.3.3.3',
    ])
    assert.equal(headers['x-forwarded-for'], '1.1.1.1, 127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'https')
    assert.equal(headers['x-forwarded-host'], 'shop')
    assert.equal(headers['x-forwarded-port'], '443')
    assert.equal(headers['forwarded'], 'for=3.3.3.3')
  })

  it('tell the address that a client on loopback gives, which is believed by default as in APISIX', async (t) => {
    const { ask } = await stage(t)
    const { headers: believed } = await ask(['X-Real-IP: 2.2.2.2', 'X-Forwarded-For: 1.1.1.1'])
    assert.equal(believed['x-real-ip'], '2.2.2.2')
    assert.equal(believed['x-forwarded-for'], '1.1.1.1, 2.2.2.2')
  })

  it('tell the address that a believed proxy names as the client', async (t) => {
    const { ask } = await stage(
      t,
      {},
      {
        'nginx_config.http.real_ip_header': 'X-Forwarded-For',
        'nginx_config.http.real_ip_from': ['127.0.0.1', '10.0.0.0/8'],
        'nginx_config.http.real_ip_recursive': 'on',
      },
    )
    const { headers } = await ask(['X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.1.2.3'])
    assert.equal(headers['x-real-ip'], '203.0.113.7')
  })
})

describe('pass_host', () => {
  it('pass sends the Host of the client, port and all', async (t) => {
    const { ask } = await stage(t, { pass_host: 'pass' })
    assert.equal((await ask([], 'Shop.Example:8080')).headers.host, 'Shop.Example:8080')
  })

  it('node sends the address of the node', async (t) => {
    const { ask, upstreamPort } = await stage(t, { pass_host: 'node' })
    assert.equal((await ask([])).headers.host, `127.0.0.1:${upstreamPort}`)
  })

  it('rewrite sends what the upstream says', async (t) => {
    const { ask } = await stage(t, { pass_host: 'rewrite', upstream_host: 'inner.test:1' })
    const { headers } = await ask([])
    assert.equal(headers.host, 'inner.test:1')
    assert.equal(headers['x-forwarded-host'], 'gateway.test:99')
  })
})

describe('headers toward the client', () => {
  it('keep order, spelling and repetition, and lose what is about the connection to the node', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => {
      response.writeHead(200, [
        ...['X-b', '1', 'Set-Cookie', 'a=b', 'set-cookie', 'c=d', 'Keep-Alive', 'timeout=99', 'Date', 'then'],
        ...[
          'Connection',
          'close, X-Hop',
          'X-Hop',
          '1',
          'Trailer',
          'T',
          'Proxy-Connection',
          'x',
          'Server',
          'node',
        ],
        ...['X-Name', 'voil\xc3\xa0'],
      ])
      response.end('ok')
    })
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } },
    })
    const { text } = await rawRequest(
      gateway.proxyPort,
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    const lines = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n').slice(1)
    assert.deepEqual(lines.slice(0, 6), [
      ...['X-b: 1', 'Set-Cookie: a=b', 'set-cookie: c=d', 'Date: then', 'X-Name: voil\xc3\xa0'],
      'Server: Gatewright',
    ])
    assert.deepEqual(
      lines
        .slice(6)
        .map((line) => line.toLowerCase())
        .sort(),
      ['connection: close', 'transfer-encoding: chunked'],
    )
  })
})
