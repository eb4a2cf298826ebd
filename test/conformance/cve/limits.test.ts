import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { startRedis } from '../../support/redis.ts'

type Plugins = Record<string, Record<string, unknown>>

async function gatewayWith(
  t: Pick<import('node:test').TestContext, 'after'>,
  plugins: Plugins,
  address: string,
) {
  return startGateway(t, {
    routes: { '1': { uri: '/*', plugins, upstream: { type: 'roundrobin', nodes: { [address]: 1 } } } },
  })
}

async function statuses(
  url: string,
  count: number,
  headers: (i: number) => Record<string, string> = () => ({}),
) {
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const answer = await fetch(url, { headers: headers(i) })
      await answer.arrayBuffer()
      return answer.status
    }),
  )
  return answers.sort()
}

describe('CVE-2026-26330', () => {
  it('requests are answered by the policy when the redis of a limit is killed under them', async (t) => {
    const upstream = await fakeUpstream(t, (_, response) => response.end('ok'))
    for (const [mayDegrade, expected] of [
      [false, 500],
      [true, 200],
    ] as const) {
      const redis = await startRedis(t)
      const at = { policy: 'redis', redis_host: redis.host, redis_port: redis.port, redis_timeout: 500 }
      const limits = { ...at, allow_degradation: mayDegrade, key: 'remote_addr' }
      const gateway = await gatewayWith(
        t,
        {
          'limit-count': { ...limits, count: 1000, time_window: 60 },
          'limit-req': { ...limits, rate: 1000, burst: 1000, nodelay: true },
          'limit-conn': { ...limits, conn: 1000, burst: 0, default_conn_delay: 0.1 },
        },
        upstream.address,
      )
      assert.deepEqual(await statuses(gateway.proxyUrl, 5), Array(5).fill(200))
      redis.freeze()
      const caught = statuses(gateway.proxyUrl, 20)
      await redis.kill9()
      for (const status of await caught) assert.equal(status, expected)
      assert.deepEqual(await statuses(gateway.proxyUrl, 20), Array(20).fill(expected))
      await gateway.stop()
    }
  })
})

describe('class rate-limit', () => {
  const server = startRedis({ after })

  it('two nodes with one redis let through exactly the limit, whatever a client says of itself', async (t) => {
    const upstream = await fakeUpstream(t, (_, response) => response.end('ok'))
    const redis = await server
    const limit = {
      ...{ policy: 'redis', redis_host: redis.host, redis_port: redis.port },
      ...{ count: 10, time_window: 60, rejected_code: 429 },
    }
    const one = await gatewayWith(t, { 'limit-count': limit }, upstream.address)
    const other = await gatewayWith(t, { 'limit-count': limit }, upstream.address)
    const disguise = (i: number) => ({ 'X-Forwarded-For': `203.0.113.${i}`, Forwarded: `for=203.0.113.${i}` })
    const all = await Promise.all([one, other].map(({ proxyUrl }) => statuses(proxyUrl, 20, disguise)))
    assert.equal(all.flat().filter((status) => status === 200).length, 10)
    await one.stop()
    await other.stop()
  })

  it('a client that leaves gives its place back at once', async (t) => {
    let asked = 0
    const upstream = await fakeUpstream(t, (request, response) => {
      asked += 1
      if (request.url === '/quick') response.end('ok')
    })
    const gateway = await gatewayWith(
      t,
      { 'limit-conn': { conn: 1, burst: 0, default_conn_delay: 0.1, key: 'remote_addr' } },
      upstream.address,
    )
    const socket = connect(gateway.proxyPort, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const deadline = Date.now() + 5000
    while (asked === 0) await pause(deadline)
    assert.deepEqual(await statuses(`${gateway.proxyUrl}/quick`, 1), [503])
    socket.destroy()
    while ((await statuses(`${gateway.proxyUrl}/quick`, 1))[0] !== 200) await pause(deadline)
  })

  it('a node that cannot be reached opens the circuit of its host and path', async (t) => {
    const upstream = await fakeUpstream(t, (_, response) => response.end('ok'))
    await upstream.close()
    const breaker = {
      break_response_code: 599,
      break_response_body: 'broken',
      unhealthy: { http_statuses: [502], failures: 2 },
    }
    const gateway = await gatewayWith(t, { 'api-breaker': breaker }, upstream.address)
    for (const expected of [502, 502, 599, 599]) {
      assert.deepEqual(await statuses(`${gateway.proxyUrl}/a`, 1), [expected])
    }
    assert.deepEqual(await statuses(`${gateway.proxyUrl}/b`, 1), [502])
  })
})

async function pause(deadline: number): Promise<void> {
  assert.ok(Date.now() < deadline, 'it takes too long')
  await new Promise((resolve) => setTimeout(resolve, 10))
}
