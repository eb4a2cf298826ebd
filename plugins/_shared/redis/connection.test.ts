import assert from 'node:assert/strict'
import { after, describe, it, type TestContext } from 'node:test'
import { TlsTrust } from '../../../src/plugin/tls-trust.ts'
import { makeCertificate } from '../../../test/support/certificates.ts'
import {
  type RunningRedis,
  startRedis,
  startRedisCluster,
  startSentinel,
} from '../../../test/support/redis.ts'
import { RedisConnection, RedisUnavailableError } from './connection.ts'
import { keySlot } from './key-slot.ts'
import { defineScript } from './script.ts'
import type { RedisTarget } from './target.ts'

const ADD = defineScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
const clock = { now: Date.now, monotonic: () => performance.now() }
/** Long enough for a busy machine to answer what it can. */
const TIMEOUT_MS = 1000
/** What is said without asking a server that has let others wait. */
const UNASKED = /^RedisUnavailableError: redis at \S+(, \S+)* does not answer$/

function targetOf({ host, port }: RunningRedis, rest: Partial<RedisTarget> = {}): RedisTarget {
  return {
    kind: 'redis',
    addresses: [{ host, port }],
    database: 0,
    connectTimeoutMs: 1000,
    timeoutMs: TIMEOUT_MS,
    ...rest,
  }
}

/** Collects what is logged; nothing else of a logger is used. */
function open(t: TestContext, target: RedisTarget, trusted?: string) {
  const trust = new TlsTrust(trusted)
  const tlsOptions = (isVerified: boolean) => trust.check(isVerified)
  const logged: string[] = []
  const note = (fields: object, text: string) => void logged.push(`${JSON.stringify(fields)} ${text}`)
  const logger = { warn: note, info: note } as never
  const connection = new RedisConnection(target, { logger, clock, tlsOptions })
  t.after(() => connection.close())
  return { connection, logged, add: (key: string, by = 1) => connection.run(ADD, key, [by]) }
}

async function eventually<T>(attempt: () => Promise<T>, deadlineMs = 60_000): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function timed(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const startedAt = performance.now()
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, ms: performance.now() - startedAt }
}

describe('a connection to redis', () => {
  it('runs scripts, also after the server has forgotten them', async (t) => {
    const redis = await startRedis(t)
    const { add } = open(t, targetOf(redis))
    assert.equal(await add('a'), 1)
    assert.equal(await add('a', 2), 3)
    await redis.command('SCRIPT', 'FLUSH')
    assert.equal(await add('a'), 4)
  })

  it('uses user name, password and database, and shows none of them when they are wrong', async (t) => {
    const redis = await startRedis(t, { password: 'right-secret' })
    const good = open(t, targetOf(redis, { username: 'default', password: 'right-secret', database: 3 }))
    assert.equal(await good.add('a'), 1)
    assert.match(String(await redis.command('INFO', 'keyspace')), /db3:keys=1/)
    const bad = open(t, targetOf(redis, { password: 'wrong-secret' }))
    const { error } = await timed(bad.add('a'))
    assert.ok(error instanceof Error)
    assert.doesNotMatch(`${error.message} ${bad.logged.join()}`, /secret/)
    assert.equal(bad.logged.length, 1)
  })

  it('tells an error of the script from a server that is not there', async (t) => {
    const { connection } = open(t, targetOf(await startRedis(t)))
    const broken = defineScript("return redis.call('NO-SUCH-COMMAND')")
    const { error } = await timed(connection.run(broken, 'a', []))
    assert.ok(!(error instanceof RedisUnavailableError))
    assert.match(String(error), /Unknown Redis command/)
  })

  it('fails at once while the server is down, and works again when it is back', async (t) => {
    const redis = await startRedis(t)
    const { add, logged } = open(t, targetOf(redis))
    await add('a')
    await redis.kill9()
    await timed(add('a'))
    for (let i = 0; i < 100; i++) {
      const { error } = await timed(add('a'))
      assert.ok(error instanceof RedisUnavailableError)
      assert.equal(error.message, `redis at ${redis.host}:${redis.port}: not connected`)
    }
    await redis.restart()
    // Nothing was kept for later: the first count is 1.
    assert.equal(await eventually(() => add('a')), 1)
    assert.equal(logged.length, 2, logged.join('\n'))
  })

  it('has the first ones wait for it, and none when there is no server', async (t) => {
    const redis = await startRedis(t)
    const { add } = open(t, targetOf(redis))
    assert.deepEqual((await Promise.all([add('a'), add('a'), add('a')])).sort(), [1, 2, 3])
    await redis.kill9()
    const connectTimeoutMs = 60_000
    const { add: addAgain } = open(t, targetOf(redis, { connectTimeoutMs }))
    const { error, ms } = await timed(addAgain('a'))
    assert.ok(error instanceof RedisUnavailableError)
    assert.ok(ms < connectTimeoutMs / 2, `it took ${ms} ms`)
  })

  it('lets only those wait who asked before a server that hangs was found out', async (t) => {
    const redis = await startRedis(t)
    const { add } = open(t, targetOf(redis))
    await add('a')
    redis.freeze()
    t.after(() => redis.thaw())
    const first = await timed(add('a'))
    assert.ok(first.error instanceof RedisUnavailableError)
    for (let i = 0; i < 20; i++) assert.match(String((await timed(add('a'))).error), UNASKED)
    redis.thaw()
    assert.ok(Number(await eventually(() => add('a'))) >= 2)
  })

  it('leaves nothing on the server when it is closed, before or after it was open', async (t) => {
    const redis = await startRedis(t)
    const named = async () =>
      String(await redis.command('CLIENT', 'LIST'))
        .split('\n')
        .filter((line) => line.includes('name=gatewright')).length
    const early = open(t, targetOf(redis))
    await early.connection.close()
    const late = open(t, targetOf(redis))
    await late.add('a')
    assert.equal(await named(), 1)
    await late.connection.close()
    await eventually(async () => assert.equal(await named(), 0))
    assert.ok((await timed(late.add('a'))).error instanceof RedisUnavailableError)
  })

  it('speaks TLS, and checks the certificate when told to', async (t) => {
    const authority = makeCertificate({ names: ['authority'] })
    const { key, cert } = makeCertificate({
      names: ['127.0.0.1'],
      issuer: { ...authority, name: 'authority' },
    })
    const redis = await startRedis(t, { tls: { key, cert, ca: authority.cert } })
    assert.equal(await open(t, targetOf(redis, { tls: { isVerified: false } })).add('a'), 1)
    const checked = targetOf(redis, { tls: { isVerified: true } })
    const { error } = await timed(open(t, checked).add('a'))
    assert.ok(error instanceof RedisUnavailableError)
    assert.equal(await open(t, checked, authority.cert).add('a'), 2)
  })
})

describe('a cluster of redis', () => {
  const nodes = startRedisCluster({ after })
  const target = async (): Promise<RedisTarget> => ({
    ...targetOf((await nodes)[0]!),
    kind: 'redis-cluster',
  })

  it('is asked where the key is', async (t) => {
    const { add } = open(t, await target())
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    // The slots were dealt out a moment ago: until each node is known, what is asked of it fails at once and is not counted.
    for (const key of keys) assert.equal(await eventually(() => add(key)), 1)
    for (const key of keys) assert.equal(await add(key), 2)
    for (const node of await nodes) assert.ok(Number(await node.command('DBSIZE')) > 0)
  })

  it('is known by the slots that redis knows', async () => {
    const [first] = await nodes
    for (const key of ['a', 'limit:1:203.0.113.7', 'x{tag}y', 'x{}y', '{', 'ü', 'a{b}{c}']) {
      assert.equal(keySlot(key), await first!.command('CLUSTER', 'KEYSLOT', key))
    }
  })

  it('goes on with the other nodes when one hangs, and fails at once for its keys', async (t) => {
    const { add } = open(t, await target())
    const [, frozen] = await nodes
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => eventually(() => add(key))))
    const frozenKeys = keys.filter((key) => keySlot(key) >= 5461 && keySlot(key) < 10_922)
    const otherKeys = keys.filter((key) => !frozenKeys.includes(key))
    frozen!.freeze()
    t.after(() => frozen!.thaw())
    await timed(add(frozenKeys[0]!))
    const refused = await timed(add(frozenKeys[1]!))
    assert.match(String(refused.error), UNASKED)
    assert.ok((await Promise.all(otherKeys.map((key) => add(key)))).every((count) => count === 2))
    frozen!.thaw()
    assert.ok(Number(await eventually(() => add(frozenKeys[1]!))) >= 2)
  })
})

describe('a redis behind sentinels', () => {
  it('is found through them, and found again after a failover', async (t) => {
    const { master, sentinels, name, masterPort } = await startSentinel(t, { password: 'secret' })
    const { add } = open(t, {
      ...targetOf(sentinels[0]!, { password: 'secret' }),
      kind: 'redis-sentinel',
      sentinel: { name, role: 'master' },
    })
    assert.equal(await add('a'), 1)
    await master.kill9()
    assert.ok((await timed(add('a'))).error instanceof RedisUnavailableError)
    await eventually(async () => assert.notEqual(await masterPort(), master.port), 20_000)
    assert.ok(Number(await eventually(() => add('a'))) >= 1)
  })
})
