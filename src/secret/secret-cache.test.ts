import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeClock, fakeClock } from '../../test/support/fake-clock.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { SecretFetch, SecretRequest, SecretResponse } from './http-fetch.ts'
import { SecretCache, type SecretCacheOptions } from './secret-cache.ts'
import { SecretFailure } from './secret-failure.ts'

const VAULT = { uri: 'http://vault.test', prefix: 'kv', token: 'vault-token' }
const REFERENCE = '$secret://vault/1/jack/key'

interface World {
  readonly cache: SecretCache
  readonly clock: FakeClock
  /** What stands under each path; a number is a status. */
  readonly secrets: Map<string, Record<string, unknown> | number>
  readonly calls: string[]
  readonly changes: string[][]
  readonly log: string[]
  /** While set, calls are not answered. */
  hold?: Promise<void>
}

function world(options: Partial<SecretCacheOptions> = {}): World {
  const made: Omit<World, 'cache'> & { hold?: Promise<void> } = {
    clock: fakeClock(),
    secrets: new Map([['jack', { key: 'one' }]]),
    calls: [],
    changes: [],
    log: [],
  }
  const answer = (request: SecretRequest): SecretResponse => {
    const path = request.url.replace('http://vault.test/v1/kv/', '')
    made.calls.push(path)
    const found = made.secrets.get(path) ?? 404
    if (typeof found === 'number') return { status: found, body: '{"errors":["planted-body"]}' }
    return { status: 200, body: JSON.stringify({ data: found }) }
  }
  const fetch: SecretFetch = async (request) => {
    const answered = answer(request)
    await result.hold
    return answered
  }
  const cache = new SecretCache({
    env: { NAME: 'from-env', OBJECT: '{"key":"inner","n":7}', VAULT_TOKEN: 'vault-token' },
    fetch,
    clock: made.clock,
    logger: createLogger('debug', { write: (line: string) => void made.log.push(line) }),
    metrics: createMetricRegistry(),
    ttlMs: 300_000,
    negativeTtlMs: 60_000,
    count: 4,
    negativeCount: 4,
    onChange: (references) => made.changes.push([...references]),
    random: () => 0.5,
    ...options,
  })
  const result: World = { ...made, cache }
  return result
}

function withVault(options: Partial<SecretCacheOptions> = {}): World {
  const made = world(options)
  made.cache.setManager('vault/1', VAULT)
  return made
}

describe('the secret cache', () => {
  it('answers a reference to the environment at once', () => {
    const { cache } = world()
    assert.deepEqual(cache.read('$env://NAME'), { ok: true, value: 'from-env' })
    assert.deepEqual(cache.read('$ENV://OBJECT/key'), { ok: true, value: 'inner' })
    assert.deepEqual(cache.read('$env://OBJECT/n'), { ok: true, value: '7' })
    assert.deepEqual(cache.read('$env://NONE'), {
      ok: false,
      reason: 'the environment variable NONE is not set',
    })
    assert.deepEqual(cache.read('$env://NAME/key'), {
      ok: false,
      reason: 'environment variable NAME: the secret is no JSON object, so it has no field "key"',
    })
  })

  it('answers what was asked for, and says of anything else that it was not', async () => {
    const { cache, changes } = withVault()
    assert.deepEqual(cache.read('$secret://vault/1/other/key'), { ok: false, reason: 'not fetched yet' })
    await cache.ask([REFERENCE], 1000)
    assert.deepEqual(cache.read(REFERENCE), { ok: true, value: 'one' })
    assert.ok(!changes.flat().includes(REFERENCE), 'who waits is not told a second time')
  })

  it('fetches what is read without having been asked for, and announces it', async () => {
    const { cache, clock, changes } = withVault()
    assert.deepEqual(cache.read(REFERENCE), { ok: false, reason: 'not fetched yet' })
    await clock.advance(100)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.deepEqual(cache.read(REFERENCE), { ok: true, value: 'one' })
  })

  it('asks once for several fields of one path', async () => {
    const { cache, secrets, calls } = withVault()
    secrets.set('jack', { key: 'one', password: 'two' })
    const other = '$secret://vault/1/jack/password'
    await cache.ask([REFERENCE, other], 1000)
    assert.deepEqual(
      [cache.read(REFERENCE), cache.read(other)],
      [
        { ok: true, value: 'one' },
        { ok: true, value: 'two' },
      ],
    )
    assert.deepEqual(calls, ['jack'])
  })

  it('stops waiting when the time is up, and announces what comes later', async () => {
    const made = withVault()
    let letGo = () => {}
    made.hold = new Promise((resolve) => {
      letGo = resolve
    })
    const asked = made.cache.ask([REFERENCE], 1000)
    await made.clock.advance(1000)
    await asked
    assert.equal(made.cache.read(REFERENCE).ok, false)
    letGo()
    await made.clock.advance(100)
    assert.deepEqual(made.changes, [[REFERENCE]])
    assert.deepEqual(made.cache.read(REFERENCE), { ok: true, value: 'one' })
  })

  it('fetches what is retained again before its time is up, and announces a changed value', async () => {
    const { cache, clock, secrets, changes, calls } = withVault()
    await cache.ask([REFERENCE], 1000)
    cache.retain([REFERENCE])
    cache.read(REFERENCE)
    await clock.advance(300_000)
    assert.equal(calls.length, 2)
    assert.deepEqual(changes, [], 'the same value is no change')
    secrets.set('jack', { key: 'two' })
    await clock.advance(300_000)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.deepEqual(cache.read(REFERENCE), { ok: true, value: 'two' })
  })

  it('fetches what is retained without having been asked for', async () => {
    const { cache, clock, changes } = withVault()
    cache.retain([REFERENCE])
    assert.equal(cache.read(REFERENCE).ok, false)
    await clock.advance(100)
    assert.deepEqual(changes, [[REFERENCE]])
  })

  it('announces together what comes at about the same time', async () => {
    const { cache, clock, secrets, changes } = withVault()
    const references = Array.from({ length: 100 }, (_, index) => `$secret://vault/1/path${index}/key`)
    for (let index = 0; index < 100; index++) secrets.set(`path${index}`, { key: 'v' })
    cache.retain(references)
    await clock.advance(1000)
    assert.equal(changes.length, 1)
    assert.equal(changes[0]?.length, 100)
  })

  it('keeps the last good value while its manager fails, and says so', async () => {
    const { cache, clock, secrets, changes, log } = withVault()
    cache.retain([REFERENCE])
    await clock.advance(100)
    cache.read(REFERENCE)
    changes.length = 0
    secrets.set('jack', 503)
    await clock.advance(300_000)
    assert.deepEqual(cache.read(REFERENCE), { ok: true, value: 'one' })
    assert.deepEqual(changes, [])
    const [status] = cache.status()
    assert.equal(status?.state, 'stale')
    assert.match(status?.reason ?? '', /^Vault answered 503/)
    assert.equal(log.filter((line) => line.includes('stays in use')).length, 1, 'once, not at each call')
    secrets.set('jack', { key: 'two' })
    await clock.advance(60_000)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.equal(cache.status()[0]?.state, 'ok')
  })

  it('takes a value away that its manager no longer has', async () => {
    const { cache, clock, secrets, changes } = withVault()
    cache.retain([REFERENCE])
    await clock.advance(100)
    cache.read(REFERENCE)
    changes.length = 0
    secrets.delete('jack')
    await clock.advance(300_000)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.equal(cache.read(REFERENCE).ok, false)
  })

  it('asks for what failed again after the negative time, not before', async () => {
    const { cache, clock, secrets, calls } = withVault()
    secrets.set('jack', 403)
    cache.retain([REFERENCE])
    await clock.advance(50_000)
    await cache.ask([REFERENCE], 0)
    assert.equal(calls.length, 1)
    await clock.advance(10_000)
    assert.equal(calls.length, 2)
  })

  it('asks again for a field that a new reference names and that was not there', async () => {
    const { cache, secrets, calls } = withVault()
    await cache.ask([REFERENCE], 1000)
    secrets.set('jack', { key: 'one', added: 'new' })
    await cache.ask(['$secret://vault/1/jack/added'], 1000)
    assert.deepEqual(cache.read('$secret://vault/1/jack/added'), { ok: true, value: 'new' })
    assert.equal(calls.length, 2)
  })

  it('gives up on a call after five seconds, even one that does not heed its signal', async () => {
    const { cache, clock } = withVault({ fetch: () => new Promise(() => {}) })
    const asked = cache.ask([REFERENCE], 60_000)
    await clock.advance(5000)
    await asked
    assert.deepEqual(cache.read(REFERENCE), { ok: false, reason: 'no answer within 5 s' })
  })

  it('calls at most eight at a time, and all in the end', async () => {
    let running = 0
    let most = 0
    const fetch: SecretFetch = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return { status: 200, body: '{"data":{"key":"v"}}' }
    }
    const { cache } = withVault({ fetch })
    const references = Array.from({ length: 40 }, (_, index) => `$secret://vault/1/path${index}/key`)
    await cache.ask(references, 10_000)
    assert.ok(references.every((reference) => cache.read(reference).ok))
    assert.equal(most, 8)
  })
})

describe('secret managers', () => {
  it('are named when they are not there, and asked when they come', async () => {
    const { cache, clock, changes } = world()
    await cache.ask([REFERENCE], 1000)
    assert.deepEqual(cache.read(REFERENCE), { ok: false, reason: 'there is no secrets resource "vault/1"' })
    cache.setManager('vault/1', VAULT)
    await clock.advance(100)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.deepEqual(cache.read(REFERENCE), { ok: true, value: 'one' })
  })

  it('take their values with them when they are deleted', async () => {
    const { cache, clock, changes } = withVault()
    await cache.ask([REFERENCE], 1000)
    cache.read(REFERENCE)
    cache.deleteManager('vault/1')
    await clock.advance(100)
    assert.deepEqual(changes, [[REFERENCE]])
    assert.equal(cache.read(REFERENCE).ok, false)
  })

  it('are asked again when their configuration changes, and only then', async () => {
    const { cache, clock, calls } = withVault()
    await cache.ask([REFERENCE], 1000)
    cache.setManager('vault/1', { ...VAULT })
    await clock.advance(100)
    assert.equal(calls.length, 1)
    cache.setManager('vault/1', { ...VAULT, token: 'other' })
    await clock.advance(100)
    assert.equal(calls.length, 2)
  })

  it('do not count with an answer from before their change', async () => {
    const made = withVault()
    let letGo = () => {}
    made.hold = new Promise((resolve) => {
      letGo = resolve
    })
    const asked = made.cache.ask([REFERENCE], 10_000)
    await made.clock.advance(1)
    made.secrets.set('jack', { key: 'from the new one' })
    made.cache.setManager('vault/1', { ...VAULT, token: 'other' })
    letGo()
    await asked
    assert.deepEqual(made.cache.read(REFERENCE), { ok: true, value: 'from the new one' })
  })

  it('may take their token from the environment, and from nowhere else', async () => {
    const { cache } = world()
    cache.setManager('vault/1', { ...VAULT, token: '$env://VAULT_TOKEN' })
    cache.setManager('vault/2', { ...VAULT, token: '$env://NONE' })
    cache.setManager('vault/3', { ...VAULT, token: '$secret://vault/1/jack/key' })
    const [good, unset, nested] = [1, 2, 3].map((id) => `$secret://vault/${id}/jack/key`)
    await cache.ask([good!, unset!, nested!], 1000)
    assert.equal(cache.read(good!).ok, true)
    assert.deepEqual(cache.read(unset!), {
      ok: false,
      reason: 'secrets resource "vault/2": "token": the environment variable NONE is not set',
    })
    assert.match(JSON.stringify(cache.read(nested!)), /can refer to the environment only/)
  })

  it('are refused by name when they are not known', async () => {
    const { cache } = world()
    for (const kind of ['azure', '__proto__', 'constructor']) {
      await cache.ask([`$secret://${kind}/1/a/b`], 1000)
      assert.match(
        JSON.stringify(cache.read(`$secret://${kind}/1/a/b`)),
        /is not known; use one of vault, aws, gcp/,
      )
    }
  })
})

describe('what the secret cache holds', () => {
  it('forgets what nothing retains any more, with its timer', async () => {
    const { cache, clock } = withVault()
    cache.retain([REFERENCE])
    cache.retain([REFERENCE])
    await clock.advance(100)
    cache.release([REFERENCE])
    assert.equal(cache.status().length, 1)
    cache.release([REFERENCE])
    assert.deepEqual(cache.status(), [])
    assert.equal(clock.pending, 0)
  })

  it('forgets what was only asked for when its time is up', async () => {
    const { cache, clock, calls } = withVault()
    await cache.ask([REFERENCE], 1000)
    await clock.advance(300_000)
    assert.deepEqual(cache.status(), [])
    assert.equal(calls.length, 1)
  })

  it('keeps no more than a number of what no document uses', async () => {
    const { cache, secrets } = withVault()
    for (let index = 0; index < 20; index++) {
      secrets.set(`good${index}`, { key: 'v' })
      await cache.ask([`$secret://vault/1/good${index}/key`, `$secret://vault/1/bad${index}/key`], 1000)
      cache.read(`$secret://vault/1/read${index}/key`)
    }
    assert.ok(cache.status().length <= 4 + 4 + 3, `${cache.status().length} kept`)
    assert.deepEqual(cache.read('$secret://vault/1/good19/key'), { ok: true, value: 'v' })
  })

  it('shows the state of each reference and never a value', async () => {
    const { cache, clock } = withVault()
    cache.retain([REFERENCE, '$env://NAME', '$env://NONE', '$secret://vault/1/none/key', '$secret://vault'])
    await clock.advance(100)
    await clock.advance(900)
    assert.deepEqual(cache.status(), [
      { reference: '$env://NAME', manager: 'env', state: 'ok' },
      {
        reference: '$env://NONE',
        manager: 'env',
        state: 'failed',
        reason: 'the environment variable NONE is not set',
      },
      {
        reference: '$secret://vault',
        state: 'failed',
        reason:
          'the reference names no secrets resource of vault; write $secret://{manager}/{id}/{path}/{field}',
      },
      { reference: REFERENCE, manager: 'vault/1', state: 'ok', ageMs: 1000 },
      {
        reference: '$secret://vault/1/none/key',
        manager: 'vault/1',
        state: 'failed',
        reason: 'Vault answered 404: there is nothing under this path; check "prefix" and the path',
      },
    ])
  })

  it('writes neither values nor tokens nor answers of managers to the log', async () => {
    const { cache, clock, secrets, log } = withVault()
    secrets.set('jack', { key: 'planted-value' })
    cache.retain([REFERENCE, '$secret://vault/1/none/key'])
    await clock.advance(100)
    secrets.set('jack', 500)
    await clock.advance(600_000)
    assert.ok(log.length >= 2)
    assert.doesNotMatch(log.join(''), /planted|vault-token/)
  })

  it('lets go of everything when it is closed', async () => {
    const signals: AbortSignal[] = []
    const fetch: SecretFetch = (_request, signal) => {
      signals.push(signal)
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new SecretFailure('stopped')))
      })
    }
    const { cache, clock, changes } = withVault({ fetch })
    cache.retain([REFERENCE])
    const asked = cache.ask([REFERENCE], 60_000)
    cache.close()
    await asked
    await clock.advance(100)
    assert.ok(signals.every((signal) => signal.aborted))
    assert.equal(clock.pending, 0)
    assert.deepEqual(changes, [])
    assert.equal(cache.read(REFERENCE).ok, false)
  })
})
