import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetricRegistry } from '../../../src/observe/metric-registry.ts'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.ts'
import { type Batch, type BatchOptions, createBatch } from './batch.ts'
import { BatchSendError, type Unsendable } from './send-error.ts'

interface Sink {
  readonly batches: number[][]
  /** Outcome of the next sends, in order; without one they succeed at once. */
  readonly outcomes: (() => Promise<Unsendable | undefined>)[]
}

interface Stage extends Sink {
  readonly batch: Batch<number>
  readonly clock: FakeClock
  /** Read by the batch as it goes. */
  readonly settings: { -readonly [K in keyof BatchOptions]: BatchOptions[K] }
  readonly warnings: Readonly<Record<string, unknown>>[]
  readonly pendings: number[]
  release(): Promise<void>
  metric(line: string): number | undefined
}

const DEFAULTS: BatchOptions = {
  maxEntries: 3,
  inactiveMs: 5000,
  durationMs: 60_000,
  maxRetries: 0,
  retryDelayMs: 1000,
  maxPending: () => 100,
}

function stage(options: Partial<BatchOptions> = {}): Stage {
  const clock = fakeClock()
  const settings = { ...DEFAULTS, ...options }
  const metrics = createMetricRegistry()
  const batches: number[][] = []
  const outcomes: Sink['outcomes'] = []
  const warnings: Record<string, unknown>[] = []
  const pendings: number[] = []
  const releases: (() => void | Promise<void>)[] = []
  const logger = { warn: (fields: Record<string, unknown>) => void warnings.push(fields) }
  const batch = createBatch<number>({
    name: 'test-logger',
    options: settings,
    clock,
    host: { logger: logger as never, metrics, own: (release) => void releases.push(release) },
    send: (entries) => {
      batches.push([...entries])
      return outcomes.shift()?.() ?? Promise.resolve(undefined)
    },
    observePending: (pending) => void pendings.push(pending),
  })
  return {
    ...{ batch, clock, settings, batches, outcomes, warnings, pendings },
    release: async () => {
      for (const release of releases) await release()
    },
    metric: (line) => sampleOf(metrics.expose(), line),
  }
}

function sampleOf(exposition: string, line: string): number | undefined {
  const found = exposition.split('\n').find((text) => text.startsWith(`gatewright_batch_${line} `))
  return found === undefined ? undefined : Number(found.slice(found.lastIndexOf(' ') + 1))
}

function pushAll({ batch }: Stage, ...entries: readonly number[]): boolean[] {
  return entries.map((entry) => batch.push(entry))
}

/** A send that ends when the test says so. */
function held(take: (finish: () => void) => void): Promise<undefined> {
  return new Promise((resolve) => take(() => resolve(undefined)))
}

const fail = (message = 'sink is down') => Promise.reject(new Error(message))

describe('a batch sends', () => {
  it('as soon as it is full', async () => {
    const one = stage()
    pushAll(one, 1, 2)
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [])
    pushAll(one, 3)
    assert.deepEqual(one.batches, [[1, 2, 3]])
  })

  it('when no entry came for the time of inactivity', async () => {
    const one = stage()
    pushAll(one, 1)
    await one.clock.advance(4000)
    pushAll(one, 2)
    await one.clock.advance(4999)
    assert.deepEqual(one.batches, [])
    await one.clock.advance(1)
    assert.deepEqual(one.batches, [[1, 2]])
  })

  it('when its first entry has waited for the longest time, though others keep coming', async () => {
    const one = stage({ maxEntries: 1000, durationMs: 10_000 })
    for (let entry = 0; entry < 5; entry++) {
      pushAll(one, entry)
      await one.clock.advance(2000)
    }
    assert.deepEqual(one.batches, [[0, 1, 2, 3, 4]])
  })

  it('one batch at a time, in order', async () => {
    const one = stage()
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1, 2, 3, 4, 5, 6, 7)
    await one.clock.advance(20_000)
    assert.deepEqual(one.batches, [[1, 2, 3]])
    finish()
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [[1, 2, 3], [4, 5, 6], [7]])
  })

  it('what came while it was sending, later', async () => {
    const one = stage({ maxEntries: 1000 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1)
    await one.clock.advance(5000)
    pushAll(one, 2)
    finish()
    await one.clock.advance(4999)
    assert.deepEqual(one.batches, [[1]])
    await one.clock.advance(1)
    assert.deepEqual(one.batches, [[1], [2]])
  })

  it('what came while it was sending, no later than the longest time after', async () => {
    const one = stage({ maxEntries: 1000, durationMs: 1000 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1)
    await one.clock.advance(1000)
    pushAll(one, 2)
    finish()
    await one.clock.advance(1000)
    assert.deepEqual(one.batches, [[1], [2]])
  })

  it('what is left of what came while it was sending, no later than the longest time after it came', async () => {
    const one = stage({ durationMs: 1000 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1, 2, 3, 4, 5, 6, 7)
    await one.clock.advance(800)
    finish()
    await one.clock.advance(200)
    assert.deepEqual(one.batches, [[1, 2, 3], [4, 5, 6], [7]])
  })

  it('what would have been a batch of its own, had the settings not changed meanwhile', async () => {
    const one = stage({ maxEntries: 1 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1, 2)
    one.settings.maxEntries = 10
    finish()
    await one.clock.advance(5000)
    assert.deepEqual(one.batches, [[1], [2]])
  })

  it('before it is so full that it has to drop, though more entries fit into a send', async () => {
    const one = stage({ maxEntries: 1000, maxPending: () => 6 })
    assert.deepEqual(pushAll(one, 1, 2, 3), [true, true, true])
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [[1, 2, 3]])
    assert.deepEqual(pushAll(one, 4, 5, 6), [true, true, true])
    await one.clock.advance(0)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="full"}'), 0)
  })

  it('before it holds so many bytes that it has to drop', async () => {
    const one = stage({ maxEntries: 1000, maxPendingBytes: 100 })
    for (const entry of [1, 2]) assert.equal(one.batch.push(entry, 30), true)
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [[1, 2]])
    for (const entry of [3, 4]) assert.equal(one.batch.push(entry, 30), true)
  })

  it('what keeps out an entry that would fit by itself', async () => {
    const one = stage({ maxEntries: 1000, maxPendingBytes: 100 })
    assert.equal(one.batch.push(1, 40), true)
    assert.deepEqual(one.batches, [])
    assert.equal(one.batch.push(2, 70), false)
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [[1]])
    assert.equal(one.batch.push(3, 70), true)
  })

  it('nothing early where it may wait for longer than a timer can', async () => {
    const month = 31 * 24 * 3_600_000
    const one = stage({ inactiveMs: month, durationMs: month, maxRetries: 1, retryDelayMs: month })
    one.outcomes.push(fail)
    pushAll(one, 1)
    await one.clock.advance(month - 1)
    assert.deepEqual(one.batches, [])
    await one.clock.advance(1)
    assert.deepEqual(one.batches, [[1]])
    await one.clock.advance(20 * 24 * 3_600_000)
    assert.deepEqual(one.batches, [[1]])
    await one.clock.advance(month)
    assert.deepEqual(one.batches, [[1], [1]])
  })

  it('and leaves no timer behind once everything is delivered', async () => {
    const one = stage()
    pushAll(one, 1)
    await one.clock.advance(5000)
    assert.equal(one.clock.pending, 0)
    assert.equal(one.batch.pending, 0)
    assert.deepEqual(one.pendings, [1, 0])
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 1)
    assert.equal(one.metric('pending_entries{name="test-logger"}'), 0)
  })
})

describe('a send that fails', () => {
  it('is given up when no retries are configured, and counted', async () => {
    const one = stage()
    one.outcomes.push(fail)
    pushAll(one, 1, 2, 3)
    await one.clock.advance(60_000)
    assert.deepEqual(one.batches, [[1, 2, 3]])
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="failed"}'), 3)
    assert.equal(one.metric('failed_sends_total{name="test-logger"}'), 1)
    assert.equal(one.batch.pending, 0)
  })

  it('is repeated after the delay, as often as configured', async () => {
    const one = stage({ maxRetries: 2 })
    one.outcomes.push(fail, fail)
    pushAll(one, 1, 2, 3)
    await one.clock.advance(999)
    assert.equal(one.batches.length, 1)
    await one.clock.advance(1)
    assert.equal(one.batches.length, 2)
    await one.clock.advance(1000)
    assert.deepEqual(one.batches, [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 3)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="failed"}'), 0)
  })

  it('is repeated without what was delivered', async () => {
    const one = stage({ maxRetries: 1 })
    one.outcomes.push(() => Promise.reject(new BatchSendError('cut', 2)))
    pushAll(one, 1, 2, 3)
    await one.clock.advance(1000)
    assert.deepEqual(one.batches, [[1, 2, 3], [3]])
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 3)
  })

  it('is repeated without what no attempt can deliver, which is counted', async () => {
    const one = stage({ maxRetries: 1 })
    one.outcomes.push(() => Promise.reject(new BatchSendError('cut', 1, 1)))
    pushAll(one, 1, 2, 3)
    await one.clock.advance(1000)
    assert.deepEqual(one.batches, [[1, 2, 3], [3]])
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 2)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="unsendable"}'), 1)
  })

  it('of entries that no attempt can deliver is not repeated, and they are counted', async () => {
    const one = stage({ maxRetries: 5 })
    one.outcomes.push(() => Promise.resolve({ unsendable: 2, reason: new Error('too long') }))
    pushAll(one, 1, 2, 3)
    await one.clock.advance(60_000)
    assert.equal(one.batches.length, 1)
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 1)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="unsendable"}'), 2)
    assert.equal(one.metric('failed_sends_total{name="test-logger"}'), 0)
    assert.match(String(one.warnings[0]?.['err']), /too long/)
  })

  it('that throws instead of rejecting is a failure like any other', async () => {
    const one = stage()
    one.outcomes.push(() => {
      throw new Error('not encodable')
    })
    pushAll(one, 1, 2, 3, 4, 5, 6)
    await one.clock.advance(0)
    assert.deepEqual(one.batches, [
      [1, 2, 3],
      [4, 5, 6],
    ])
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="failed"}'), 3)
  })

  it('is told to the log once a minute, with all that was lost meanwhile', async () => {
    const one = stage({ maxEntries: 1 })
    for (let i = 0; i < 5; i++) {
      one.outcomes.push(() => fail('no route to host'))
      pushAll(one, i)
      await one.clock.advance(1000)
    }
    assert.equal(one.warnings.length, 1)
    await one.clock.advance(60_000)
    one.outcomes.push(fail)
    pushAll(one, 9)
    await one.clock.advance(0)
    assert.equal(one.warnings.length, 2)
    await one.release()
    const failed = one.warnings.reduce((sum, { failedSends }) => sum + Number(failedSends), 0)
    const dropped = one.warnings.reduce(
      (sum, line) => sum + ((line['dropped'] as { failed?: number }).failed ?? 0),
      0,
    )
    assert.equal(failed, 6)
    assert.equal(dropped, 6)
  })
})

describe('a batch that cannot keep up', () => {
  it('holds no more entries than it may, those being sent included, and counts what it drops', async () => {
    const one = stage({ maxPending: () => 5 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    assert.deepEqual(pushAll(one, 1, 2, 3, 4, 5, 6, 7), [true, true, true, true, true, false, false])
    assert.equal(one.batch.pending, 5)
    assert.equal(one.metric('pending_entries{name="test-logger"}'), 5)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="full"}'), 2)
    assert.equal(one.warnings.length, 1)
    finish()
    await one.clock.advance(5000)
    assert.deepEqual(one.batches, [
      [1, 2, 3],
      [4, 5],
    ])
    assert.deepEqual(pushAll(one, 8), [true])
  })

  it('tells, and counts once, that an entry would be made in vain', () => {
    const one = stage({ maxPending: () => 2, maxEntries: 9 })
    one.outcomes.push(() => held(() => undefined))
    assert.equal(one.batch.refuses(), false)
    pushAll(one, 1, 2)
    assert.equal(one.batch.refuses(), true)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="full"}'), 1)
  })

  it('asks for the number at each push: metadata changes while it lives', () => {
    let most = 1
    const one = stage({ maxPending: () => most })
    assert.deepEqual(pushAll(one, 1, 2), [true, false])
    most = 2
    assert.deepEqual(pushAll(one, 3), [true])
  })

  it('holds no more bytes than it may, but one entry of any size', async () => {
    const one = stage({ maxPendingBytes: 100 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    assert.equal(one.batch.push(1, 200), true)
    assert.equal(one.batch.push(2, 1), false)
    assert.equal(one.batch.push(3, 0), true)
    finish()
    await one.clock.advance(5000)
    assert.deepEqual(one.batches, [[1], [3]])
    one.outcomes.push(() => held(() => undefined))
    assert.equal(one.batch.push(4, 60), true)
    assert.equal(one.batch.push(5, 60), false)
  })
})

describe('closing a batch', () => {
  it('sends everything at once, in batches of the configured size', async () => {
    const one = stage({ maxEntries: 2 })
    let finish: () => void = () => {}
    one.outcomes.push(() => held((resolve) => (finish = resolve)))
    pushAll(one, 1, 2, 3, 4, 5)
    const released = one.release()
    finish()
    await released
    assert.deepEqual(one.batches, [[1, 2], [3, 4], [5]])
    assert.equal(one.clock.pending, 0)
    assert.equal(one.metric('pending_entries{name="test-logger"}'), 0)
  })

  it('tries a failed send again at once, without the delay', async () => {
    const one = stage({ maxRetries: 3, retryDelayMs: 3_600_000 })
    one.outcomes.push(fail, fail)
    pushAll(one, 1)
    await one.release()
    assert.deepEqual(one.batches, [[1], [1], [1]])
    assert.equal(one.metric('sent_entries_total{name="test-logger"}'), 1)
  })

  it('cuts the pause before a retry that was under way', async () => {
    const one = stage({ maxRetries: 1, retryDelayMs: 3_600_000 })
    one.outcomes.push(fail)
    pushAll(one, 1, 2, 3)
    await one.clock.advance(1)
    await one.release()
    assert.deepEqual(one.batches, [
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  it('ends within its time when the sink hangs, and counts what is lost', async () => {
    const one = stage({ flushMs: 500 })
    one.outcomes.push(() => new Promise(() => {}))
    pushAll(one, 1, 2, 3, 4)
    let isReleased = false
    const released = one.release().then(() => {
      isReleased = true
    })
    await one.clock.advance(499)
    assert.equal(isReleased, false)
    await one.clock.advance(1)
    await released
    assert.equal(one.batches.length, 1)
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="stopped"}'), 4)
    assert.equal(one.warnings.length, 1)
    assert.equal(one.clock.pending, 0)
  })

  it('makes it refuse entries, and count them', async () => {
    const one = stage()
    await one.release()
    assert.deepEqual(pushAll(one, 1), [false])
    await one.clock.advance(60_000)
    assert.deepEqual(one.batches, [])
    assert.equal(one.metric('dropped_entries_total{name="test-logger",reason="stopped"}'), 1)
  })

  it('twice is as closing it once', async () => {
    const one = stage()
    pushAll(one, 1)
    await Promise.all([one.batch.close(), one.release()])
    assert.deepEqual(one.batches, [[1]])
  })
})
