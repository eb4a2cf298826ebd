import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import forwardAuth from './index.ts'

type Config = Record<string, unknown>
type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function mounted(t: TestContext, config: Config = {}, handler?: Handler) {
  const service = await fakeUpstream(t, handler)
  return { service, plugin: mountPlugin(forwardAuth, { uri: `http://${service.address}/auth`, ...config }) }
}

const answering =
  (status: number, headers: Record<string, string | string[]> = {}, body = ''): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

/** Names and values beyond those that any call has. */
function told({ headers }: { headers: IncomingMessage['headers'] }): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['host', 'connection'].includes(name)),
  )
}

describe('the question', () => {
  it('says who asks for what, and of the rest only what is listed', async (t) => {
    const { service, plugin } = await mounted(t, { request_headers: ['Authorization', 'Cookie', 'X-None'] })
    await plugin.request({
      method: 'DELETE',
      target: '/a/b?x=1&y=%20',
      scheme: 'https',
      headers: { Authorization: 'Basic x', Cookie: ['a=1', 'b=2'], 'X-Other': 'z' },
    })
    assert.equal(service.requests.length, 1)
    assert.equal(service.requests[0]?.method, 'GET')
    assert.equal(service.requests[0]?.url, '/auth')
    assert.equal(service.requests[0]?.headers.host, service.address)
    assert.deepEqual(told(service.requests[0]!), {
      'x-forwarded-proto': 'https',
      'x-forwarded-method': 'DELETE',
      'x-forwarded-host': 'gateway.test',
      'x-forwarded-uri': '/a/b?x=1&y=%20',
      'x-forwarded-for': '192.0.2.1',
      authorization: 'Basic x',
      cookie: 'a=1; b=2',
    })
  })

  it('names the path that was matched, with nothing in it that reads as a query or a line', async (t) => {
    const { service, plugin } = await mounted(t)
    await plugin.request({ target: '/x/../%61dmin%3Fa%0d%0aX-Evil:%201%25?q' })
    assert.equal(told(service.requests[0]!)['x-forwarded-uri'], '/admin%3Fa%0D%0AX-Evil:%201%25?q')
  })

  it('has the extra headers, with variables filled in, and no client can put others in their place', async (t) => {
    const { service, plugin } = await mounted(t, {
      extra_headers: { 'X-Who': '$remote_addr of ${arg_team}', 'X-Forwarded-Host': 'fixed.test' },
      request_headers: ['x-who', 'X-FORWARDED-URI', 'X-Forwarded-Host'],
    })
    await plugin.request({
      target: '/?team=a%0d%0ab',
      headers: { 'X-Who': 'root', 'X-Forwarded-Uri': '/public', 'X-Forwarded-Host': 'evil.test' },
    })
    const { 'x-who': who, 'x-forwarded-uri': uri, 'x-forwarded-host': host } = told(service.requests[0]!)
    assert.deepEqual([who, uri, host], ['192.0.2.1 of a b', '/?team=a%0d%0ab', 'fixed.test'])
  })

  it('with POST takes the body along, which the upstream gets as well', async (t) => {
    let body = ''
    const { service, plugin } = await mounted(t, { request_method: 'POST' }, async (request, response) => {
      for await (const chunk of request) body += chunk
      response.end()
    })
    const { sent } = await plugin.request({ method: 'PUT', body: 'the body' })
    assert.equal(service.requests[0]?.method, 'POST')
    assert.equal(body, 'the body')
    assert.equal(sent?.body, 'the body')
  })

  it('with POST is not asked for a body beyond max_req_body_size', async (t) => {
    const { service, plugin } = await mounted(t, { request_method: 'POST', max_req_body_size: 4 })
    assert.equal((await plugin.request({ method: 'PUT', body: '12345' })).status, 413)
    assert.equal((await plugin.request({ method: 'PUT', body: '1234' })).status, 200)
    assert.equal(service.requests.length, 1)
  })

  it('frames itself, whatever headers of the client are listed', async (t) => {
    const framing = ['Content-Length', 'Transfer-Encoding', 'Connection', 'Expect', 'Upgrade', 'TE']
    const { service, plugin } = await mounted(t, { request_headers: [...framing, 'Content-Type'] })
    const headers = { 'Content-Type': 'a/b', Expect: '100-continue', TE: 'trailers', Upgrade: 'x' }
    await plugin.request({ method: 'POST', body: 'xyz', headers })
    const names = Object.keys(told(service.requests[0]!)).filter((name) => !name.startsWith('x-forwarded'))
    assert.deepEqual(names, ['content-type'])
  })
})

describe('an answer below 300', () => {
  it('lets the request go on, with the headers that are listed and no others', async (t) => {
    const handler = answering(204, { 'X-User-Id': '7', 'X-Groups': ['a', 'b'], 'X-Not-Listed': 'z' })
    const { plugin } = await mounted(t, { upstream_headers: ['X-User-Id', 'x-groups'] }, handler)
    const { status, sent } = await plugin.request()
    assert.equal(status, 200)
    assert.equal(sent?.headers.get('x-user-id'), '7')
    assert.deepEqual(sent?.headers.all('x-groups'), ['a', 'b'])
    assert.equal(sent?.headers.has('x-not-listed'), false)
  })

  it('takes what the client says under these names out of the request, in every spelling', async (t) => {
    const { plugin } = await mounted(
      t,
      { upstream_headers: ['X-User-Id', 'X-Role'] },
      answering(200, { 'X-Role': 'r' }),
    )
    const { sent } = await plugin.request({
      headers: {
        'X-User-Id': ['root', 'root'],
        'x-USER-id': 'root',
        x_user_id: 'root',
        'X-User_Id': 'root',
        'X.User.Id': 'root',
        X_Role: 'root',
        'X-User-Identity': 'kept',
      },
    })
    const text = sent!.headers.raw().join('\n')
    assert.doesNotMatch(text, /root/)
    assert.match(text, /X-User-Identity\nkept/)
    assert.deepEqual(sent?.headers.all('x-role'), ['r'])
  })

  it('cannot frame the request anew', async (t) => {
    const names = ['Content-Length', 'Transfer-Encoding', 'Connection']
    const { plugin } = await mounted(t, { upstream_headers: names })
    const { sent } = await plugin.request({ method: 'POST', body: 'abc' })
    assert.equal(sent?.headers.get('content-length'), '3')
    assert.equal(sent?.headers.has('transfer-encoding'), false)
  })
})

describe('an answer of 300 and above', () => {
  it('is what the client gets: status, body and the headers that are listed', async (t) => {
    const headers = { Location: '/login', 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': 'x/y', 'X-Not': 'z' }
    const handler = answering(302, headers, 'go there')
    const { plugin } = await mounted(
      t,
      { client_headers: ['Location', 'set-cookie', 'Transfer-Encoding'] },
      handler,
    )
    const answer = await plugin.request()
    assert.equal(answer.sent, undefined)
    assert.equal(answer.status, 302)
    assert.equal(answer.body, 'go there')
    assert.deepEqual(answer.headers.raw(), ['Location', '/login', 'set-cookie', 'a=1', 'set-cookie', 'b=2'])
  })

  it('may have no body', async (t) => {
    const { plugin } = await mounted(t, {}, answering(401))
    const answer = await plugin.request()
    assert.deepEqual([answer.status, answer.body], [401, ''])
  })
})

describe('a service that cannot be asked', () => {
  const FAILURES: [what: string, service: (t: TestContext) => Promise<string>][] = [
    ['refuses the connection', () => refusingAddress()],
    ['says nothing in time', (t) => rawUpstream(t, () => {})],
    [
      'breaks off',
      (t) => rawUpstream(t, (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')),
    ],
    [
      'answers without end',
      (t) => rawUpstream(t, (socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(2 << 20)}`)),
    ],
  ]
  for (const [what, service] of FAILURES) {
    it(`because it ${what} refuses the request`, async (t) => {
      const plugin = mountPlugin(forwardAuth, { uri: `http://${await service(t)}/`, timeout: 200 })
      const answer = await plugin.request()
      assert.deepEqual([answer.status, answer.sent], [403, undefined])
    })
  }

  it('is reported with the status that is set', async () => {
    const plugin = mountPlugin(forwardAuth, {
      uri: `http://${await refusingAddress()}/`,
      status_on_error: 503,
    })
    assert.equal((await plugin.request()).status, 503)
  })

  it('is done without when degradation is allowed, but nobody becomes who they say they are', async () => {
    const config = { allow_degradation: true, upstream_headers: ['X-User-Id'] }
    const plugin = mountPlugin(forwardAuth, { uri: `http://${await refusingAddress()}/`, ...config })
    const { status, sent } = await plugin.request({ headers: { 'X-User-Id': 'root', X_USER_ID: 'root' } })
    assert.equal(status, 200)
    assert.doesNotMatch(sent!.headers.raw().join(), /root/)
  })
})

describe('the configuration', () => {
  it('needs the URL of a service', () => {
    assert.equal(refusal(forwardAuth, {}), 'property "uri" is required')
    const text = 'property "uri" is "/auth"; give a URL that begins with http:// or https://'
    assert.equal(refusal(forwardAuth, { uri: '/auth' }), text)
    assert.equal(refusal(forwardAuth, { uri: '$env://AUTH_URL' }), undefined)
  })

  it('holds no header that cannot be sent', () => {
    const uri = 'http://auth.test/'
    assert.match(
      refusal(forwardAuth, { uri, request_headers: ['a b'] })!,
      /"a b" cannot be the name of a header/,
    )
    assert.match(refusal(forwardAuth, { uri, extra_headers: { 'X-A': 'a\r\nb' } })!, /control character/)
    assert.match(
      refusal(forwardAuth, { uri, extra_headers: { 'Content-Length': '1' } })!,
      /belongs to the connection/,
    )
  })

  it('is within the limits of its schema', () => {
    const uri = 'http://auth.test/'
    for (const wrong of [
      { timeout: 0 },
      { timeout: 60_001 },
      { status_on_error: 199 },
      { request_method: 'PUT' },
    ]) {
      assert.notEqual(refusal(forwardAuth, { uri, ...wrong }), undefined)
    }
    assert.equal(refusal(forwardAuth, { uri, request_method: 'POST', keepalive: false }), undefined)
  })
})
