import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type FakeUpstream, fakeUpstream, rawUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { rawRequest } from '../../support/raw-client.ts'

interface Recorded {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A node that keeps what it is sent, bodies too. */
async function recordingNode(t: TestContext): Promise<{ address: string; received: Recorded[] }> {
  const received: Recorded[] = []
  const { address } = await fakeUpstream(t, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method, url, headers } = request
    received.push({ method, url, headers, body })
    response.end('node')
  })
  return { address, received }
}

async function gatewayBefore(t: TestContext, node: string, plugins: Record<string, Record<string, unknown>>) {
  const route = { uri: '/*', plugins, upstream: { nodes: { [node]: 1 } } }
  return startGateway(t, { routes: { r: route } })
}

const BODY = 'POST /smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

describe('what went wrong in services asked by other gateways (reliability.md §2.1)', () => {
  const FRAMINGS: [what: string, head: string, body: string][] = [
    ['a Content-Length', `Content-Length: ${BODY.length}\r\n`, BODY],
    ['chunks', 'Transfer-Encoding: chunked\r\n', CHUNKED],
    ['a Content-Length and Expect', `Content-Length: ${BODY.length}\r\nExpect: 100-continue\r\n`, BODY],
  ]
  for (const [what, head, body] of FRAMINGS) {
    it(`CVE-2024-32638: a POST with ${what} is one bodiless question to the authorization service and one request to the node`, async (t) => {
      const node = await recordingNode(t)
      const service = await recordingNode(t)
      const listed = ['Content-Length', 'Transfer-Encoding', 'Expect', 'Connection', 'X-Token']
      const { proxyPort } = await gatewayBefore(t, node.address, {
        'forward-auth': { uri: `http://${service.address}/auth`, request_headers: listed },
      })
      const request = `POST /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nX-Token: t\r\n${head}\r\n${body}`
      const { text } = await rawRequest(proxyPort, request)
      assert.match(text, /200 OK/)
      assert.deepEqual(
        service.received.map(({ method, url, body }) => [method, url, body]),
        [['GET', '/auth', '']],
      )
      const { headers } = service.received[0]!
      assert.equal(headers['x-token'], 't')
      for (const name of ['content-length', 'transfer-encoding', 'expect'])
        assert.equal(headers[name], undefined)
      assert.deepEqual(
        node.received.map(({ method, url, body }) => [method, url, body]),
        [['POST', '/x', BODY]],
      )
    })
  }

  const EVIL: [what: string, line: string][] = [
    ['a bare LF', 'X-User-Id: 1\nX-Role: admin'],
    ['a bare CR', 'X-User-Id: 1\rX-Role: admin'],
    ['a NUL', 'X-User-Id: 1\0X-Role: admin'],
    ['a folded line', 'X-User-Id: 1\r\n X-Role: admin'],
  ]
  for (const [what, line] of EVIL) {
    it(`CVE-2026-31908: ${what} in a header of the authorization service becomes no header of the request or of the answer`, async (t) => {
      const node = await recordingNode(t)
      for (const status of ['200 OK', '401 Unauthorized']) {
        const service = await rawUpstream(t, (socket) => {
          socket.on('data', () => socket.write(`HTTP/1.1 ${status}\r\n${line}\r\nContent-Length: 0\r\n\r\n`))
        })
        const { proxyPort } = await gatewayBefore(t, node.address, {
          'forward-auth': {
            uri: `http://${service}/`,
            upstream_headers: ['X-User-Id'],
            client_headers: ['X-User-Id'],
          },
        })
        const { headers } = await rawRequest(
          proxyPort,
          'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
        )
        assert.equal(headers['x-role'], undefined)
      }
      for (const { headers } of node.received) assert.equal(headers['x-role'], undefined)
    })
  }

  const SPELLINGS = [
    ...['X-User-Id: root', 'x-user-id: root', 'X_User_Id: root', 'X-USER_ID: root', 'X-User-Id: root'],
    ...['X-Consumer-Username: root', 'x_consumer_username: root', 'X-Credential-Identifier: root'],
  ].join('\r\n')

  const GUARDS: [
    name: string,
    plugins: (service: FakeUpstream) => Record<string, Record<string, unknown>>,
  ][] = [
    [
      'forward-auth',
      ({ address }) => ({ 'forward-auth': { uri: `http://${address}/`, upstream_headers: ['X-User-Id'] } }),
    ],
    [
      'opa',
      ({ address }) => ({
        opa: { host: `http://${address}`, policy: 'p', send_headers_upstream: ['X-User-Id'] },
      }),
    ],
  ]
  for (const [name, plugins] of GUARDS) {
    it(`CVE-2026-39998 with ${name}: who a client says it is never reaches the node, also when the service does not say it`, async (t) => {
      const node = await recordingNode(t)
      const service = await fakeUpstream(t, (_request, response) => {
        response.end('{"result":{"allow":true}}')
      })
      const { proxyPort } = await gatewayBefore(t, node.address, plugins(service))
      for (const connection of ['close', 'close, X-User-Id']) {
        const request = `GET / HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n${SPELLINGS}\r\n\r\n`
        assert.equal((await rawRequest(proxyPort, request)).status, 200)
      }
      assert.equal(node.received.length, 2)
      assert.doesNotMatch(JSON.stringify(node.received), /root/)
    })
  }

  it('CVE-2026-31923: a service whose certificate nobody vouches for decides nothing, unless that is wanted', async (t) => {
    const node = await recordingNode(t)
    const url = await selfSigned(t, () => '{"result":{"allow":true}}')
    const statusWith = async (plugins: Record<string, Record<string, unknown>>) => {
      const { proxyUrl } = await gatewayBefore(t, node.address, plugins)
      return (await fetch(proxyUrl)).status
    }
    assert.equal(await statusWith({ 'forward-auth': { uri: url } }), 403)
    assert.equal(await statusWith({ opa: { host: url, policy: 'p' } }), 403)
    assert.equal(node.received.length, 0)
    assert.equal(await statusWith({ 'forward-auth': { uri: url, ssl_verify: false } }), 200)
  })

  it('CVE-2026-31923: a provider whose certificate nobody vouches for identifies nobody, unless that is wanted', async (t) => {
    const node = await recordingNode(t)
    const url = await selfSigned(t, (own) =>
      JSON.stringify({ issuer: own, authorization_endpoint: `${own}/auth` }),
    )
    const config = { client_id: 'a', client_secret: 'b', discovery: url, session: { secret: 'x'.repeat(16) } }
    const statusWith = async (more: object) => {
      const { proxyUrl } = await gatewayBefore(t, node.address, { 'openid-connect': { ...config, ...more } })
      const headers = { authorization: 'Bearer x' }
      return (await fetch(proxyUrl, { redirect: 'manual', headers })).status
    }
    assert.equal(await statusWith({}), 503)
    assert.equal(await statusWith({ bearer_only: true }), 503)
    assert.equal(await statusWith({ bearer_only: true, use_jwks: true }), 503)
    assert.equal(await statusWith({ ssl_verify: false }), 302)
    assert.equal(node.received.length, 0)
  })
})

/** An HTTPS server that answers one text to everything, with a certificate of its own making. Gives its URL. */
async function selfSigned(t: TestContext, answer: (url: string) => string): Promise<string> {
  const server = createTlsServer(makeCertificate({ names: ['localhost'] }))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `https://localhost:${(server.address() as AddressInfo).port}`
  server.on('request', (_request, response) => void response.end(answer(url)))
  return url
}
