import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type MountedPlugin, mountPlugin } from '../../src/testing/mount-plugin.ts'
import type { Answer } from '../../src/testing/plugin-request.ts'
import { type RunningRedis, startRedis, startRedisCluster, startSentinel } from '../../test/support/redis.ts'
import limitCount from './index.ts'

const quota = ({ headers }: Answer, prefix = '') =>
  ['limit', 'remaining', 'reset'].map((part) => headers.get(`x-${prefix}ratelimit-${part}`))
const at = ({ host, port }: RunningRedis) => ({ policy: 'redis', redis_host: host, redis_port: port })

async function statuses(mounted: MountedPlugin, count: number): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => mounted.request()))
  return answers.map(({ status }) => status).sort()
}

describe('limit-count with redis', () => {
  const server = startRedis({ after })

  it('counts together what several nodes let through, exactly', async () => {
    const config = { ...at(await server), count: 10, time_window: 60, key: 'exact', key_type: 'constant' }
    // Mounts that do not stand beside each other share nothing but redis, as two nodes do.
    const nodes = [mountPlugin(limitCount, config), mountPlugin(limitCount, config)]
    const all = (await Promise.all(nodes.map((node) => statuses(node, 20)))).flat()
    assert.equal(all.filter((status) => status === 200).length, 10)
    assert.equal(all.filter((status) => status === 503).length, 30)
  })

  it('shows the quota of a fixed window as a local policy does', async () => {
    const config = { ...at(await server), count: 2, time_window: 60, key: 'quota', key_type: 'constant' }
    const mounted = mountPlugin(limitCount, config)
    assert.deepEqual(quota(await mounted.request()), ['2', '1', '60'])
    const [limit, remaining, reset] = quota(await mounted.request())
    assert.deepEqual([limit, remaining], ['2', '0'])
    assert.ok(Number(reset) > 50 && Number(reset) <= 60, reset)
    const refused = await mounted.request()
    assert.equal(refused.status, 503)
    assert.equal(quota(refused)[1], '0')
  })

  it('opens a new window when the time is over', async () => {
    const config = { ...at(await server), count: 1, time_window: 1, key: 'over', key_type: 'constant' }
    const mounted = mountPlugin(limitCount, config)
    assert.equal((await mounted.request()).status, 200)
    assert.equal((await mounted.request()).status, 503)
    const deadline = Date.now() + 5000
    while ((await mounted.request()).status !== 200) assert.ok(Date.now() < deadline)
  })

  it('weighs the previous window in when it slides, by the clock of redis', async () => {
    const redis = await server
    const key = { key: 'slides', key_type: 'constant' }
    const config = { ...at(redis), ...key, count: 10, time_window: 60, window_type: 'sliding' }
    const nodes = [mountPlugin(limitCount, config), mountPlugin(limitCount, config)]
    const [seconds] = (await redis.command('TIME')) as string[]
    // All of the previous window, as if this one had just begun: it leaves what is over of it.
    assert.equal(await nodes[0]!.request().then(({ status }) => status), 200)
    const [stored] = (await redis.command('KEYS', '*slides')) as string[]
    const index = Math.floor(Number(seconds) / 60)
    await redis.command('HSET', stored!, 'index', index, 'current', 0, 'previous', 10)
    const passed = (await Promise.all(nodes.map((node) => statuses(node, 20))))
      .flat()
      .filter((status) => status === 200).length
    const share = (Number(seconds) % 60) / 60
    // The second may have ended meanwhile.
    assert.ok(
      passed >= Math.floor(share * 10) && passed <= Math.ceil((share + 0.05) * 10),
      `${passed} passed`,
    )
    const refused = await nodes[1]!.request()
    assert.equal(refused.status, 503)
    assert.ok(Number(quota(refused)[2]) < 60)
  })

  it('asks every rule, one after the other', async () => {
    const rules = [
      { count: 1, time_window: 60, key: '${http_a}' },
      { count: 3, time_window: 60, key: '${http_b}', header_prefix: 'bee' },
    ]
    const mounted = mountPlugin(limitCount, { ...at(await server), rules, rejected_code: 429 })
    const headers = { A: 'ann', B: 'acme' }
    const first = await mounted.request({ headers })
    assert.deepEqual([...quota(first, '1-'), ...quota(first, 'bee-')], ['1', '0', '60', '3', '2', '60'])
    const second = await mounted.request({ headers })
    assert.equal(second.status, 429)
    assert.equal(quota(second, 'bee-')[0], undefined)
    assert.equal((await mounted.request()).status, 500)
  })

  it('shares one connection among equal options and closes it with the last instance', async () => {
    const redis = await server
    const connections = async () =>
      String(await redis.command('CLIENT', 'LIST')).match(/name=gatewright/g)?.length ?? 0
    const config = { ...at(redis), redis_database: 7, count: 1, time_window: 60 }
    const before = await connections()
    const one = mountPlugin(limitCount, config)
    const other = mountPlugin(limitCount, { ...config, count: 2 }, { beside: one })
    await Promise.all([one.request(), other.request()])
    assert.equal(await connections(), before + 1)
    await other.dispose()
    assert.equal(await connections(), before + 1)
    assert.equal((await one.request()).status, 503)
    await one.dispose()
    const deadline = Date.now() + 5000
    while ((await connections()) !== before) assert.ok(Date.now() < deadline)
  })

  it('exchanges counts at intervals when told to', async () => {
    const redis = await server
    const key = { key: 'delayed', key_type: 'constant' }
    const config = { ...at(redis), ...key, count: 10, time_window: 60, sync_interval: 0.1 }
    const [one, other] = [mountPlugin(limitCount, config), mountPlugin(limitCount, config)] as const
    assert.deepEqual(await statuses(one, 6), Array(6).fill(200))
    assert.deepEqual(await statuses(other, 3), Array(3).fill(200))
    const stored = async () => {
      const [found] = (await redis.command('KEYS', '*delayed')) as string[]
      return found === undefined ? 0 : Number(await redis.command('GET', found))
    }
    const deadline = Date.now() + 5000
    while ((await stored()) !== 9) assert.ok(Date.now() < deadline, `redis knows of ${await stored()}`)
    assert.ok((await statuses(one, 20)).filter((status) => status === 200).length <= 4)
    await one.dispose()
    await other.dispose()
    assert.ok((await stored()) >= 10, 'what was counted last was told at the end')
  })
})

describe('limit-count without its redis', () => {
  const window = { count: 1, time_window: 60, redis_timeout: 200 }

  it('answers 500, or lets pass with allow_degradation, at once and with a count', async (t) => {
    const redis = await startRedis(t)
    const strict = mountPlugin(limitCount, { ...at(redis), ...window })
    const lenient = mountPlugin(limitCount, { ...at(redis), ...window, allow_degradation: true })
    await Promise.all([strict.request(), lenient.request()])
    await redis.kill9()
    await Promise.allSettled([strict.request(), lenient.request()])
    const startedAt = performance.now()
    for (let i = 0; i < 20; i++) {
      const refused = await strict.request()
      assert.equal(refused.status, 500)
      assert.equal(refused.body, '{"error_msg":"failed to limit count"}\n')
      assert.deepEqual(quota(refused), [undefined, undefined, undefined])
      assert.equal((await lenient.request()).status, 200)
    }
    assert.ok(performance.now() - startedAt < 1000, 'forty decisions take less than a second')
    assert.match(
      strict.metrics.expose(),
      /gatewright_limit_failures_total\{plugin="limit-count",outcome="refused"\} 2[01]/,
    )
    assert.match(lenient.metrics.expose(), /outcome="passed"\} 2[01]/)
  })

  it('decides within the timeout when redis hangs, then at once', async (t) => {
    const redis = await startRedis(t)
    const mounted = mountPlugin(limitCount, { ...at(redis), ...window })
    await mounted.request()
    redis.freeze()
    t.after(() => redis.thaw())
    const took: number[] = []
    for (let i = 0; i < 10; i++) {
      const startedAt = performance.now()
      assert.equal((await mounted.request()).status, 500)
      took.push(performance.now() - startedAt)
    }
    assert.ok(took[0]! < 400, `${took}`)
    assert.ok(Math.max(...took.slice(1)) < 50, `${took}`)
  })
})

describe('limit-count with several servers of redis', () => {
  it('counts in a cluster', async (t) => {
    const nodes = await startRedisCluster(t)
    const config = {
      policy: 'redis-cluster',
      redis_cluster_name: 'limits',
      redis_cluster_nodes: nodes.map(({ host, port }) => `${host}:${port}`),
      count: 1,
      time_window: 60,
      key: 'http_x_user',
    }
    const [one, other] = [mountPlugin(limitCount, config), mountPlugin(limitCount, config)] as const
    const as = (user: number) => ({ headers: { 'X-User': `user-${user}` } })
    for (let user = 0; user < 12; user++) {
      assert.equal((await one.request(as(user))).status, 200)
      assert.equal((await other.request(as(user))).status, 503)
    }
    for (const node of nodes) assert.ok(Number(await node.command('DBSIZE')) > 0)
    await one.dispose()
    await other.dispose()
  })

  it('counts in the master that sentinels name', async (t) => {
    const { sentinels, name } = await startSentinel(t, { password: 'secret' })
    const config = {
      policy: 'redis-sentinel',
      redis_sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      redis_master_name: name,
      redis_password: 'secret',
      count: 1,
      time_window: 60,
    }
    const mounted = mountPlugin(limitCount, config)
    assert.equal((await mounted.request()).status, 200)
    assert.equal((await mounted.request()).status, 503)
    await mounted.dispose()
  })
})
