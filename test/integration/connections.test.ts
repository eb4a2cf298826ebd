import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

/** A gateway before an upstream that answers with the path, `/slow…` later than the others. */
async function echo(t: TestContext) {
  let active = 0
  let mostActive = 0
  const upstream = await fakeUpstream(t, (request, response) => {
    mostActive = Math.max(mostActive, ++active)
    response.on('close', () => active--)
    request.resume()
    setTimeout(() => response.end(`<${request.url}>`), request.url!.startsWith('/slow') ? 30 : 0)
  })
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
  })
  return { upstream, gateway, mostActive: () => mostActive }
}

const get = (path: string, lines = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`

describe('the connection of a client', () => {
  it('serves one request after the other', async (t) => {
    const { gateway } = await echo(t)
    const client = await rawConnect(t, gateway.proxyPort)
    for (const path of ['/1', '/2', '/3']) {
      client.send(get(path))
      await client.until(new RegExp(`<${path}>`))
    }
    assert.match(client.text, /connection: keep-alive/i)
  })

  it('has requests that were sent ahead answered in order, one worked on at a time', async (t) => {
    const { gateway, mostActive } = await echo(t)
    const client = await rawConnect(t, gateway.proxyPort)
    const post = 'POST /slow2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
    client.send(`${get('/slow1')}${get('/quick')}${post}${get('/last', 'Connection: close\r\n')}`)
    const text = await client.untilClosed()
    assert.deepEqual(text.match(/<[^>]+>/g), ['</slow1>', '</quick>', '</slow2>', '</last>'])
    assert.equal(mostActive(), 1)
  })

  it('is ended when it sends more ahead than anyone has use for', async (t) => {
    const { gateway } = await echo(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(get('/slow').repeat(200))
    await client.untilClosed()
    assert.equal((await fetch(`${gateway.proxyUrl}/x`)).status, 200)
  })

  it('closes when the client says so', async (t) => {
    const { gateway } = await echo(t)
    const { text } = await rawRequest(gateway.proxyPort, get('/x', 'Connection: close\r\n'))
    assert.match(text, /connection: close\r\n.*<\/x>/is)
  })

  it('closes after an HTTP/1.0 request, whose body ends with it', async (t) => {
    const { gateway } = await echo(t)
    const { status, headers, body } = await rawRequest(gateway.proxyPort, 'GET /x HTTP/1.0\r\n\r\n')
    assert.deepEqual([status, body], [200, '</x>'])
    assert.equal(headers['transfer-encoding'], undefined)
  })

  it('answers a sound request before the bad one behind it', async (t) => {
    const { gateway } = await echo(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(`${get('/slow')}bad request\r\n\r\n`)
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 200 .*<\/slow>$/s)
  })

  for (const [what, bytes] of [
    ['garbage', 'garbage\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['a bad Host', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ] as const) {
    it(`is refused with 400 and closed after ${what}`, async (t) => {
      const { upstream, gateway } = await echo(t)
      const { status, body } = await rawRequest(gateway.proxyPort, bytes)
      assert.deepEqual([status, body], [400, '{"error_msg":"400 Bad Request"}\n'])
      assert.equal(upstream.requests.length, 0)
    })
  }

  it('with a head that is too long is refused with 431', async (t) => {
    const { gateway } = await echo(t)
    const { status } = await rawRequest(gateway.proxyPort, get('/', `A: ${'a'.repeat(40_000)}\r\n`))
    assert.equal(status, 431)
  })

  it('goes on after an answer that needed no body, and the next request is read cleanly', async (t) => {
    const { gateway } = await echo(t)
    await gateway.put('routes', '2', {
      uri: '/locked',
      plugins: { 'key-auth': {} },
      upstream: { nodes: { '127.0.0.1:1': 1 } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    const body = 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5000)
    client.send(
      `POST /locked HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${get('/x')}`,
    )
    await client.until(/^HTTP\/1\.1 401 .*<\/x>/s)
    assert.doesNotMatch(client.text, /evil/)
  })

  it('to the upstream is kept for the next request', async (t) => {
    const { upstream, gateway } = await echo(t)
    for (let i = 0; i < 5; i++) await (await fetch(`${gateway.proxyUrl}/x`)).text()
    await eventually('all were served', () => upstream.requests.length === 5)
    assert.equal(upstream.connections, 1)
  })
})
