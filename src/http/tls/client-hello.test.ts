import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { MAX_FIRST_BYTES, readClientHello } from './client-hello.ts'

/** The first bytes that Node's own client sends. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk)
        done()
        wire.destroy()
      },
    })
    const socket = connect({ socket: wire, ...options })
    socket.on('error', () => socket.destroy())
  })
}

/** The same message, cut into records of `size` bytes. */
function refragment(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

describe('the first bytes of a connection', () => {
  it('tell the name that a client asks for, whatever TLS version it offers', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const hello = await helloOf({ servername: 'api.example.com', maxVersion })
      assert.deepEqual(readClientHello(hello), { kind: 'hello', serverName: 'api.example.com' })
    }
  })

  it('tell that a client asks for no name', async () => {
    assert.deepEqual(readClientHello(await helloOf({})), { kind: 'hello', serverName: undefined })
  })

  it('are incomplete until the last byte of the hello, wherever they are cut', async () => {
    const hello = await helloOf({ servername: 'api.example.com' })
    for (let end = 0; end < hello.length; end++) {
      assert.equal(readClientHello(hello.subarray(0, end)).kind, 'incomplete', `${end} bytes`)
    }
  })

  it('are read over several records', async () => {
    const hello = await helloOf({ servername: 'api.example.com' })
    for (const size of [1, 7, 100]) {
      assert.deepEqual(readClientHello(refragment(hello, size)), {
        kind: 'hello',
        serverName: 'api.example.com',
      })
    }
  })

  it('of someone who speaks HTTP are told apart from nonsense', () => {
    assert.equal(readClientHello(Buffer.from('GET / HTTP/1.1\r\n')).kind, 'plain')
    assert.equal(readClientHello(Buffer.from([0x80, 0x2e, 1, 0, 2])).kind, 'malformed')
    assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])).kind, 'malformed')
    assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])).kind, 'malformed')
  })

  it('never ask for more than a bounded number of bytes', () => {
    const oneByteRecords = Buffer.alloc(MAX_FIRST_BYTES + 6, Buffer.from([22, 3, 1, 0, 1, 1]))
    assert.notEqual(readClientHello(oneByteRecords).kind, 'incomplete')
  })

  it('never throw, however they are damaged', async () => {
    const hello = await helloOf({ servername: 'api.example.com' })
    for (let at = 0; at < hello.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Buffer.from(hello)
        damaged[at] = value
        readClientHello(damaged)
      }
    }
  })
})
