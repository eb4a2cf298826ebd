import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { eventually } from '../../test/support/watch-recording.ts'
import type { BodyConsumer } from '../upstream/transport.ts'
import { type BodyOwner, bodyOf, RequestBody } from './request-body.ts'

class Taker implements BodyConsumer {
  text = ''
  bytes = 0
  ends = 0
  isFull = false

  onChunk(chunk: Uint8Array): boolean {
    this.bytes += chunk.length
    if (this.bytes < 1000) this.text += Buffer.from(chunk).toString()
    return !this.isFull
  }

  onEnd(): void {
    this.ends++
  }
}

class Owner implements BodyOwner {
  wanted = 0
  stalls = 0
  onBodyWanted(): void {
    this.wanted++
  }
  onBodyStalled(): void {
    this.stalls++
  }
  tooLarge = 0
  onBodyTooLarge(): void {
    this.tooLarge++
  }
  tooSlow = 0
  onBodyTooSlow(): void {
    this.tooSlow++
  }
}

/** A request whose body the test writes bit by bit. */
async function incoming(t: TestContext, headers: Record<string, string> = {}) {
  let take: (request: IncomingMessage) => void = () => {}
  const taken = new Promise<IncomingMessage>((resolve) => {
    take = resolve
  })
  const server = createServer((request) => take(request))
  server.on('checkContinue', (request) => take(request))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = httpRequest({ port: (server.address() as AddressInfo).port, method: 'PUT', headers })
  client.on('error', () => client.destroy())
  client.flushHeaders()
  t.after(() => {
    client.destroy()
    server.close()
    server.closeAllConnections()
  })
  return { client, request: await taken }
}

describe('the body of a request', () => {
  it('is announced by a length or by chunks, and otherwise there is none', async (t) => {
    const owner = new Owner()
    const of = (headers: Record<string, string>) => bodyOf({ headers } as unknown as IncomingMessage, owner)
    assert.equal(of({}), undefined)
    assert.equal(of({ 'content-length': '0' })?.length, 0)
    assert.equal(of({ 'content-length': '12' })?.length, 12)
    assert.equal(of({ 'transfer-encoding': 'chunked' })?.length, undefined)
    const { request } = await incoming(t)
    assert.equal(bodyOf(request, owner)?.length, undefined)
    assert.equal(owner.wanted, 0)
  })

  it('is asked for once, when it is first wanted', async (t) => {
    const owner = new Owner()
    const { client, request } = await incoming(t, { expect: '100-continue' })
    const body = bodyOf(request, owner)!
    assert.deepEqual([body.isHeldBack, owner.wanted], [true, 0])
    body.attach(new Taker())
    body.detach()
    const taker = new Taker()
    body.attach(taker)
    assert.deepEqual([body.isHeldBack, owner.wanted], [false, 1])
    client.end('hello')
    await eventually('it was read', () => taker.ends === 1)
    assert.equal(taker.text, 'hello')
  })

  it('is given from its start to the attempt that follows a failed one, wherever that one stopped', async (t) => {
    const { client, request } = await incoming(t)
    const body = bodyOf(request, new Owner())!
    const takers = [new Taker(), new Taker(), new Taker()] as const
    body.attach(takers[0])
    client.write('one ')
    await eventually('part was read', () => takers[0].text === 'one ')
    body.detach()
    client.write('two ')
    body.attach(takers[1])
    await eventually('more was read', () => takers[1].text === 'one two ')
    client.end('three')
    await eventually('all was read', () => takers[1].ends === 1)
    body.detach()
    body.attach(takers[2])
    assert.deepEqual([takers[2].text, takers[2].ends], ['one two three', 1])
    assert.deepEqual([takers[0].text, takers[0].ends], ['one ', 0])
    assert.equal(body.bytesRead, 13)
  })

  it('can be sent again only as long as all of it is kept', async (t) => {
    const { client, request } = await incoming(t)
    const body = bodyOf(request, new Owner())!
    const taker = new Taker()
    body.attach(taker)
    client.write('x'.repeat(64 * 1024))
    await eventually('64 KiB were read', () => taker.bytes === 64 * 1024)
    assert.equal(body.isReplayable, true)
    client.end('x')
    await eventually('one byte more was read', () => taker.ends === 1)
    assert.equal(body.isReplayable, false)
  })

  it('is read no faster than it is taken, and not at all between two attempts', async (t) => {
    const { client, request } = await incoming(t)
    const body = bodyOf(request, new Owner())!
    const taker = new Taker()
    taker.isFull = true
    body.attach(taker)
    for (let i = 0; i < 100; i++) client.write('x'.repeat(100_000))
    client.end()
    await eventually('the first part came', () => taker.bytes > 0)
    const before = taker.bytes
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(taker.bytes, before)
    body.detach()
    assert.ok(request.isPaused())
    taker.isFull = false
    body.discard()
    await eventually('the rest was dropped', () => request.readableEnded)
    assert.equal(taker.bytes, before)
  })

  it('that the client stops sending is told of, one that has to wait for the node is not', async (t) => {
    const { client, request } = await incoming(t)
    const owner = new Owner()
    const body = new RequestBody(request, owner, {
      length: undefined,
      limits: { stallMs: 30, discardMs: 5000, bytes: Number.MAX_SAFE_INTEGER, minRate: 0 },
    })
    const taker = new Taker()
    taker.isFull = true
    body.attach(taker)
    client.write('part')
    await eventually('it is held back', () => request.isPaused())
    await new Promise((resolve) => setTimeout(resolve, 80))
    assert.equal(owner.stalls, 0)
    body.resume()
    await eventually('the stall was told', () => owner.stalls === 1)
  })

  it('that comes too slowly is told of once its grace is over; time that the node takes does not count', async (t) => {
    const { client, request } = await incoming(t)
    const owner = new Owner()
    const limits = { stallMs: 5000, discardMs: 5000, bytes: 1000, minRate: 1000, rateGraceMs: 200 }
    const body = new RequestBody(request, owner, { length: undefined, limits })
    const taker = new Taker()
    taker.isFull = true
    body.attach(taker)
    client.write('part')
    await eventually('it is held back', () => request.isPaused())
    await new Promise((resolve) => setTimeout(resolve, 300))
    taker.isFull = false
    body.resume()
    client.write('more')
    await eventually('more came', () => taker.bytes === 8)
    assert.equal(owner.tooSlow, 0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.write('late')
    await eventually('it was told', () => owner.tooSlow > 0)
  })

  it('that is longer than allowed is told of, and the rest goes nowhere', async (t) => {
    const { client, request } = await incoming(t)
    const owner = new Owner()
    const limits = { stallMs: 5000, discardMs: 5000, bytes: 10, minRate: 0 }
    const body = new RequestBody(request, owner, { length: undefined, limits })
    const taker = new Taker()
    body.attach(taker)
    client.write('0123456789')
    await eventually('it came', () => taker.bytes === 10)
    assert.equal(owner.tooLarge, 0)
    client.write('a')
    await eventually('it was told', () => owner.tooLarge > 0)
    assert.equal(taker.bytes, 10)
  })
})
