import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { rawConnect, rawRequest } from '../../../test/support/raw-client.ts'
import { TurnAway } from './turn-away.ts'

/** What a stream hands to the system, each call of which is one system call. */
interface Writes {
  _write(chunk: unknown, ...rest: unknown[]): void
  _writev(chunks: readonly unknown[], ...rest: unknown[]): void
}

/** Counts, in each call, the pieces that go to the system. */
function watchWrites(socket: Socket, seen: number[]): void {
  const writes = socket as unknown as Writes
  const write = writes._write.bind(socket)
  const writev = writes._writev.bind(socket)
  writes._write = (...all) => {
    seen.push(1)
    write(...all)
  }
  writes._writev = (chunks, ...rest) => {
    seen.push(chunks.length)
    writev(chunks, ...rest)
  }
}

async function refusing(t: TestContext) {
  const away = new TurnAway({ serverHeader: 'Gatewright', retryAfterSeconds: 2 })
  const seen: number[] = []
  const server = createServer((request, response) => away.answer(request, response))
  server.on('connection', (socket) => watchWrites(socket, seen))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, seen, away }
}

describe('a request that is turned away', () => {
  it('is answered in one write of one piece, head and body together', async (t) => {
    const { port, seen } = await refusing(t)
    const one = 'GET / HTTP/1.1\r\nHost: a\r\n'
    const { text } = await rawRequest(port, `${one}\r\n${one}Connection: close\r\n\r\n`)
    assert.equal(text.match(/503 Service Unavailable"}\n/g)?.length, 2)
    assert.deepEqual(seen, [1, 1])
  })

  it('is answered so too where the connection ends with the answer', async (t) => {
    const { port, seen } = await refusing(t)
    const { status, headers, body } = await rawRequest(
      port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n',
    )
    assert.deepEqual([status, headers['connection'], headers['retry-after']], [503, 'close', '2'])
    assert.equal(body, '{"error_msg":"503 Service Unavailable"}\n')
    assert.deepEqual(seen, [1])
  })

  it('is remembered for a second as it went to a client of HTTP/1.1 that stays', async (t) => {
    const { port, away } = await refusing(t)
    assert.equal(away.recent(performance.now()), undefined)
    const bodyless = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
    await rawRequest(port, `${bodyless}GET / HTTP/1.0\r\nConnection: close\r\n\r\n`)
    await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.equal(away.recent(performance.now()), undefined)
    const client = await rawConnect(t, port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const text = await client.until(/Unavailable"}\n$/)
    assert.equal(away.recent(performance.now()), text)
    assert.equal(away.recent(performance.now() + 1000), undefined)
  })
})
