import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { Agent, createServer as createSecureServer, get as httpsGet } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { makeCertificate } from '../../../test/support/certificates.ts'
import { rawConnect } from '../../../test/support/raw-client.ts'
import { EarlyAnswers } from './early-answers.ts'

const KEEP_ALIVE_MS = 1500

/** `early` for each request that is answered early, `served` with its path for each that the server saw. */
async function stage(t: TestContext, isAnswered = (_request: IncomingMessage) => true) {
  const early = new EarlyAnswers()
  const asked: string[] = []
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    early.watch(request.socket, (next) => {
      asked.push(next.url!)
      if (!isAnswered(next)) return undefined
      setImmediate(() => early.write())
      return 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nearly\n'
    })
    request.resume().on('end', () => response.end(`served ${request.url}\n`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const client = await rawConnect(t, (server.address() as AddressInfo).port)
  client.send(get('/first'))
  await client.until(/served \/first\n$/)
  return { client, asked, early }
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
}

function bodies(text: string): string[] {
  return text.split('\n').filter((line) => /^(early|served)/.test(line))
}

describe('early answers', () => {
  it('are given to the requests after the first, as long as there is one', async (t) => {
    const { client, asked } = await stage(t, ({ url }) => url !== '/no')
    for (const [path, body] of [
      ['/a', 'early'],
      ['/no', 'served /no'],
      ['/b', 'early'],
    ] as const) {
      client.send(get(path))
      await client.until(new RegExp(`${body}\n$`))
    }
    assert.deepEqual(asked, ['/a', '/no', '/b'])
  })

  it('keep their place among requests that are sent ahead', async (t) => {
    const { client } = await stage(t, ({ url }) => url!.startsWith('/e'))
    client.send(['/e1', '/e2', '/s3', '/e4', '/e5'].map((path) => get(path)).join(''))
    client.send(get('/e6', 'Connection: close\r\n'))
    const all = bodies(await client.untilClosed())
    assert.deepEqual(all, [
      'served /first',
      'early',
      'early',
      'served /s3',
      'served /e4',
      'served /e5',
      'served /e6',
    ])
  })

  for (const [what, request] of [
    ['has a body', 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'],
    ['has a body in chunks', get('/x', 'Transfer-Encoding: chunked\r\n').concat('3\r\nabc\r\n0\r\n\r\n')],
    [
      'waits to be asked for its body',
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc',
    ],
    ['wants no body', 'HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['is the last', get('/x', 'Connection: close\r\n')],
    ['asks for another protocol', get('/x', 'Connection: upgrade\r\nUPGRADE: websocket\r\n')],
    ['is of HTTP/1.0', 'GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
  ] as const) {
    it(`are not asked for when the request ${what}`, async (t) => {
      const { client, asked } = await stage(t)
      client.send(request)
      await client.until(/served \/first\nHTTP\/1\.1 [\s\S]*\r\n\r\n/)
      assert.deepEqual(asked, [])
      assert.doesNotMatch(client.text, /early/)
    })
  }

  it('leave the time for which an idle connection is kept as it is', async (t) => {
    const { client } = await stage(t)
    const beganMs = performance.now()
    client.send(get('/e'))
    assert.match(await client.untilClosed(), /early\n$/)
    assert.ok(performance.now() - beganMs > KEEP_ALIVE_MS - 10)
  })

  it('are given over TLS too', async (t) => {
    const early = new EarlyAnswers()
    const { cert, key } = makeCertificate({ names: ['a'] })
    const server = createSecureServer({ cert, key }, (request, response) => {
      early.watch(request.socket, () => {
        setImmediate(() => early.write())
        return 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nearly\n'
      })
      response.end('served\n')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => void server.close())
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    t.after(() => agent.destroy())
    const answers: string[] = []
    for (let i = 0; i < 4; i++) {
      const sent = httpsGet({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent })
      const [answer] = await once(sent, 'response')
      answers.push(await text(answer))
    }
    assert.deepEqual(answers, ['served\n', 'early\n', 'early\n', 'early\n'])
  })

  it('are not written to a connection that was ended meanwhile', async (t) => {
    const early = new EarlyAnswers()
    const errors: Error[] = []
    const server = createServer((request, response) => {
      const { socket } = request
      early.watch(socket, () => {
        socket.end()
        setImmediate(() => early.write())
        return 'early'
      })
      response.end('served\n')
    })
    server.on('clientError', (error) => void errors.push(error))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => void server.close())
    const client = await rawConnect(t, (server.address() as AddressInfo).port)
    client.send(get('/first'))
    await client.until(/served\n$/)
    client.send(get('/second'))
    assert.doesNotMatch(await client.untilClosed(), /early/)
    assert.deepEqual(errors, [])
  })
})
