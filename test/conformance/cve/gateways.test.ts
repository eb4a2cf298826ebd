import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { describe, it } from 'node:test'
import { loadSettings } from '../../../src/settings/load.ts'
import { fakeUpstream, rawUpstream } from '../../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { connectFrames, FRAME, frame, request, uint32 } from '../../support/http2-frames.ts'
import { rawConnect, rawRequest } from '../../support/raw-client.ts'
import { askOverTls } from '../../support/tls-client.ts'
import { eventually } from '../../support/watch-recording.ts'
import { startStage } from '../front-door/stage.ts'

const SAMPLE_KEY = 'edd1c9f034335f136f87ad84b625c8f1'

describe('what went wrong in other gateways (reliability.md §2.1)', () => {
  it('CVE-2020-13945: the sample key that everybody knows opens nothing, nor does an empty one', async (t) => {
    const { addresses } = await startGateway(t)
    const url = `http://127.0.0.1:${addresses.admin!.port}/apisix/admin/routes`
    for (const key of [SAMPLE_KEY, '', undefined]) {
      const response = await fetch(url, { headers: key === undefined ? {} : { 'x-api-key': key } })
      assert.equal(response.status, 401)
    }
    const settings = { 'deployment.admin.admin_key': [{ name: 'admin', key: SAMPLE_KEY, role: 'admin' }] }
    await assert.rejects(startGateway(t, {}, { settings }), /sample|known|edd1c9f0|key/i)
  })

  it('CVE-2020-11710: unless told otherwise, the Admin API listens on the loopback address alone', () => {
    const { settings } = loadSettings({ env: {}, workingDirectory: '/nonexistent', flags: {} })
    assert.equal(settings.deployment.admin.admin_listen?.ip, '127.0.0.1')
  })

  it('CVE-2021-45232: no listener of the control plane answers a write or a read without its key', async (t) => {
    const { addresses } = await startGateway(t)
    for (const path of [
      'routes',
      'consumers',
      'ssls',
      'plugins/list',
      'schema/route',
      'upstreams',
      'services/1',
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const url = `http://127.0.0.1:${addresses.admin!.port}/apisix/admin/${path}`
        assert.equal((await fetch(url, { method })).status, 401, `${method} ${path}`)
      }
    }
  })

  it('CVE-2022-25757: an admin document with one key twice, a BOM or no number is never two documents', async (t) => {
    const { addresses } = await startGateway(t)
    const url = `http://127.0.0.1:${addresses.admin!.port}/apisix/admin/routes/twice`
    const headers = { 'x-api-key': 'test-key-0123456789-0123456789-ab', 'content-type': 'application/json' }
    for (const body of [
      '\ufeff{"uri":"/a"}',
      '{"uri":"/a","priority":NaN}',
      '{"uri":"/a","priority":1e400}',
    ]) {
      const response = await fetch(url, { method: 'PUT', headers, body })
      assert.equal(response.status, 400, body)
    }
  })

  it('CVE-2022-25757: of a key that stands twice one value is checked, stored and served, and it is the same', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t)
    const url = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin/routes/twice`
    const headers = { 'x-api-key': ADMIN_KEY, 'content-type': 'application/json' }
    const upstream = JSON.stringify({ nodes: { [node.address]: 1 } })
    const bad = `{"uri":"/a","priority":1,"priority":"high","upstream":${upstream}}`
    assert.equal((await fetch(url, { method: 'PUT', headers, body: bad })).status, 400)
    const body = `{"uri":"/first","uri":"/last","upstream":${upstream}}`
    assert.equal((await fetch(`${url}?wait=applied`, { method: 'PUT', headers, body })).status, 201)
    assert.doesNotMatch(await (await fetch(url, { headers })).text(), /first/)
    assert.equal((await fetch(`${gateway.proxyUrl}/first`)).status, 404)
    assert.equal((await fetch(`${gateway.proxyUrl}/last`)).status, 200)
  })

  for (const [id, token] of [
    ['CVE-2021-32813', 'X-Forwarded-For'],
    ['CVE-2024-45410', 'x-forwarded-for, X-Real-IP, Host'],
    ['CVE-2026-29054', 'X-FORWARDED-PROTO, x-forwarded-host, Content-Length, Transfer-Encoding, Cookie'],
  ] as const) {
    it(`${id}: Connection cannot take away what the gateway adds, nor the framing (${token})`, async (t) => {
      const stage = await startStage(t)
      const head = `Host: a\r\nConnection: close, ${token}\r\nContent-Length: 3\r\nCookie: c=1\r\n`
      const { statuses } = await stage.exchange(`POST /x HTTP/1.1\r\n${head}\r\nabc`)
      assert.deepEqual(statuses, [200])
      const { headers } = stage.received[0]!
      for (const name of ['x-forwarded-for', 'x-real-ip', 'x-forwarded-proto', 'x-forwarded-host'])
        assert.ok(headers[name], `${name} is missing`)
      assert.deepEqual([headers.host, stage.bodyBytes], ['a', [3]])
    })
  }

  it('CVE-2022-23632: a trailing dot or capitals in the server name choose the same ssl', async (t) => {
    const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
    const pair = makeCertificate({ names: ['gateway'] })
    const gateway = await startGateway(t, {
      ssls: {
        any: { sni: '*', ...pair },
        guarded: { sni: 'guarded.test', client: { ca: authority.cert }, ...pair },
      },
      routes: { all: { uri: '/*', plugins: {}, upstream: { nodes: { '127.0.0.1:9': 1 } } } },
    })
    for (const hostHeader of ['guarded.test', 'guarded.test.', 'GUARDED.test', 'Guarded.Test.:443']) {
      const { status } = await askOverTls(gateway.tlsPort, { servername: 'open.test', hostHeader })
      assert.equal(status, 400, hostHeader)
    }
    for (const servername of ['guarded.test', 'GUARDED.TEST'])
      await assert.rejects(
        askOverTls(gateway.tlsPort, { servername }),
        /certificate|handshake|hang up|ECONNRESET/,
      )
  })

  it('CVE-2023-47106: a fragment in the target is refused', async (t) => {
    const stage = await startStage(t)
    assert.deepEqual((await stage.exchange('GET /x#/../admin HTTP/1.1\r\nHost: a\r\n\r\n')).statuses, [400])
    assert.equal(stage.received.length, 0)
  })

  it('CVE-2024-28869: a GET that announces a body and sends none is ended with 408', async (t) => {
    const stage = await startStage(t, { 'nginx_config.http.client_body_timeout': '200ms' })
    const { statuses } = await stage.exchange('GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n')
    assert.deepEqual(statuses, [408])
  })

  it('CVE-2026-39858: a name with underscores is no alias of one that is trusted', async (t) => {
    const stage = await startStage(t, { 'nginx_config.http.real_ip_from': [] })
    const lies = 'X_Forwarded_Proto: evil\r\nX_Forwarded-For: evil\r\nx_real_ip: evil\r\n'
    await stage.exchange(`GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lies}\r\n`)
    assert.doesNotMatch(stage.received[0]!.rawHeaders.join('\n'), /evil/)
  })

  for (const id of ['CVE-2023-47124', 'CVE-2026-22045', 'CVE-2026-25949']) {
    it(`${id}: handshakes that stall keep nobody else from being served`, async (t) => {
      const pair = makeCertificate({ names: ['a.test'] })
      const node = await fakeUpstream(t)
      const gateway = await startGateway(t, {
        ssls: { 1: { sni: 'a.test', ...pair } },
        routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } },
      })
      const stalled = Array.from({ length: 200 }, () => {
        const socket = connectTcp(gateway.tlsPort, '127.0.0.1')
        socket.on('error', () => socket.destroy()).write(Buffer.from([22, 3, 1, 2, 0, 1, 0]))
        return socket
      })
      for (let i = 0; i < 10; i++)
        assert.equal((await askOverTls(gateway.tlsPort, { servername: 'a.test' })).status, 200)
      assert.ok(
        stalled.every((socket) => !socket.destroyed),
        'they were not stalled',
      )
      for (const socket of stalled) socket.destroy()
    })
  }

  it('CVE-2026-27588: a host is matched without its case, however many routes there are', async (t) => {
    for (const count of [1, 99, 101, 10_001]) {
      const node = await fakeUpstream(t)
      const gateway = await startGateway(t)
      const upstream = { nodes: { [node.address]: 1 } }
      for (const round of count === 1 ? [] : [1, 2])
        await gateway.put('routes', `r${round}`, { uri: '/*', hosts: manyHosts(round, count), upstream })
      await gateway.put('routes', 'mine', { uri: '/*', host: 'Mine.Example.com', upstream })
      for (const host of ['mine.example.com', 'MINE.EXAMPLE.COM', 'Mine.example.com.'])
        assert.equal((await get(gateway.proxyPort, host)).status, 200, `${host} among ${count}`)
      assert.equal((await get(gateway.proxyPort, 'evilmine.example.com')).status, 404)
    }
  })

  it('CVE-2026-27590: letters whose other case is longer or shorter break nothing', async (t) => {
    const stage = await startStage(t)
    for (const text of ['İ', 'ſ', 'K', 'ß', 'İİİİ/../x', 'ﬀ']) {
      const bytes = Buffer.from(text).toString('latin1')
      const path = encodeURI(text)
      assert.deepEqual(
        (await stage.exchange(`GET /${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).statuses,
        [200],
      )
      await stage.exchange(`GET / HTTP/1.1\r\nHost: ${bytes}\r\nConnection: close\r\n\r\n`)
    }
    assert.deepEqual(
      (await stage.exchange('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).statuses,
      [200],
    )
  })

  it('CVE-2026-26311: DATA behind a reset of its stream reaches nobody', async (t) => {
    const node = await fakeUpstream(t, ({ url }, response) => {
      if (url !== '/hang') response.end('ok')
    })
    const gateway = await startGateway(
      t,
      { routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
      { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } },
    )
    const client = await connectFrames(t, gateway.proxyPort)
    const late = frame(FRAME.data, { flags: 1, stream: 1, payload: Buffer.from('late') })
    await client.send(
      Buffer.concat([request(1, '/hang', 4), frame(FRAME.reset, { stream: 1, payload: uint32(8) }), late]),
    )
    const other = await connectFrames(t, gateway.proxyPort)
    await other.send(request(1))
    await eventually('others are answered', () => other.answered.has(1))
    assert.equal(client.answered.size, 0)
    assert.equal(
      (await rawRequest(gateway.proxyPort, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).status,
      200,
    )
  })

  it('CVE-2026-2833: what follows a request for another protocol is a request, until the node has switched', async (t) => {
    const stage = await startStage(t)
    const { statuses } = await stage.exchange(
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n' +
        'GET /locked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    // The connection may also have ended with the answer to the first.
    assert.ok(['200', '200,401'].includes(String(statuses)), String(statuses))
    assert.deepEqual(
      stage.received.map(({ url }) => url),
      ['/x'],
    )
  })

  it('CVE-2026-2835: chunks on HTTP/1.0 and a body up to the end of the connection are refused', async (t) => {
    const stage = await startStage(t)
    const chunks = 'POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    assert.deepEqual((await stage.exchange(chunks)).statuses, [400])
    const inner = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
    await stage.exchange(`POST /x HTTP/1.0\r\nHost: a\r\n\r\n${inner}`)
    assert.ok(!stage.received.some(({ url }) => url === '/inner'))
  })

  it('CVE-2025-4366: an answer that needed no body leaves the next request whole', async (t) => {
    const stage = await startStage(t)
    const inner = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
    const { statuses } = await stage.exchange(
      `POST /locked HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}` +
        'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    assert.deepEqual(statuses, [401, 200])
    assert.deepEqual(
      stage.received.map(({ url }) => url),
      ['/x'],
    )
  })

  it('CVE-2026-1642: what a node says in the clear before its TLS is no answer', async (t) => {
    const node = await rawUpstream(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    })
    const upstream = { scheme: 'https', nodes: { [node]: 1 } } as const
    const gateway = await startGateway(t, { routes: { all: { uri: '/*', upstream } } })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 502 /)
    assert.doesNotMatch(text, /evil/)
  })
})

function manyHosts(round: number, count: number): string[] {
  return Array.from({ length: Math.ceil(count / 2) }, (_, n) => `h${round}-${n}.example.com`)
}

function get(port: number, host: string) {
  return rawRequest(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
}
