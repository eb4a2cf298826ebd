import assert from 'node:assert/strict'
import dns from 'node:dns'
import dnsPromises from 'node:dns/promises'
import { getEventListeners } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { type AddressInfo, isIP, type Server, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { createHttpClient } from '../../../src/plugin/http-client.ts'
import { rawUpstream } from '../../../src/testing/fake-upstream.ts'
import { makeCertificate } from '../../../test/support/certificates.ts'
import { datagramSink, eventually, streamSink } from '../../../test/support/log-sinks.ts'
import { sendDatagrams } from './datagram-sink.ts'
import { postEntries } from './http-sink.ts'
import { sendToStream } from './stream-sink.ts'

const calm = () => new AbortController().signal
const to = (port: number, more = {}) => ({ host: '127.0.0.1', port, timeoutMs: 20_000, ...more })
const portOf = (address: string) => Number(address.split(':')[1])

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

/** Names are found at these addresses, one after the other; after them never. */
function resolveTo(t: TestContext, ...addresses: readonly string[]): void {
  const left = [...addresses]
  // Sockets look addresses up, too.
  const next = (host: string) => ({ address: isIP(host) ? host : (left.shift() ?? ''), family: 4 })
  t.mock.method(dns, 'lookup', ((host: string, options: { all?: boolean }, found: CallableFunction) => {
    const { address, family } = next(host)
    if (options.all) found(null, [{ address, family }])
    else found(null, address, family)
  }) as never)
  const never = new Promise(() => undefined)
  t.mock.method(dnsPromises, 'lookup', ((host: string) =>
    left.length > 0 ? Promise.resolve(next(host)) : never) as never)
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
}

describe('a connection to a sink', () => {
  it('ends as soon as the sink has closed it, whatever it said that nobody reads', {
    timeout: 40_000,
  }, async (t) => {
    let received = ''
    const address = await rawUpstream(t, (socket) => {
      socket.write('220 greetings')
      socket.on('data', (bytes) => (received += bytes))
    })
    // The time that a sink is given to close never ends.
    t.mock.timers.enable({ apis: ['setTimeout'] })
    await sendToStream(to(portOf(address)), 'one', calm())
    assert.equal(received, 'one')
  })

  it('is closed once it has done its duty, though the sink keeps its side open', async (t) => {
    let socket: Socket | undefined
    let isOver = false
    const address = await rawUpstream(t, (connection) => {
      socket = connection
      connection.allowHalfOpen = true
      connection.on('close', () => (isOver = true))
      connection.resume()
    })
    await sendToStream(to(portOf(address)), 'one', calm())
    await eventually('a reset of what the sink still writes', () => {
      if (!isOver) socket?.write('x')
      return isOver
    })
  })

  it('leaves nothing behind at the signal, which many share', async (t) => {
    const [stream, datagrams] = [await streamSink(t), await datagramSink(t)]
    const signal = calm()
    await sendToStream(to(stream.port), 'one', signal)
    await sendDatagrams(to(datagrams.port), [Buffer.from('x')], signal)
    await assert.rejects(sendToStream(to(stream.port, { port: 1 }), 'one', signal))
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('asks for the name that is configured, and for none where there is an address only', async (t) => {
    const { cert, key } = makeCertificate({ names: ['sink.test'] })
    const asked: unknown[] = []
    const server = createTlsServer({ cert, key }, (socket) => {
      asked.push(socket.servername)
      socket.resume()
    })
    const port = await listening(t, server)
    const check = { rejectUnauthorized: false }
    await sendToStream(to(port, { tls: { check, serverName: undefined } }), 'x', calm())
    await sendToStream(to(port, { tls: { check, serverName: 'sink.test' } }), 'x', calm())
    assert.deepEqual(asked, [false, 'sink.test'])
  })

  it('is made anew when the sink has closed the one that was kept', async (t) => {
    const bodies: string[] = []
    const served = new WeakSet<object>()
    const server = createHttpServer(async (request, response) => {
      if (served.has(request.socket)) {
        request.socket.destroy()
        return
      }
      served.add(request.socket)
      bodies.push(Buffer.concat(await request.toArray()).toString())
      response.end()
    })
    const port = await listening(t, server)
    const http = createHttpClient()
    t.after(() => http.close())
    const call = { url: `http://127.0.0.1:${port}/`, timeoutMs: 20_000, failsFrom: 300, signal: calm() }
    for (const body of ['one', 'two', 'three']) await postEntries(http, { ...call, body })
    assert.deepEqual(bodies, ['one', 'two', 'three'])
  })
})

describe('the name of a sink', () => {
  it('is looked up for each delivery, which follows it to another address', async (t) => {
    const [stream, datagrams] = [await streamSink(t), await datagramSink(t)]
    resolveTo(t, '127.0.0.2', '127.0.0.1', '127.0.0.2', '127.0.0.1')
    const named = (port: number) => to(port, { host: 'sink.test' })
    await assert.rejects(sendToStream(named(stream.port), 'lost', calm()), /sink\.test:\d+: .*ECONNREFUSED/)
    await sendToStream(named(stream.port), 'here', calm())
    for (const text of ['lost', 'here']) {
      await sendDatagrams(named(datagrams.port), [Buffer.from(text)], calm())
    }
    await eventually('both', () => stream.texts.length > 0 && datagrams.texts.length > 0)
    assert.deepEqual([...stream.texts, ...datagrams.texts], ['here', 'here'])
  })

  it('is not waited for longer than a delivery may take', async (t) => {
    resolveTo(t)
    const sink = to(9, { host: 'sink.test', timeoutMs: 50 })
    await assert.rejects(sendDatagrams(sink, [Buffer.from('x')], calm()), {
      message: 'udp://sink.test:9: nothing sent within 50 ms',
    })
  })
})
