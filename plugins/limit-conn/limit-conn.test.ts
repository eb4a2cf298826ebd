import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type MountedPlugin, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { Answer, RequestInit } from '../../src/testing/plugin-request.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { type RunningRedis, startRedis } from '../../test/support/redis.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import { OpenRequests } from '../_shared/limit/open-requests.ts'
import { redisOpenRequests } from '../_shared/limit/redis-open-requests.ts'
import { RedisConnection } from '../_shared/redis/connection.ts'
import limitConn from './index.ts'

const at = ({ host, port }: RunningRedis) => ({ policy: 'redis', redis_host: host, redis_port: port })
const CONFIG = { conn: 2, burst: 0, key: 'remote_addr', default_conn_delay: 0.01 }

/** All at once: each is under way until a turn of the event loop after the last has begun. */
const together = (mounted: MountedPlugin, count: number, init: RequestInit = {}): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, () => mounted.request(init)))
const passedOf = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 200).length

describe('requests under way', () => {
  it('are as many as have entered and not left', () => {
    const open = new OpenRequests(10)
    const enter = () => open.enter('a', { holder: 'h', most: 2 }, 0)
    assert.deepEqual([enter(), enter(), enter()], [1, 2, undefined])
    open.leave('a', 'h')
    assert.equal(enter(), 2)
    for (let i = 0; i < 5; i++) open.leave('a', 'h')
    assert.equal(open.size, 0)
    assert.equal(enter(), 1)
  })

  it('are given back by a process that is gone, and kept by one that is heard of', () => {
    const open = new OpenRequests(10)
    const enter = (holder: string, now: number) => open.enter('a', { holder, most: 2 }, now)
    assert.deepEqual([enter('gone', 0), enter('alive', 0), enter('alive', 0)], [1, 2, undefined])
    open.renew('alive', 20_000)
    open.renew('alive', 40_000)
    assert.deepEqual([enter('alive', 40_000), enter('alive', 40_000)], [2, undefined])
  })

  it('of lost processes take no room for keys nobody asks for', () => {
    const open = new OpenRequests(100)
    for (let i = 0; i < 50; i++) open.enter(`k${i}`, { holder: 'gone', most: 1 }, 0)
    open.enter('a', { holder: 'new', most: 1 }, 60_000)
    assert.equal(open.size, 1)
  })
})

describe('limit-conn', () => {
  it('lets so many requests be under way, and others when they have ended', async () => {
    const mounted = mountPlugin(limitConn, CONFIG)
    for (let round = 0; round < 3; round++) assert.equal(passedOf(await together(mounted, 5)), 2)
    const [refused] = (await together(mounted, 3)).filter(({ status }) => status !== 200)
    assert.equal(refused?.status, 503)
    assert.equal(refused.body, 'error page 503')
  })

  it('gives the place back however the request ended', async () => {
    const mounted = mountPlugin(limitConn, { ...CONFIG, conn: 1 })
    for (const upstream of ['refused', { status: 500 }, { status: 200 }] as const) {
      const { status } = await mounted.request({ upstream })
      assert.notEqual(status, 503)
    }
    await assert.rejects(
      mounted.request({
        upstream: () => {
          throw new Error('gone')
        },
      }),
    )
  })

  it('holds those of the burst back, for each full conn ahead of them', async () => {
    const mounted = mountPlugin(limitConn, {
      ...CONFIG,
      conn: 1,
      burst: 2,
      default_conn_delay: 0.05,
      only_use_default_delay: true,
    })
    const startedAt = performance.now()
    const ends = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { status } = await mounted.request()
        return { status, ms: performance.now() - startedAt }
      }),
    )
    assert.deepEqual(
      ends.map(({ status }) => status),
      [200, 200, 200, 503],
    )
    assert.ok(ends[1]!.ms >= 49 && ends[2]!.ms >= 99, JSON.stringify(ends))
  })

  it('counts by the key, or by the client when it has no value', async () => {
    const mounted = mountPlugin(limitConn, { ...CONFIG, conn: 1, key: 'http_x_user' })
    const users = ['ann', 'bob', ''].map((user) => mounted.request({ headers: { 'X-User': user } }))
    assert.deepEqual(
      (await Promise.all(users)).map(({ status }) => status),
      [200, 200, 200],
    )
    assert.equal(passedOf(await together(mounted, 3, { headers: { 'X-User': 'ann' } })), 1)
  })

  it('asks every rule that is about the request, and holds nothing of a refused one', async () => {
    const rules = [
      { conn: 3, burst: 0, key: '${http_a}' },
      { conn: 1, burst: 0, key: '${http_b}' },
    ]
    const mounted = mountPlugin(limitConn, { rules, default_conn_delay: 0.01 })
    const headers = { A: 'org', B: 'ann' }
    assert.equal(passedOf(await together(mounted, 3, { headers })), 1)
    assert.equal(passedOf(await together(mounted, 5, { headers: { A: 'org' } })), 3)
    assert.equal((await mounted.request()).status, 500)
  })

  it('takes conn and burst from templates, and fails when they come to nothing', async () => {
    const config = { ...CONFIG, conn: '${http_x_conn}', burst: '0' }
    const mounted = mountPlugin(limitConn, config)
    assert.equal(passedOf(await together(mounted, 4, { headers: { 'X-Conn': '3' } })), 3)
    assert.equal((await mounted.request()).status, 500)
    const lenient = mountPlugin(limitConn, { ...config, allow_degradation: true })
    assert.equal((await lenient.request()).status, 200)
  })

  it('counts together what several instances of the same configuration hold', async () => {
    const one = mountPlugin(limitConn, CONFIG)
    const other = mountPlugin(limitConn, CONFIG, { beside: one })
    const answers = (await Promise.all([together(one, 3), together(other, 3)])).flat()
    assert.equal(passedOf(answers), 2)
  })

  it('refuses what no contract allows', () => {
    assert.equal(
      refusal(limitConn, { conn: 1, burst: 0, key: 'remote_addr' }),
      'value should match only one schema, but matches none',
    )
    for (const bad of [{ conn: 0 }, { burst: -1 }, { default_conn_delay: 0 }, { conn: 'many' }]) {
      assert.ok(refusal(limitConn, { ...CONFIG, ...bad }), JSON.stringify(bad))
    }
  })
})

describe('limit-conn with redis', () => {
  const server = startRedis({ after })

  it('counts together what all nodes have under way, and gives it back', async () => {
    const redis = await server
    const config = { ...CONFIG, ...at(redis), conn: 3 }
    const nodes = [mountPlugin(limitConn, config), mountPlugin(limitConn, config)] as const
    const open = async () => {
      const [key] = (await redis.command('KEYS', 'gatewright:limit-conn:*')) as string[]
      return key === undefined ? 0 : Number(await redis.command('ZCARD', key))
    }
    const isFree = () => eventually('all places were given back', async () => (await open()) === 0)
    await Promise.all(nodes.map((node) => node.request()))
    await isFree()
    const answers = (await Promise.all([together(nodes[0], 4), together(nodes[1], 4)])).flat()
    // More than three when some have ended before others began; never all.
    assert.ok(passedOf(answers) >= 3 && passedOf(answers) < 8, `${passedOf(answers)} passed`)
    await isFree()
  })

  it('gives back at once what redis grants to a client that has left meanwhile', async (t) => {
    const redis = await startRedis(t)
    const upstream = await fakeUpstream(t)
    const limit = { ...CONFIG, ...at(redis), conn: 1, redis_timeout: 30_000 }
    const route = {
      uri: '/*',
      plugins: { 'limit-conn': limit },
      upstream: { nodes: { [upstream.address]: 1 } },
    }
    const gateway = await startGateway(t, { routes: { 1: route } })
    const held = async () => {
      const [key] = (await redis.command('KEYS', 'gatewright:limit-conn:*')) as string[]
      return key === undefined ? 0 : Number(await redis.command('ZCARD', key))
    }
    assert.equal((await fetch(gateway.proxyUrl)).status, 200)
    await eventually('its place was given back', async () => (await held()) === 0)
    redis.freeze()
    const socket = connect(Number(new URL(gateway.proxyUrl).port), '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const metrics = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
    const underWay = async () => (await (await fetch(metrics)).text()).includes('{state="writing"} 1\n')
    await eventually('redis is asked', underWay)
    socket.destroy()
    await eventually('the client has left', async () => !(await underWay()))
    redis.thaw()
    await eventually('the next one passes', async () => (await fetch(gateway.proxyUrl)).status === 200)
    await eventually('nothing is held', async () => (await held()) === 0)
  })

  it('gives back what redis has granted or kept without saying so in time', async (t) => {
    const redis = await startRedis(t)
    const config = { ...CONFIG, ...at(redis), conn: 1, redis_timeout: 300, allow_degradation: true }
    const mounted = mountPlugin(limitConn, config)
    const held = async () => {
      const [key] = (await redis.command('KEYS', 'gatewright:limit-conn:*')) as string[]
      return key === undefined ? 0 : Number(await redis.command('ZCARD', key))
    }
    await mounted.request()
    await eventually('its place was given back', async () => (await held()) === 0)
    redis.freeze()
    assert.equal((await mounted.request()).status, 200, 'without being counted')
    redis.thaw()
    await eventually('redis has taken it for a request under way', async () => (await held()) === 1)
    await eventually('it is given back', async () => {
      mounted.advance(10_000)
      return (await held()) === 0
    })
  })

  it('gives up what a node that is gone held, after key_ttl', async (t) => {
    const { host, port } = await server
    const times = { connectTimeoutMs: 1000, timeoutMs: 1000 }
    const clock = { now: Date.now, monotonic: () => performance.now() }
    const redis = new RedisConnection(
      { kind: 'redis', addresses: [{ host, port }], database: 0, ...times },
      { clock, logger: { warn() {}, info() {} } as never, tlsOptions: () => ({ rejectUnauthorized: true }) },
    )
    t.after(() => redis.close())
    const open = redisOpenRequests({ redis, prefix: 'ttl:' }, 300)
    assert.equal(await open.enter({ key: 'a', id: 'never-left' }, 1), 1)
    assert.equal(await open.enter({ key: 'a', id: 'next' }, 1), undefined)
    const deadline = Date.now() + 5000
    while ((await open.enter({ key: 'a', id: 'next' }, 1)) === undefined) assert.ok(Date.now() < deadline)
  })

  it('answers 500 without its redis, or lets pass with allow_degradation', async (t) => {
    const redis = await startRedis(t)
    const strict = mountPlugin(limitConn, { ...CONFIG, ...at(redis) })
    const lenient = mountPlugin(limitConn, { ...CONFIG, ...at(redis), allow_degradation: true })
    await Promise.all([strict.request(), lenient.request()])
    await redis.kill9()
    assert.equal((await strict.request()).status, 500)
    assert.equal((await lenient.request()).status, 200)
  })
})
