import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { Answer } from '../../src/testing/plugin-request.ts'
import { type RunningRedis, startRedis } from '../../test/support/redis.ts'
import { LeakyBuckets } from '../_shared/limit/leaky-bucket.ts'
import limitReq from './index.ts'

const at = ({ host, port }: RunningRedis) => ({ policy: 'redis', redis_host: host, redis_port: port })
const CONFIG = { rate: 2, burst: 3, key: 'remote_addr' }

describe('a leaky bucket', () => {
  it('has requests wait for their turn and refuses what it does not hold', () => {
    const buckets = new LeakyBuckets(10)
    const pour = (now: number) => buckets.pour('a', { rate: 2, burst: 3 }, now)
    const waits = Array.from({ length: 6 }, () => pour(0))
    assert.deepEqual(waits, [0, 500, 1000, 1500, undefined, undefined])
    assert.equal(pour(500), 1500, 'the refused ones have not filled it')
    assert.equal(pour(10_000), 0)
  })

  it('is as good as new when it is empty', () => {
    const buckets = new LeakyBuckets(10)
    const pour = (now: number) => buckets.pour('a', { rate: 1, burst: 0 }, now)
    assert.deepEqual([0, 999, 1000, 2000].map(pour), [0, undefined, 0, 0])
  })

  it('remembers so many keys, the oldest being forgotten', () => {
    const buckets = new LeakyBuckets(2)
    const pour = (key: string) => buckets.pour(key, { rate: 1, burst: 0 }, 0)
    assert.deepEqual(['a', 'b', 'c', 'a'].map(pour), [0, 0, 0, 0])
    assert.equal(pour('c'), undefined)
  })
})

describe('limit-req', () => {
  it('holds requests back by the rate', async () => {
    const mounted = mountPlugin(limitReq, { ...CONFIG, rate: 20 })
    const startedAt = performance.now()
    const ends = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { status } = await mounted.request()
        return { status, ms: performance.now() - startedAt }
      }),
    )
    assert.deepEqual(ends.map(({ status }) => status).sort(), [200, 200, 200, 200, 503, 503])
    const passed = ends.filter(({ status }) => status === 200).map(({ ms }) => ms)
    assert.ok(passed[1]! >= 49 && passed[2]! >= 99 && passed[3]! >= 149, `${passed}`)
  })

  it('lets a burst pass at once with nodelay', async () => {
    const mounted = mountPlugin(limitReq, { ...CONFIG, nodelay: true })
    const startedAt = performance.now()
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await mounted.request()).status)
    assert.deepEqual(statuses, [200, 200, 200, 200, 503, 503])
    assert.ok(performance.now() - startedAt < 400)
    mounted.advance(500)
    assert.equal((await mounted.request()).status, 200)
    assert.equal((await mounted.request()).status, 503)
  })

  it('counts by the client when the key has no value, and sends no quota headers', async () => {
    const mounted = mountPlugin(limitReq, { rate: 1, burst: 0, key: 'http_x_user' })
    const one = await mounted.request({ remoteAddr: '203.0.113.1' })
    assert.equal(one.status, 200)
    assert.equal(one.headers.has('x-ratelimit-limit'), false)
    assert.equal((await mounted.request({ remoteAddr: '203.0.113.1' })).status, 503)
    assert.equal((await mounted.request({ remoteAddr: '203.0.113.2' })).status, 200)
    assert.equal((await mounted.request({ headers: { 'X-User': 'ann' } })).status, 200)
  })

  it('answers with rejected_code and rejected_msg', async () => {
    const config = { rate: 1, burst: 0, key: 'remote_addr', rejected_code: 429, rejected_msg: 'slow' }
    const mounted = mountPlugin(limitReq, config)
    await mounted.request()
    const answer = await mounted.request()
    assert.equal(answer.status, 429)
    assert.equal(answer.body, '{"error_msg":"slow"}\n')
  })

  it('keeps its state when the same is written again and starts anew after a change', async () => {
    const config = { rate: 1, burst: 0, key: 'remote_addr' }
    const mounted = mountPlugin(limitReq, config)
    await mounted.request()
    const again = mountPlugin(limitReq, config, { beside: mounted })
    assert.equal((await again.request()).status, 503)
    const changed = mountPlugin(limitReq, { ...config, rate: 2 }, { beside: mounted })
    assert.equal((await changed.request()).status, 200)
  })

  it('refuses what no contract allows', () => {
    assert.equal(refusal(limitReq, { rate: 1, burst: 0 }), 'property "key" is required')
    for (const bad of [{ rate: 0 }, { burst: -1 }, { policy: 'redis-sentinel' }, { key_type: 'constant' }]) {
      assert.ok(refusal(limitReq, { ...CONFIG, ...bad }), JSON.stringify(bad))
    }
    assert.equal(refusal(limitReq, { ...CONFIG, policy: 'redis' }), 'then clause did not match')
  })
})

describe('limit-req with redis', () => {
  const server = startRedis({ after })

  it('has one bucket for all nodes', async () => {
    const config = { ...at(await server), rate: 0.1, burst: 3, key: 'remote_addr', nodelay: true }
    const nodes = [mountPlugin(limitReq, config), mountPlugin(limitReq, config)]
    const answers: Answer[] = await Promise.all(Array.from({ length: 12 }, (_, i) => nodes[i % 2]!.request()))
    assert.equal(answers.filter(({ status }) => status === 200).length, 4)
  })

  it('holds requests back by the rate', async () => {
    const mounted = mountPlugin(limitReq, { ...at(await server), rate: 10, burst: 1, key: 'remote_addr' })
    const startedAt = performance.now()
    const answers = await Promise.all([mounted.request(), mounted.request()])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    const ms = performance.now() - startedAt
    assert.ok(ms >= 50, `it took ${ms} ms`)
  })

  it('answers 500 without its redis, or lets pass with allow_degradation', async (t) => {
    const redis = await startRedis(t)
    const strict = mountPlugin(limitReq, { ...at(redis), ...CONFIG })
    const lenient = mountPlugin(limitReq, { ...at(redis), ...CONFIG, allow_degradation: true })
    await Promise.all([strict.request(), lenient.request()])
    await redis.kill9()
    assert.equal((await strict.request()).status, 500)
    assert.equal((await lenient.request()).status, 200)
  })
})
