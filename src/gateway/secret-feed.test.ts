import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { linkPair } from '../../test/support/channel-pair.ts'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import type { SecretAnswer } from '../secret/secret-source.ts'
import { AppliedWaiters } from '../snapshot/applied.ts'
import { RelayedSecrets } from './relayed-secrets.ts'
import { SecretFeed } from './secret-feed.ts'

const KEY = '$secret://vault/1/a/key'
const OTHER = '$secret://vault/1/b/key'
const GOOD: SecretAnswer = { ok: true, value: 'v1' }

/** What a primary has: answers that a test sets, and who uses them. */
function stage() {
  const answers = new Map<string, SecretAnswer>()
  const uses = new Map<string, number>()
  const asked: string[] = []
  const count = (references: Iterable<string>, by: number) => {
    for (const one of references) uses.set(one, (uses.get(one) ?? 0) + by)
  }
  const keeper = {
    setManager: () => undefined,
    deleteManager: () => undefined,
    read: (text: string): SecretAnswer => answers.get(text) ?? { ok: false, reason: 'not fetched yet' },
    ask: async (references: Iterable<string>) => void asked.push(...references),
    retain: (references: Iterable<string>) => count(references, 1),
    release: (references: Iterable<string>) => count(references, -1),
  }
  const applied = new AppliedWaiters()
  const status = { observed: 0, published: 0 }
  const publisher = { applied, status, settled: async () => undefined } as never
  const feed = new SecretFeed()
  const clock = fakeClock()
  const { primary, worker, close } = linkPair()
  feed.attach(primary, { keeper, publisher })
  const secrets = new RelayedSecrets(worker, { env: { NAME: 'from env' }, clock })
  const changes: string[] = []
  secrets.listen((references) => changes.push(...references))
  const change = (text: string, answer: SecretAnswer) => {
    answers.set(text, answer)
    feed.onChange(new Set([text]))
  }
  return { answers, uses, asked, applied, status, secrets, changes, change, close, clock }
}

describe('secrets of a worker', () => {
  it('come from the primary, which keeps what a worker follows', async () => {
    const { answers, uses, secrets, asked } = stage()
    answers.set(KEY, GOOD)
    await secrets.ask([KEY], 2000)
    assert.deepEqual(secrets.read(KEY), GOOD)
    secrets.retain([KEY])
    await secrets.ask([KEY], 2000)
    assert.deepEqual(asked, [KEY])
    assert.equal(uses.get(KEY), 1)
    secrets.release([KEY])
    await eventually('it is given up', () => uses.get(KEY) === 0)
  })

  it('wait until the primary has compiled what it has heard: the manager may be in it', async () => {
    const { answers, applied, status, secrets, asked } = stage()
    status.observed = 7
    const answered = secrets.ask([KEY], 2000)
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    assert.deepEqual(asked, [])
    answers.set(KEY, GOOD)
    applied.publish(7)
    await answered
    assert.deepEqual(secrets.read(KEY), GOOD)
  })

  it('are told when they change, and only those that the worker follows', async () => {
    const { answers, secrets, changes, change } = stage()
    answers.set(KEY, GOOD)
    await secrets.ask([KEY], 2000)
    change(OTHER, { ok: true, value: 'nobody asked' })
    change(KEY, { ok: true, value: 'v2' })
    await eventually('it is told', () => changes.length > 0)
    assert.deepEqual(changes, [KEY])
    assert.deepEqual(secrets.read(KEY), { ok: true, value: 'v2' })
  })

  it('that were read too early are told once they are there', async () => {
    const { answers, secrets, changes } = stage()
    answers.set(KEY, GOOD)
    assert.equal(secrets.read(KEY).ok, false)
    await eventually('it is told', () => changes.length > 0)
    assert.deepEqual(changes, [KEY])
    assert.deepEqual(secrets.read(KEY), GOOD)
  })

  it('are waited for no longer than asked, whatever the primary does', async () => {
    const { secrets, status, clock } = stage()
    status.observed = 1
    const answered = secrets.ask([KEY], 2000)
    await clock.advance(2000)
    await answered
    assert.equal(secrets.read(KEY).ok, false)
    secrets.close()
  })

  it('that their manager has not given yet are waited for again by whoever asks next', async () => {
    const { answers, secrets, asked } = stage()
    await secrets.ask([KEY], 2000)
    assert.deepEqual(secrets.read(KEY), { ok: false, reason: 'not fetched yet' })
    answers.set(KEY, { ok: false, reason: 'no such secret' })
    await secrets.ask([KEY], 2000)
    await secrets.ask([KEY], 2000)
    assert.deepEqual(asked, [KEY, KEY])
    assert.deepEqual(secrets.read(KEY), { ok: false, reason: 'no such secret' })
  })

  it('that nothing uses are given up after a minute', async () => {
    const { answers, secrets, uses, clock } = stage()
    answers.set(KEY, GOOD).set(OTHER, GOOD)
    await secrets.ask([KEY, OTHER], 2000)
    secrets.retain([OTHER])
    await clock.advance(60_000)
    await eventually('it is given up', () => uses.get(KEY) === 0)
    assert.equal(uses.get(OTHER), 1)
  })

  it('of a worker that is gone are kept for it no longer', async () => {
    const { answers, secrets, uses, close } = stage()
    answers.set(KEY, GOOD)
    await secrets.ask([KEY], 2000)
    close()
    assert.equal(uses.get(KEY), 0)
  })

  it('in the environment are read in the worker, and what is no reference is none', async () => {
    const { secrets, uses } = stage()
    await secrets.ask(['$env://NAME'], 2000)
    assert.deepEqual(secrets.read('$env://NAME'), { ok: true, value: 'from env' })
    assert.equal(secrets.read('plain').ok, false)
    assert.equal(secrets.read('$secret://vault').ok, false)
    assert.equal(uses.size, 0)
  })
})
