import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { makeCertificate } from '../../test/support/certificates.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../testing/fake-upstream.ts'
import { createHttpClient, type HttpCallError } from './http-client.ts'
import { AgentPools } from './http-client-agents.ts'
import { TlsTrust } from './tls-trust.ts'

function client(t: TestContext) {
  const one = createHttpClient()
  t.after(() => one.close())
  return one
}

const failing = (code: string, message: RegExp) => (error: HttpCallError) => {
  assert.equal(error.code, code)
  assert.match(error.message, message)
  assert.doesNotMatch(error.message, /secret/)
  return true
}

async function listen(t: TestContext, server: Server): Promise<number> {
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

async function tlsServer(t: TestContext, options: object) {
  const port = await listen(
    t,
    createTlsServer(options, (request, response) => {
      response.end(`${request.headers.host}`)
    }),
  )
  return { url: `https://localhost:${port}/`, byAddress: `https://127.0.0.1:${port}/` }
}

describe('a call', () => {
  it('sends method, headers and body, and gives status, all header lines and the body', async (t) => {
    let received = ''
    const { address, requests } = await fakeUpstream(t, async (request, response) => {
      for await (const chunk of request) received += chunk
      response.writeHead(201, { 'Set-Cookie': ['a=1', 'b=2'], 'X-One': 'z' }).end(Buffer.from([0, 255]))
    })
    const answer = await client(t).call({
      url: `http://${address}/p?q=1`,
      method: 'POST',
      headers: { 'X-A': 'é→', 'X-B': ['1', '2'] },
      body: 'häh',
      timeoutMs: 2000,
    })
    assert.equal(answer.status, 201)
    assert.deepEqual(answer.headers.all('set-cookie'), ['a=1', 'b=2'])
    assert.equal(answer.headers.get('x-one'), 'z')
    assert.deepEqual([...answer.body], [0, 255])
    assert.equal(received, 'häh')
    assert.equal(requests[0]?.url, '/p?q=1')
    assert.equal(requests[0]?.headers['content-length'], '4')
    assert.equal(Buffer.from(requests[0]!.headers['x-a'] as string, 'latin1').toString(), 'é→')
    assert.equal(requests[0]?.headers['x-b'], '1, 2')
  })

  it('follows no redirect', async (t) => {
    const { address, requests } = await fakeUpstream(t, (_, response) => {
      response.writeHead(302, { Location: '/elsewhere' }).end()
    })
    const { status } = await client(t).call({ url: `http://${address}/`, timeoutMs: 2000 })
    assert.equal(status, 302)
    assert.equal(requests.length, 1)
  })

  it('refuses header values with line breaks, framing headers and URLs of other schemes', async (t) => {
    const { address, requests } = await fakeUpstream(t)
    const { call } = client(t)
    const to = { url: `http://${address}/`, timeoutMs: 2000 }
    await assert.rejects(call({ ...to, headers: { 'X-A': 'a\r\nX-B: b' } }), /line break or NUL/)
    await assert.rejects(call({ ...to, headers: { 'X A': 'a' } }), /not a token/)
    await assert.rejects(call({ ...to, headers: { 'content-Length': '3' } }), /frames the message/)
    await assert.rejects(call({ ...to, url: 'file:///etc/passwd' }), /not an absolute one/)
    await assert.rejects(
      call({ ...to, url: 'nonsense?secret' }),
      (error: Error) => !/secret/.test(error.message),
    )
    assert.equal(requests.length, 0)
  })

  it('that cannot be made names host and port, but neither path nor query nor what the headers say', async (t) => {
    const address = await refusingAddress()
    const call = client(t).call({
      url: `http://user:secret@${address}/secret?secret`,
      headers: { Authorization: 'secret' },
      timeoutMs: 2000,
    })
    await assert.rejects(call, failing('ECONNREFUSED', new RegExp(`^GET http://${address}: `)))
  })
})

describe('the limits of a call', () => {
  it('its time covers all until the last byte, however slowly the bytes come', async (t) => {
    const trickles: NodeJS.Timeout[] = []
    t.after(() => trickles.forEach(clearInterval))
    const address = await rawUpstream(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
      trickles.push(setInterval(() => socket.write('x'), 10))
    })
    const startedAt = performance.now()
    const call = client(t).call({ url: `http://${address}/`, timeoutMs: 150 })
    await assert.rejects(call, failing('TIMEOUT', /no whole answer within 150 ms/))
    assert.ok(performance.now() - startedAt < 1500)
  })

  it('a service that accepts and says nothing meets the same limit', async (t) => {
    const address = await rawUpstream(t, () => {})
    const call = client(t).call({ url: `http://${address}/`, timeoutMs: 80 })
    await assert.rejects(call, failing('TIMEOUT', /within 80 ms/))
  })

  it('is given up by its signal, before the answer and in the midst of it, and not begun after', async (t) => {
    let gone = 0
    const { address, requests } = await fakeUpstream(t, (request, response) => {
      if (request.url === '/half') response.write('half')
      response.on('close', () => gone++)
    })
    const { call } = client(t)
    for (const path of ['/none', '/half']) {
      const abort = new AbortController()
      const before = requests.length
      const answer = call({ url: `http://${address}${path}?secret`, timeoutMs: 60_000, signal: abort.signal })
      await eventually('it is asked', () => requests.length > before, 30_000)
      abort.abort()
      await assert.rejects(answer, failing('ABORTED', /given up/))
      await eventually('the service sees it closed', () => gone > before, 30_000)
      await assert.rejects(
        call({ url: `http://${address}/`, timeoutMs: 60_000, signal: abort.signal }),
        failing('ABORTED', /given up/),
      )
    }
    assert.equal(requests.length, 2)
  })

  it('a body of just the limit is taken, one byte more is not', async (t) => {
    const { address } = await fakeUpstream(t, ({ url }, response) =>
      response.end('x'.repeat(Number(url?.slice(1)))),
    )
    const { call } = client(t)
    const limits = { timeoutMs: 2000, maxBodyBytes: 1000 }
    assert.equal((await call({ url: `http://${address}/1000`, ...limits })).body.length, 1000)
    await assert.rejects(
      call({ url: `http://${address}/1001`, ...limits }),
      failing('TOO_LARGE', /1000 bytes/),
    )
    const whole = { url: `http://${address}/${(1 << 20) + 1}`, timeoutMs: 2000 }
    await assert.rejects(call(whole), failing('TOO_LARGE', /1048576 bytes/))
  })

  it('an answer that breaks off is no answer', async (t) => {
    const address = await rawUpstream(t, (socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    await assert.rejects(
      client(t).call({ url: `http://${address}/`, timeoutMs: 2000 }),
      failing('ECONNRESET', /failed/),
    )
  })

  it('neither is a change of protocol, or what is not HTTP', async (t) => {
    const upgrading = await rawUpstream(t, (socket) => {
      socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    })
    const babbling = await rawUpstream(t, (socket) => void socket.write('220 mail ready\r\n\r\n'))
    const { call } = client(t)
    await assert.rejects(
      call({ url: `http://${upgrading}/`, timeoutMs: 2000 }),
      failing('ECONNRESET', /failed/),
    )
    await assert.rejects(
      call({ url: `http://${babbling}/`, timeoutMs: 2000 }),
      failing('HPE_INVALID_CONSTANT', /failed/),
    )
  })
})

describe('connections', () => {
  it('serve one call after the other, unless told not to', async (t) => {
    const node = await fakeUpstream(t)
    const { call } = client(t)
    const to = { url: `http://${node.address}/`, timeoutMs: 2000 }
    await call(to)
    await call(to)
    assert.equal(node.connections, 1)
    await call({ ...to, isKeptAlive: false })
    await call({ ...to, isKeptAlive: false })
    assert.equal(node.connections, 3)
    assert.equal(node.requests.at(-1)?.headers.connection, 'close')
  })

  it('beyond the size of the pool close after their call', async (t) => {
    const node = await fakeUpstream(t)
    const { call } = client(t)
    const to = { url: `http://${node.address}/`, timeoutMs: 2000, keepalive: { idleMs: 10_000, pool: 1 } }
    await Promise.all([call(to), call(to), call(to)])
    assert.equal(node.connections, 3)
    await Promise.all([call(to), call(to)])
    assert.equal(node.connections, 4)
  })

  it('that were closed while they waited are replaced for calls that may be repeated, and for no other', async (t) => {
    let connections = 0
    const address = await rawUpstream(t, (socket) => {
      const isFirst = connections++ % 2 === 0
      let calls = 0
      socket.on('data', () => {
        if (isFirst && calls++ > 0) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const to = { url: `http://${address}/`, timeoutMs: 2000 }
    const { call } = client(t)
    await call(to)
    assert.equal((await call(to)).body.toString(), 'ok')
    assert.equal(connections, 2)
    const other = client(t)
    await other.call(to)
    await assert.rejects(other.call({ ...to, method: 'POST' }), failing('ECONNRESET', /POST/))
  })

  it('of so many settings are kept at a time, those unused for longest give way', () => {
    const pools = new AgentPools(new TlsTrust())
    const settings = (pool: number) => ({ isTls: false, tls: {}, idleMs: 1000, pool })
    const first = pools.agentFor(settings(1))
    const second = pools.agentFor(settings(2))
    for (let pool = 3; pool <= 64; pool++) pools.agentFor(settings(pool))
    assert.equal(pools.agentFor(settings(1)), first)
    pools.agentFor(settings(65))
    assert.equal(pools.size, 64)
    assert.equal(second.maxFreeSockets, 0)
    assert.notEqual(pools.agentFor(settings(2)), second)
    assert.equal(first.maxFreeSockets, 1)
    pools.destroy()
  })

  it('close with the client, and the calls under way with them', async (t) => {
    const node = await fakeUpstream(t, () => {})
    const one = createHttpClient()
    const call = one.call({ url: `http://${node.address}/`, timeoutMs: 60_000 })
    const rejected = assert.rejects(call, failing('CLOSED', /the client closes/))
    await one.close()
    await rejected
    await assert.rejects(
      one.call({ url: `http://${node.address}/`, timeoutMs: 100 }),
      failing('CLOSED', /is closed/),
    )
  })
})

describe('TLS', () => {
  const authority = makeCertificate({ names: ['authority'] })
  const issuer = { ...authority, name: 'authority' }
  const localhost = makeCertificate({ names: ['localhost'], issuer })

  it('servers are verified unless it is switched off, and the two never share a connection', async (t) => {
    const { url } = await tlsServer(t, localhost)
    const { call } = client(t)
    const to = { url, timeoutMs: 2000 }
    await call({ ...to, tls: { verify: false } })
    await assert.rejects(call(to), failing('UNABLE_TO_VERIFY_LEAF_SIGNATURE', /certificate/))
    await call({ ...to, tls: { ca: authority.cert } })
    await assert.rejects(
      call({ ...to, isKeptAlive: false }),
      failing('UNABLE_TO_VERIFY_LEAF_SIGNATURE', /certificate/),
    )
  })

  it('servers are verified with the authorities of the client where a call names none', async (t) => {
    const { url } = await tlsServer(t, {
      ...localhost,
      requestCert: true,
      rejectUnauthorized: false,
      ca: authority.cert,
    })
    const one = createHttpClient(new TlsTrust(authority.cert))
    t.after(() => one.close())
    for (const isKeptAlive of [true, false]) {
      assert.equal((await one.call({ url, timeoutMs: 5000, isKeptAlive })).status, 200)
      const own = makeCertificate({ names: ['client'], issuer })
      assert.equal((await one.call({ url, timeoutMs: 5000, isKeptAlive, tls: own })).status, 200)
      const stranger = makeCertificate({ names: ['stranger'] })
      await assert.rejects(
        one.call({ url, timeoutMs: 5000, isKeptAlive, tls: { ca: stranger.cert } }),
        failing('SELF_SIGNED_CERT_IN_CHAIN', /certificate/),
      )
    }
  })

  it('the certificate is for the host of the URL, whatever the Host header says', async (t) => {
    const { url, byAddress } = await tlsServer(t, localhost)
    const { call } = client(t)
    const to = { timeoutMs: 2000, tls: { ca: authority.cert }, headers: { Host: 'localhost' } }
    assert.equal((await call({ ...to, url, headers: { Host: 'other.test' } })).body.toString(), 'other.test')
    await assert.rejects(
      call({ ...to, url: byAddress }),
      failing('ERR_TLS_CERT_ALTNAME_INVALID', /127\.0\.0\.1/),
    )
  })

  it('a client certificate is shown, and only by the calls that have one', async (t) => {
    const { url } = await tlsServer(t, { ...localhost, requestCert: true, ca: authority.cert })
    const own = makeCertificate({ names: ['gateway'], issuer })
    const { call } = client(t)
    const { status } = await call({ url, timeoutMs: 2000, tls: { ca: authority.cert, ...own } })
    assert.equal(status, 200)
    await assert.rejects(call({ url, timeoutMs: 2000, tls: { ca: authority.cert } }))
  })
})
