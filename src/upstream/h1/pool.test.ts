import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { outgoing, ProbeBody, ProbeSink } from '../../../test/support/transport-probe.ts'
import { eventually } from '../../../test/support/watch-recording.ts'
import { rawUpstream, refusingAddress } from '../../testing/fake-upstream.ts'
import type { PoolIdentity } from '../pool-registry.ts'
import type { OutgoingRequest } from '../transport.ts'
import { Http1Pool, type PoolLimits } from './pool.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

interface Node {
  readonly address: string
  readonly sockets: Socket[]
  /** Heads and bodies as they came, by connection. */
  readonly received: string[]
}

/** A node that calls `onRequest` for each head, or answers `ok`. */
async function node(
  t: TestContext,
  onRequest: (socket: Socket, head: string) => void = (socket) => void socket.write(OK),
): Promise<Node> {
  const sockets: Socket[] = []
  const received: string[] = []
  const address = await rawUpstream(t, (socket) => {
    const index = sockets.push(socket) - 1
    received[index] = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      received[index] += text
      if (text.includes('\r\n\r\n')) onRequest(socket, text)
    })
  })
  return { address, sockets, received }
}

interface PoolOptions {
  readonly keepalive?: Partial<PoolIdentity['keepalive']>
  readonly limits?: PoolLimits
  readonly now?: () => number
}

function poolTo(
  t: TestContext,
  address: string,
  { keepalive, limits, now = () => performance.now() }: PoolOptions = {},
): Http1Pool {
  const [host = '', port] = address.split(':')
  const identity: PoolIdentity = {
    scheme: 'http',
    host,
    port: Number(port),
    serverName: undefined,
    tls: undefined,
    keepalive: { size: 320, idleMs: 60_000, requests: 1000, ...keepalive },
  }
  const pool = new Http1Pool(identity, now, limits)
  t.after(() => pool.close())
  return pool
}

/** Sends and waits until it is over. */
function ask(pool: Http1Pool, change?: Partial<OutgoingRequest>): Promise<ProbeSink> {
  const sink = new ProbeSink()
  pool.send(outgoing(change), sink)
  return sink.over
}

describe('connections to a node', () => {
  it('serve one request after the other', async (t) => {
    const { address, sockets, received } = await node(t)
    const pool = poolTo(t, address)
    for (let i = 0; i < 3; i++) assert.equal((await ask(pool, { target: `/${i}` })).body, 'ok')
    assert.equal(sockets.length, 1)
    assert.match(received[0]!, /GET \/0 .*GET \/1 .*GET \/2 /s)
    assert.deepEqual(pool.size, { open: 1, idle: 1, waiting: 0 })
  })

  it('are as many as there are requests at once, and the one that served last serves next', async (t) => {
    const held: Socket[] = []
    const { address, sockets } = await node(t, (socket) => {
      if (held.length < 3) held.push(socket)
      else socket.write(OK)
    })
    const pool = poolTo(t, address)
    const answers = ['/0', '/1', '/2'].map((target) => ask(pool, { target }))
    await eventually('three requests arrived', () => held.length === 3)
    for (const socket of [sockets[1]!, sockets[2]!, sockets[0]!]) {
      socket.write(OK)
      await eventually(
        'the answer was read',
        () => pool.size.idle === [sockets[1], sockets[2], sockets[0]].indexOf(socket) + 1,
      )
    }
    await Promise.all(answers)
    const before = sockets[0]!.bytesRead
    await ask(pool)
    assert.ok(sockets[0]!.bytesRead > before)
    assert.equal(pool.size.idle, 3)
  })

  it('are closed when more are idle than may be kept', async (t) => {
    const { address } = await node(t)
    const pool = poolTo(t, address, { keepalive: { size: 1 } })
    await Promise.all([ask(pool), ask(pool), ask(pool)])
    assert.deepEqual(pool.size, { open: 1, idle: 1, waiting: 0 })
  })

  it('are closed after the requests that one may serve', async (t) => {
    const { address, sockets } = await node(t)
    const pool = poolTo(t, address, { keepalive: { requests: 2 } })
    for (let i = 0; i < 4; i++) await ask(pool)
    assert.equal(sockets.length, 2)
    assert.equal(pool.size.open, 0)
  })

  it('are closed when they were idle for too long', async (t) => {
    let now = 0
    const { address } = await node(t)
    const pool = poolTo(t, address, { keepalive: { idleMs: 1000 }, now: () => now })
    await ask(pool)
    assert.equal(pool.size.idle, 1)
    now = 1000
    await eventually('the idle connection was closed', () => pool.size.open === 0)
  })

  it('leave the pool when the node closes them while they are idle', async (t) => {
    const { address, sockets } = await node(t)
    const pool = poolTo(t, address)
    await ask(pool)
    sockets[0]!.end()
    await eventually('the connection left', () => pool.size.open === 0)
    assert.equal((await ask(pool)).body, 'ok')
  })

  it('leave the pool when the node sends what nobody asked for', async (t) => {
    const { address, sockets } = await node(t)
    const pool = poolTo(t, address)
    await ask(pool)
    sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    await eventually('the connection left', () => pool.size.open === 0)
    assert.equal((await ask(pool)).body, 'ok')
  })

  it('are not used again after a second response in the same read, nor is that one ever delivered', async (t) => {
    const { address, sockets } = await node(t, (socket, head) => {
      socket.write(head.includes('/first') ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` : OK)
    })
    const pool = poolTo(t, address)
    const [first, second] = [await ask(pool, { target: '/first' }), await ask(pool)]
    assert.deepEqual([first.body, second.body], ['ok', 'ok'])
    assert.equal(sockets.length, 2)
  })

  it('can be asked to be fresh', async (t) => {
    const { address, sockets } = await node(t)
    const pool = poolTo(t, address)
    await ask(pool)
    await ask(pool, { needsFreshConnection: true })
    assert.equal(sockets.length, 2)
  })

  it('are opened for requests under way after the pool was closed, and none is kept', async (t) => {
    const held: Socket[] = []
    const { address } = await node(t, (socket) => void held.push(socket))
    const pool = poolTo(t, address)
    const before = ask(pool)
    await eventually('the request arrived', () => held.length === 1)
    pool.close()
    const after = ask(pool)
    await eventually('the other one arrived', () => held.length === 2)
    for (const socket of held) socket.write(OK)
    assert.deepEqual([(await before).body, (await after).body], ['ok', 'ok'])
    assert.equal(pool.size.open, 0)
  })
})

describe('attempts that find no room', () => {
  const limits = { connections: 1, waiting: 2 }

  it('wait in turn, beyond the queue they fail at once', async (t) => {
    const order: string[] = []
    const held: Socket[] = []
    const { address, sockets } = await node(t, (socket, head) => {
      order.push(head.split(' ')[1]!)
      if (order.length === 1) held.push(socket)
      else socket.write(OK)
    })
    const pool = poolTo(t, address, { limits })
    const answers = ['/1', '/2', '/3'].map((target) => ask(pool, { target }))
    const refused = (await ask(pool)).error!
    assert.deepEqual([refused.kind, refused.isUnsent], ['queue-full', true])
    await eventually('the first arrived', () => held.length === 1)
    held[0]!.write(OK)
    for (const sink of await Promise.all(answers)) assert.equal(sink.body, 'ok')
    assert.deepEqual(order, ['/1', '/2', '/3'])
    assert.equal(sockets.length, 1)
  })

  it('take the place of a connection that breaks, and are still served after the pool was closed', async (t) => {
    const { address, sockets } = await node(t, (socket, head) => {
      if (head.includes('/break')) socket.destroy()
      else socket.write(OK)
    })
    const pool = poolTo(t, address, { limits })
    const broken = ask(pool, { target: '/break' })
    const next = ask(pool)
    assert.equal((await broken).error!.kind, 'reset')
    assert.equal((await next).body, 'ok')
    pool.close()
    const [held, last] = [ask(pool, { target: '/break' }), ask(pool)]
    await held
    assert.equal((await last).body, 'ok')
    assert.equal(sockets.length, 4)
  })

  it('fail when none becomes free in time, and cost nothing once given up', async (t) => {
    const { address, received } = await node(t, () => {})
    const pool = poolTo(t, address, { limits })
    const holding = new ProbeSink()
    const sending = pool.send(outgoing(), holding)
    const late = (await ask(pool, { connectMs: 20 })).error!
    assert.deepEqual([late.kind, late.isUnsent], ['connect-timeout', true])
    const given = new ProbeSink()
    pool.send(outgoing({ target: '/given-up' }), given).abort(given)
    assert.equal(pool.size.waiting, 0)
    sending.abort(holding)
    await eventually('nothing is open', () => pool.size.open === 0)
    assert.ok(!received.join().includes('/given-up'))
    assert.equal(given.error, undefined)
  })
})

describe('an attempt', () => {
  it('that is refused was not sent', async (t) => {
    const { error } = await ask(poolTo(t, await refusingAddress()))
    assert.deepEqual([error!.kind, error!.isUnsent, error!.isStaleConnection], ['connect', true, false])
  })

  it('that cannot be written throws, and takes no connection', async (t) => {
    const pool = poolTo(t, await refusingAddress())
    assert.throws(() => pool.send(outgoing({ target: '/a b' }), new ProbeSink()), TypeError)
    assert.equal(pool.size.open, 0)
  })

  it('fails when the node is silent for the read timeout', async (t) => {
    const { address } = await node(t, () => {})
    const { error } = await ask(poolTo(t, address), { readMs: 30 })
    assert.deepEqual([error!.kind, error!.isUnsent], ['read-timeout', false])
  })

  it('fails when the body stops for the read timeout', async (t) => {
    const { address } = await node(
      t,
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
    )
    const sink = await ask(poolTo(t, address), { readMs: 30 })
    assert.deepEqual([sink.error!.kind, sink.body], ['read-timeout', 'part'])
  })

  it('does not time out while its reader is slow, and does when the node is slow afterwards', async (t) => {
    const { address, sockets } = await node(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart')
    })
    const sink = new ProbeSink()
    sink.isSlow = true
    const sending = poolTo(t, address).send(outgoing({ readMs: 30 }), sink)
    await eventually('it was paused', () => sink.bytes === 4)
    await new Promise((resolve) => setTimeout(resolve, 80))
    assert.equal(sink.error, undefined)
    sending.resume(sink)
    assert.equal((await sink.over).error!.kind, 'read-timeout')
    await eventually('the connection was given up', () => sockets[0]!.destroyed)
  })

  it('is read no further than its reader keeps up with', async (t) => {
    const chunk = Buffer.alloc(64 * 1024)
    let written = 0
    const { address } = await node(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const more = (): void => {
        while (written < 400) {
          written++
          if (!socket.write(chunk)) return void socket.once('drain', more)
        }
        socket.end()
      }
      more()
    })
    const sink = new ProbeSink()
    sink.isSlow = true
    const sending = poolTo(t, address).send(outgoing(), sink)
    await eventually('the first bytes came', () => sink.bytes > 0)
    const before = sink.bytes
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(sink.bytes, before)
    assert.ok(written < 400, 'the node has to wait')
    sink.isSlow = false
    sending.resume(sink)
    assert.ok((await sink.over).isEnded)
    assert.equal(sink.bytes, 400 * chunk.length)
  })

  it('that meets a stale connection says so', async (t) => {
    const { address } = await node(t, (socket, head) => {
      if (head.includes('/close')) socket.destroy()
      else socket.write(OK)
    })
    const pool = poolTo(t, address)
    await ask(pool)
    const stale = (await ask(pool, { target: '/close' })).error!
    assert.deepEqual([stale.kind, stale.isUnsent, stale.isStaleConnection], ['reset', false, true])
    const fresh = (await ask(pool, { target: '/close' })).error!
    assert.deepEqual([fresh.kind, fresh.isStaleConnection], ['reset', false])
  })

  it('that had part of an answer did not meet a stale connection', async (t) => {
    const { address } = await node(t, (socket, head) => {
      if (head.includes('/part')) socket.end('HTTP/1.1 2')
      else socket.write(OK)
    })
    const pool = poolTo(t, address)
    await ask(pool)
    const { error } = await ask(pool, { target: '/part' })
    assert.deepEqual([error!.kind, error!.isStaleConnection], ['reset', false])
  })

  it('fails on a response that makes no sense, and its connection goes', async (t) => {
    const { address } = await node(t, (socket) => void socket.write('garbage\r\n\r\n'))
    const pool = poolTo(t, address)
    const { error } = await ask(pool)
    assert.equal(error!.kind, 'protocol')
    assert.equal(pool.size.open, 0)
  })

  it('is told of the moments when nothing more is there', async (t) => {
    const { address, sockets } = await node(t, (socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\none'))
    const pool = poolTo(t, address)
    const sink = new ProbeSink()
    pool.send(outgoing(), sink)
    await eventually('the first part came', () => sink.body === 'one')
    assert.equal(sink.lulls, 1)
    sockets[0]!.end('two')
    assert.equal((await sink.over).body, 'onetwo')
  })

  it('that is aborted ends its connection and hears nothing more', async (t) => {
    const { address, sockets } = await node(t, (socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\none'))
    const pool = poolTo(t, address)
    const sink = new ProbeSink()
    const sending = pool.send(outgoing(), sink)
    await eventually('it began', () => sink.body === 'one')
    sending.abort(sink)
    await eventually('the node noticed', () => sockets[0]!.destroyed)
    assert.deepEqual([sink.error, sink.isEnded, pool.size.open], [undefined, false, 0])
  })

  it('that is over can neither end nor resume the one that follows it', async (t) => {
    const { address } = await node(t, (socket, head) => {
      socket.write(head.includes('/slow') ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no' : OK)
      if (head.includes('/slow')) setTimeout(() => socket.write('k'), 20)
    })
    const pool = poolTo(t, address)
    const first = new ProbeSink()
    const sending = pool.send(outgoing(), first)
    await first.over
    const second = ask(pool, { target: '/slow' })
    sending.abort(first)
    assert.equal((await second).body, 'ok')
  })
})

describe('the body of an attempt', () => {
  it('goes as it is with a length, and in chunks without one', async (t) => {
    const { address, received } = await node(t, () => {})
    const pool = poolTo(t, address)
    const sinks = [new ProbeSink(), new ProbeSink()]
    pool.send(outgoing({ method: 'POST', body: new ProbeBody(['he', 'llo'], 5) }), sinks[0]!)
    await eventually('it arrived', () => received[0]?.endsWith('\r\n\r\nhello'))
    pool.send(outgoing({ method: 'POST', body: new ProbeBody(['he', '', 'x'.repeat(17)]) }), sinks[1]!)
    await eventually('it arrived', () =>
      received[1]?.endsWith(`\r\n\r\n2\r\nhe\r\n11\r\n${'x'.repeat(17)}\r\n0\r\n\r\n`),
    )
  })

  it('waits while the node reads nothing, and goes on when it does', async (t) => {
    const chunk = Buffer.alloc(64 * 1024)
    const body = new ProbeBody(Array(400).fill(chunk), 400 * chunk.length)
    const { address, sockets } = await node(t, (socket) => void socket.pause())
    const answer = ask(poolTo(t, address), { method: 'POST', body })
    let before = -1
    await eventually('the upload stands still', async () => {
      const isStill = body.given === before && before > 0
      before = body.given
      await new Promise((resolve) => setTimeout(resolve, 50))
      return isStill
    })
    assert.ok(body.given < 400, 'what is under way is bounded')
    const socket = sockets[0]!
    socket.removeAllListeners('data')
    let size = 0
    socket.on('data', (text: string) => {
      size += text.length
      if (body.given === 400 && size > 399 * chunk.length) socket.write(OK)
    })
    socket.resume()
    assert.equal((await answer).body, 'ok')
  })

  it('fails with the send timeout when the node reads nothing for that long', async (t) => {
    const body = new ProbeBody(Array(400).fill(Buffer.alloc(64 * 1024)))
    const { address } = await node(t, (socket) => void socket.pause())
    const { error } = await ask(poolTo(t, address), { method: 'POST', body, sendMs: 60 })
    assert.deepEqual([error!.kind, error!.isUnsent], ['send-timeout', false])
    assert.ok(body.isDetached)
  })

  it('may be slow to come without being held against the node', async (t) => {
    const body = new ProbeBody([], 5)
    body.attach = () => {}
    const { address, received } = await node(t, () => {})
    const sink = new ProbeSink()
    const sending = poolTo(t, address).send(outgoing({ method: 'POST', body, sendMs: 20 }), sink)
    await eventually('the head arrived', () => received[0]?.endsWith('\r\n\r\n'))
    await new Promise((resolve) => setTimeout(resolve, 60))
    assert.equal(sink.error, undefined)
    sending.abort(sink)
  })

  it('is let go of when the answer comes first, and the connection is not used again', async (t) => {
    const { address } = await node(t, (socket) => {
      socket.pause()
      socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n')
    })
    const pool = poolTo(t, address)
    const body = new ProbeBody(Array(400).fill(Buffer.alloc(64 * 1024)))
    const sink = await ask(pool, { method: 'POST', body })
    assert.deepEqual([sink.head?.status, sink.isEnded, body.isDetached], [413, true, true])
    assert.equal(pool.size.open, 0)
  })
})
