import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

interface Sent {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Buffer
}

/** Sends through node:http, which offers what fetch refuses. */
async function send(
  gateway: TestGateway,
  { method = 'GET', headers = {}, body }: Sent,
): Promise<IncomingMessage & { text: string; hash: string }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest({ port: gateway.proxyPort, method, headers }, resolve)
    outgoing.on('error', reject)
    outgoing.end(body)
  })
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const whole = Buffer.concat(chunks)
  return Object.assign(response, { text: whole.toString('latin1'), hash: sha(whole) })
}

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A gateway before an upstream that answers with the hash of what it was sent, and sends back what it got when asked to. */
async function mirror(t: Parameters<typeof startGateway>[0]) {
  const upstream = await fakeUpstream(t, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const whole = Buffer.concat(chunks)
      response.setHeader('x-hash', sha(whole))
      if (request.headers['x-with-length']) response.setHeader('content-length', whole.length)
      response.end(whole)
    })
  })
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
  })
  return { upstream, gateway }
}

describe('requests of every kind', () => {
  it('reach the upstream with their method', async (t) => {
    const { upstream, gateway } = await mirror(t)
    const methods = [
      'GET',
      'POST',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'PROPFIND',
      'PURGE',
      'QUERY',
      'REPORT',
      'M-SEARCH',
    ]
    // What Node's parser of this version does not know cannot be tested.
    const known = (await import('node:http')).METHODS
    for (const method of methods.filter((name) => known.includes(name))) {
      assert.equal(
        (await send(gateway, { method, headers: { 'content-length': 1 }, body: Buffer.from('b') })).text,
        'b',
        method,
      )
      assert.equal(upstream.requests.at(-1)!.method, method)
    }
  })

  it('may carry any Content-Type, or none', async (t) => {
    const { upstream, gateway } = await mirror(t)
    for (const type of [
      'garbage',
      '',
      'application/json',
      'text/plain;\tcharset=x',
      'a/b; c="d',
      'multipart/form-data',
    ]) {
      const { statusCode, text } = await send(gateway, {
        method: 'POST',
        headers: { 'content-type': type, 'content-length': 3 },
        body: Buffer.from('{no'),
      })
      assert.deepEqual([statusCode, text], [200, '{no'], type)
      assert.equal(upstream.requests.at(-1)!.headers['content-type'], type)
    }
    assert.equal((await send(gateway, { method: 'POST', body: Buffer.from('x') })).text, 'x')
    assert.equal(upstream.requests.at(-1)!.headers['content-type'], undefined)
  })

  it('may carry a body with GET and DELETE, by length and in chunks', async (t) => {
    const { upstream, gateway } = await mirror(t)
    for (const method of ['GET', 'DELETE']) {
      for (const headers of [{ 'content-length': 4 }, { 'transfer-encoding': 'chunked' }]) {
        const { text } = await send(gateway, { method, headers, body: Buffer.from('body') })
        assert.equal(text, 'body', `${method} ${JSON.stringify(headers)}`)
        const [[name, value] = ['', '']] = Object.entries(headers)
        assert.equal(upstream.requests.at(-1)!.headers[name], String(value))
      }
    }
  })

  it('with nothing in the body keep saying so', async (t) => {
    const { upstream, gateway } = await mirror(t)
    await send(gateway, { method: 'POST', headers: { 'content-length': 0 } })
    assert.equal(upstream.requests.at(-1)!.headers['content-length'], '0')
    assert.equal(
      (await send(gateway, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })).statusCode,
      200,
    )
  })

  it('of several megabytes arrive whole in both directions', async (t) => {
    const { gateway } = await mirror(t)
    const body = randomBytes(6 * 1024 * 1024 + 7)
    for (const framing of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
      for (const length of [{}, { 'x-with-length': '1' }]) {
        const answer = await send(gateway, { method: 'PUT', headers: { ...framing, ...length }, body })
        assert.equal(answer.headers['x-hash'], sha(body))
        assert.equal(answer.hash, sha(body))
      }
    }
  })

  it('that are TRACE or CONNECT are answered 405 here', async (t) => {
    const { upstream, gateway } = await mirror(t)
    for (const line of ['TRACE / HTTP/1.1', 'CONNECT a:1 HTTP/1.1']) {
      const { status, body } = await rawRequest(gateway.proxyPort, `${line}\r\nHost: a:1\r\n\r\n`)
      assert.deepEqual([status, body], [405, '{"error_msg":"405 Method Not Allowed"}\n'], line)
    }
    assert.equal(upstream.requests.length, 0)
  })
})

describe('responses without a body', () => {
  it('keep the length that HEAD and 304 tell of, and the connection goes on', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => {
      if (request.url === '/304') response.writeHead(304, { 'content-length': 5, etag: '"x"' }).end()
      else if (request.url === '/204') response.writeHead(204).end()
      else response.writeHead(200, { 'content-length': 5 }).end('hello')
    })
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    const get = (path: string, last = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last}\r\n`
    const { text } = await rawRequest(
      gateway.proxyPort,
      `HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n${get('/304')}${get('/204')}${get('/200', 'Connection: close\r\n')}`,
    )
    const parts = text.split(/(?=HTTP\/1\.1 )/)
    assert.deepEqual(
      parts.map((part) => part.split(' ')[1]),
      ['200', '304', '204', '200'],
    )
    assert.match(parts[0]!, /content-length: 5\r\n.*\r\n\r\n$/is)
    assert.match(parts[1]!, /content-length: 5\r\n.*\r\n\r\n$/is)
    assert.doesNotMatch(parts[2]!, /content-length|transfer-encoding/i)
    assert.match(parts[3]!, /\r\n\r\nhello$/)
  })
})
