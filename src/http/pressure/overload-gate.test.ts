import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type RawConnection, rawConnect } from '../../../test/support/raw-client.ts'
import { eventually } from '../../../test/support/watch-recording.ts'
import { createLogger } from '../../observe/logger.ts'
import { ConnectionGate } from '../connection-gate.ts'
import { ProxyApp } from '../proxy-app.ts'
import { OverloadGate } from './overload-gate.ts'
import { TurnAway } from './turn-away.ts'

const KEEP_ALIVE_REQUESTS = 8

/** A limit that is told what to do: it lets in as many as it has places. */
class Limit {
  isLimiting = false
  places = 0
  asked = 0

  admits(): boolean {
    this.asked++
    if (!this.isLimiting) return true
    return this.places-- > 0
  }

  onWritten = () => {}

  wroteRefusals(): void {
    this.onWritten()
  }
}

/** The proxy listeners with the gate, in front of what notes who begins. */
async function stage(t: TestContext) {
  const limit = new Limit()
  const events: string[] = []
  const overload = new OverloadGate({
    limit,
    away: new TurnAway({ serverHeader: 'Gatewright', retryAfterSeconds: 1 }),
    onRefused: ({ url }) => void events.push(`refused ${url}`),
  })
  const proxy = new ProxyApp({
    handle: (request, response) => {
      events.push(`began ${request.url}`)
      response.end(`served ${request.url}\n`)
    },
    overload,
    logger: createLogger('error', { write: () => {} }),
    limits: {
      headBytes: 8192,
      headers: 20,
      headersTimeoutMs: 5000,
      keepAliveTimeoutMs: 20_000,
      keepAliveRequests: KEEP_ALIVE_REQUESTS,
      sendTimeoutMs: 20_000,
      connectionDurationMs: 0,
    },
    gate: new ConnectionGate({ connections: 100, perClient: 100, isProxy: () => false }, () => {}),
    onRefused: () => {},
    onHttp2Cut: () => {},
    onLeave: () => {},
  })
  await proxy.mount()
  const [address] = await proxy.listen([{ ip: '127.0.0.1', port: 0, enable_http2: true }])
  t.after(async () => {
    await proxy.drain(AbortSignal.timeout(1000))
    await proxy.app.close()
  })
  return { limit, events, overload, proxy, port: address!.port }
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
}

/** All answers as they came, heads included. */
function answers({ text }: RawConnection): string[] {
  return text.split(/(?=HTTP\/1\.1 \d)/)
}

async function ask(client: RawConnection, path: string): Promise<string> {
  const before = answers(client).filter((one) => one !== '').length
  client.send(get(path))
  await eventually('an answer', () => answers(client).length > before && /\n$/.test(client.text))
  return answers(client).at(-1)!
}

describe('the overload gate', () => {
  it('refuses with the same bytes before and after it watches a connection', async (t) => {
    const { limit, events, port } = await stage(t)
    limit.isLimiting = true
    const client = await rawConnect(t, port)
    const all: string[] = []
    for (let i = 1; i <= 5; i++) all.push(await ask(client, `/${i}`))
    assert.match(all[0]!, /^HTTP\/1\.1 503 [\s\S]*Keep-Alive: timeout=20[\s\S]*503 Service Unavailable"}\n$/)
    const timeless = all.map((one) => one.replace(/Date: .*/, ''))
    assert.equal(new Set(timeless).size, 1)
    assert.deepEqual(events, ['refused /1', 'refused /2', 'refused /3', 'refused /4', 'refused /5'])
    assert.equal(limit.asked, 5)
  })

  it('begins a request that is let in on a watched connection, once', async (t) => {
    const { limit, events, port } = await stage(t)
    limit.isLimiting = true
    const client = await rawConnect(t, port)
    await ask(client, '/1')
    await ask(client, '/2')
    limit.places = 1
    assert.match(await ask(client, '/3'), /served \/3\n$/)
    await ask(client, '/4')
    limit.isLimiting = false
    assert.match(await ask(client, '/5'), /served \/5\n$/)
    assert.deepEqual(events, ['refused /1', 'refused /2', 'began /3', 'refused /4', 'began /5'])
    assert.equal(limit.asked, 5)
  })

  it('begins nobody before all of the turn are refused', async (t) => {
    const { limit, events, port } = await stage(t)
    limit.isLimiting = true
    const clients = await Promise.all(Array.from({ length: 10 }, () => rawConnect(t, port)))
    await Promise.all(clients.map((client, i) => ask(client, `/before/${i}`)))
    events.length = 0
    limit.places = 2
    limit.onWritten = () => void events.push('written')
    // All in one turn: nothing is read while this one runs.
    for (const [i, client] of clients.entries()) client.send(get(`/${i}`))
    await eventually(
      'all have an answer',
      () => events.filter((event) => /^(refused|began)/.test(event)).length === 10,
    )
    assert.deepEqual(
      events.map((event) => event.split(' ')[0]),
      [...Array(8).fill('refused'), 'written', 'began', 'began'],
    )
  })

  it('ends a connection after as many requests as ever, the refused ones included', async (t) => {
    const { limit, port } = await stage(t)
    limit.isLimiting = true
    const client = await rawConnect(t, port)
    for (let i = 1; i < KEEP_ALIVE_REQUESTS; i++) {
      assert.doesNotMatch(await ask(client, `/${i}`), /Connection: close/)
    }
    assert.match(await ask(client, '/last'), /503 [\s\S]*Connection: close/)
    await client.untilClosed()
  })

  it('tells clients to leave while the listeners drain', async (t) => {
    const { limit, proxy, port } = await stage(t)
    limit.isLimiting = true
    const client = await rawConnect(t, port)
    for (let i = 1; i <= 3; i++) await ask(client, `/${i}`)
    proxy.startDraining()
    assert.match(await ask(client, '/4'), /503 [\s\S]*Connection: close/)
    await client.untilClosed()
  })

  it('begins nothing for a client that leaves before the end of the turn, and takes it for refused', async (t) => {
    const { limit, events, overload } = await stage(t)
    limit.isLimiting = true
    limit.places = 100
    const guarded = overload.guarded(({ url }) => void events.push(`began ${url}`))
    const one = createServer((request, response) => {
      guarded(request, response)
      if (request.url !== '/stays') request.socket.destroy()
    })
    const two = createHttp2Server((request, response) => {
      guarded(request as never, response as never)
      if (request.url !== '/stays') request.stream.destroy()
    })
    const ports = [await listen(t, one), await listen(t, two)]
    const session = connectHttp2(`http://127.0.0.1:${ports[1]}`)
    t.after(() => session.destroy())
    for (const path of ['/leaves', '/stays']) {
      const client = await rawConnect(t, ports[0]!)
      client.send(get(path))
      session.request({ ':path': path }).on('error', () => {})
    }
    await eventually('all are decided on', () => events.length === 4)
    assert.deepEqual(events.toSorted(), [
      'began /stays',
      'began /stays',
      'refused /leaves',
      'refused /leaves',
    ])
  })
})

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return (server.address() as AddressInfo).port
}
