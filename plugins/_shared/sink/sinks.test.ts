import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { createHttpClient } from '../../../src/plugin/http-client.ts'
import { rawUpstream, refusingAddress } from '../../../src/testing/fake-upstream.ts'
import { makeCertificate } from '../../../test/support/certificates.ts'
import { datagramSink, eventually, httpSink, streamSink } from '../../../test/support/log-sinks.ts'
import { packEach, sendDatagramBatch } from './datagram-batch.ts'
import { sendDatagrams } from './datagram-sink.ts'
import { postEntries } from './http-sink.ts'
import { sendToStream } from './stream-sink.ts'

const calm = () => new AbortController().signal
const to = (port: number, more = {}) => ({ host: '127.0.0.1', port, timeoutMs: 2000, ...more })
const certificate = makeCertificate({ names: ['localhost', '127.0.0.1'] })

async function refusingPort(): Promise<number> {
  return Number((await refusingAddress()).split(':')[1])
}

describe('delivery over HTTP', () => {
  it('is given up at once when it is told to', async (t) => {
    const sink = await httpSink(t)
    sink.answerWith(0)
    const http = createHttpClient()
    t.after(() => http.close())
    const stop = new AbortController()
    const call = { url: `http://127.0.0.1:${sink.port}/`, timeoutMs: 600_000, failsFrom: 300 }
    const posting = postEntries(http, { ...call, signal: stop.signal })
    await eventually('a call', () => sink.received.length === 1)
    stop.abort()
    await assert.rejects(posting, { code: 'ABORTED' })
  })
})

describe('delivery over TCP', () => {
  it('hands everything over, in one connection for each call', async (t) => {
    const sink = await streamSink(t)
    const long = 'x'.repeat(3_000_000)
    await sendToStream(to(sink.port), 'one', calm())
    await sendToStream(to(sink.port), long, calm())
    await eventually('two texts', () => sink.texts.length === 2)
    assert.equal(sink.texts[0], 'one')
    assert.equal(sink.texts[1] === long, true)
  })

  it('fails with the name of the sink when nobody listens', async () => {
    const port = await refusingPort()
    await assert.rejects(
      sendToStream(to(port), 'x', calm()),
      new RegExp(`tcp://127.0.0.1:${port}: .*ECONNREFUSED`),
    )
  })

  it('fails after its time when the sink takes nothing', async (t) => {
    const sink = await streamSink(t, { isDeaf: true })
    const much = 'x'.repeat(50_000_000)
    await assert.rejects(
      sendToStream(to(sink.port, { timeoutMs: 100 }), much, calm()),
      /nothing taken within 100 ms/,
    )
  })

  it('fails when the sink leaves in the middle, whichever way', async (t) => {
    for (const leave of ['destroy', 'resetAndDestroy'] as const) {
      const address = await rawUpstream(t, (socket) => {
        // It reads some, and closes with much unread.
        socket.once('data', () => socket.pause()[leave]())
      })
      const port = Number(address.split(':')[1])
      const sending = sendToStream(to(port, { timeoutMs: 20_000 }), 'x'.repeat(50_000_000), calm())
      await assert.rejects(
        sending,
        new RegExp(`^Error: tcp://127.0.0.1:${port}: .*(ECONNRESET|EPIPE|closed)`),
        leave,
      )
    }
  })

  it('succeeds with a sink that keeps its side open, and does not wait for it for long', async (t) => {
    const texts: string[] = []
    const address = await rawUpstream(t, (socket) => {
      socket.allowHalfOpen = true
      socket.on('data', (bytes) => void texts.push(bytes.toString()))
    })
    await sendToStream(to(Number(address.split(':')[1]), { timeoutMs: 20_000 }), 'one', calm())
    assert.deepEqual(texts, ['one'])
  })

  it('goes to an address of IPv6, with and without brackets', async (t) => {
    const server = createServer((socket) => socket.resume())
    const isThere = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(0, '::1', () => resolve(true))
    })
    // Containers are often without it, and nothing else here can stand for an address in brackets.
    if (!isThere) return t.skip('there is no IPv6 here')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    for (const host of ['::1', '[::1]']) {
      await sendToStream(to(port, { host }), 'x', calm())
      await sendDatagrams(to(port, { host }), [Buffer.from('x')], calm())
    }
  })

  it('names the sink when its port is none', async () => {
    await assert.rejects(sendToStream(to(70_000), 'x', calm()), /^Error: tcp:\/\/127.0.0.1:70000: .*port/i)
    await assert.rejects(
      sendDatagrams(to(70_000), [Buffer.from('x')], calm()),
      /udp:\/\/127.0.0.1:70000: .*port/i,
    )
  })

  it('is given up at once when it is told to', async (t) => {
    const sink = await streamSink(t, { isDeaf: true })
    const stop = new AbortController()
    const sending = sendToStream(to(sink.port), 'x'.repeat(50_000_000), stop.signal)
    stop.abort()
    await assert.rejects(sending, /given up/)
    await assert.rejects(sendToStream(to(sink.port), 'x', stop.signal), /given up/)
  })
})

describe('delivery over TLS', () => {
  const tls = (rejectUnauthorized: boolean, serverName?: string) => ({
    tls: { check: { rejectUnauthorized }, serverName },
  })

  it('hands everything over', async (t) => {
    const sink = await streamSink(t, { tls: certificate })
    const long = 'x'.repeat(3_000_000)
    await sendToStream(to(sink.port, tls(false)), long, calm())
    await eventually('the text', () => sink.texts.length === 1)
    assert.equal(sink.texts[0] === long, true)
  })

  it('refuses a certificate that nobody vouches for, unless told not to look', async (t) => {
    const sink = await streamSink(t, { tls: certificate })
    await assert.rejects(sendToStream(to(sink.port, tls(true)), 'secret', calm()), /self-signed certificate/)
    await sendToStream(to(sink.port, tls(false, 'sink.test')), 'x', calm())
    await eventually('a text', () => sink.texts.length === 1)
    assert.deepEqual(sink.texts, ['x'])
  })
})

describe('delivery over UDP', () => {
  it('sends each datagram', async (t) => {
    const sink = await datagramSink(t)
    await sendDatagrams(to(sink.port), [Buffer.from('one'), Buffer.from('two')], calm())
    await eventually('two datagrams', () => sink.texts.length === 2)
    assert.deepEqual(sink.texts, ['one', 'two'])
  })

  it('takes a name for the host', async (t) => {
    const sink = await datagramSink(t)
    await sendDatagrams(to(sink.port, { host: 'localhost' }), [Buffer.from('x')], calm()).then(
      () => undefined,
      (error) => assert.fail(error),
    )
  })

  it('fails with the name of the sink for what no datagram can hold', async (t) => {
    const sink = await datagramSink(t)
    const long = Buffer.alloc(70_000)
    await assert.rejects(sendDatagrams(to(sink.port), [long], calm()), /udp:\/\/127.0.0.1:\d+: .*EMSGSIZE/)
  })

  it('tells of a batch that broke off which entries need no further attempt', async (t) => {
    const sink = await datagramSink(t)
    const texts = [200_000, 5, 200_000, 6, 70_000, 7].map((length) => Buffer.alloc(length, 'x'))
    const batch = packEach(texts, 'make them shorter', 100_000)
    assert.equal(batch.unsendable?.unsendable, 2)
    await assert.rejects(sendDatagramBatch(to(sink.port), batch, calm()), {
      name: 'BatchSendError',
      message: /^udp:\/\/127.0.0.1:\d+: .*EMSGSIZE/,
      delivered: 2,
      unsendable: 2,
    })
    await eventually('two datagrams', () => sink.texts.length === 2)
    assert.deepEqual(sink.texts, ['xxxxx', 'xxxxxx'])
  })

  it('looks up no name when no entry fits into a datagram', async () => {
    const batch = packEach([Buffer.alloc(70_000)], 'make it shorter')
    const unsendable = await sendDatagramBatch(to(9, { host: 'sink.invalid' }), batch, calm())
    assert.equal(unsendable?.unsendable, 1)
  })

  it('fails when it is given up', async (t) => {
    const sink = await datagramSink(t)
    await assert.rejects(
      sendDatagrams(to(sink.port), [Buffer.from('x')], AbortSignal.abort(new Error('stop'))),
      /stop/,
    )
  })
})
