import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakePool } from '../../../test/support/fake-pool.ts'

/** For a start that nobody calls off. */
const NEVER = new AbortController().signal

const silent = () => new Promise(() => undefined)
const MUTE = { prepare: silent, ping: silent }

describe('the start of a pool of workers', () => {
  it('does not start when one of them cannot', async () => {
    const { pool, processes } = fakePool(2, (number) =>
      number === 2 ? { listen: () => Promise.reject(new Error('port 80 is taken')) } : {},
    )
    await assert.rejects(pool.start(NEVER), /port 80 is taken/)
    assert.deepEqual(
      processes.map(({ isGone }) => isGone),
      [true, true],
    )
  })

  it('leaves no process behind when its start is called off', async () => {
    const { pool, processes, crashed, settle } = fakePool(2, () => ({
      prepare: () => new Promise(() => undefined),
    }))
    const called = new AbortController()
    const started = pool.start(called.signal)
    await settle()
    called.abort(new Error('stopped: SIGTERM'))
    await assert.rejects(started, /stopped: SIGTERM/)
    await settle()
    assert.deepEqual(
      processes.map(({ isGone }) => isGone),
      [true, true],
    )
    assert.deepEqual(crashed, [])
  })

  it('starts another one for one that ends on its way, a few times, and tells of it', async () => {
    for (const [deaths, isUp] of [
      [3, true],
      [4, false],
    ] as const) {
      const made = fakePool(1, (number) => {
        if (number > deaths) return {}
        return { prepare: () => made.processes[number - 1]!.end('exit code 7') }
      })
      const started = made.pool.start(NEVER).then(
        () => true,
        () => false,
      )
      assert.equal(await started, isUp)
      assert.equal(made.crashed.length, deaths)
    }
  })

  it('does not give up a start as long as causes are found, but for a great many', async () => {
    for (const [deaths, isUp] of [
      [12, true],
      [20, false],
    ] as const) {
      let removed = 0
      const answersOf = (number: number) => ({
        ...(number <= deaths && {
          prepare: () => {
            // Every third one tells what the others ended of.
            if (number % 3 === 0) removed++
            made.processes[number - 1]!.end('exit code 7')
          },
        }),
      })
      const made = fakePool(1, answersOf, { causesRemoved: () => removed })
      const started = made.pool.start(NEVER).then(
        () => true,
        () => false,
      )
      assert.deepEqual([await started, made.crashed.length], [isUp, deaths])
    }
  })

  it('ends one that says nothing for a third of its time to get ready, and starts another', async () => {
    const { pool, clock, processes, crashed, serving, settle } = fakePool(
      1,
      (number) => (number === 1 ? MUTE : {}),
      { attach: (worker) => worker.watch() },
    )
    const started = pool.start(NEVER)
    await settle()
    await clock.advance(9999)
    await settle()
    assert.equal(processes[0]!.isGone, false)
    await clock.advance(1)
    await started
    assert.deepEqual([processes[0]!.isGone, crashed, serving()], [true, [1], [2]])
  })

  it('tries another one, once and within the same time, for one that says nothing while its program is loaded', async () => {
    const { pool, clock, logged, processes, crashed, serving, settle } = fakePool(2, (number) =>
      number === 1 ? MUTE : {},
    )
    const started = pool.start(NEVER)
    await settle()
    await clock.advance(9999)
    await settle()
    assert.equal(processes[0]!.isGone, false)
    await clock.advance(1)
    await started
    assert.deepEqual([processes[0]!.isGone, serving()], [true, [3, 2]])
    assert.deepEqual(crashed, [], 'no configuration is the reason')
    assert.equal(pool.restarts, 0)
    assert.deepEqual(logged, [
      'a worker said nothing while its program was loaded: it is killed, and another one is tried',
    ])
  })

  it('does not start when the second one says nothing either, and names what to look at', async () => {
    const { pool, clock, processes, crashed, settle } = fakePool(1, () => MUTE)
    const refused = assert.rejects(
      pool.start(NEVER),
      /^Error: worker 2 did not get ready within 30000 ms: .*gatewright\.plugin_paths/,
    )
    await settle()
    for (const stepMs of [10_000, 19_999]) {
      await clock.advance(stepMs)
      await settle()
    }
    assert.equal(processes[1]!.isGone, false)
    await clock.advance(1)
    await refused
    assert.deepEqual([processes.map(({ isGone }) => isGone), crashed], [[true, true], []])
  })

  it('lets one take all its time that shows signs of life while its program is loaded', async () => {
    let load: (value?: unknown) => void = () => undefined
    const { pool, clock, processes, serving, settle } = fakePool(1, (number) => ({
      ...(number === 1 && {
        prepare: () =>
          new Promise((resolve) => {
            load = resolve
          }),
      }),
    }))
    const started = pool.start(NEVER)
    for (let i = 0; i < 29; i++) {
      await settle()
      await clock.advance(1000)
    }
    assert.equal(processes.length, 1)
    load()
    await started
    assert.deepEqual(serving(), [1])
  })

  it('takes none for silent that works, on a machine that is busy', async () => {
    const { pool, clock, processes, settle } = fakePool(1, () => MUTE)
    const refused = assert.rejects(pool.start(NEVER), /worker 1 did not get ready within 30000 ms$/)
    for (let second = 0; second < 30; second++) {
      await settle()
      // A hundredth of the time that it would like.
      processes[0]!.cpuTicks += 1
      await clock.advance(1000)
    }
    await refused
    assert.equal(processes.length, 1)
  })

  it('takes none for silent that has less time than it may be silent', async () => {
    const { pool, clock, processes } = fakePool(1, () => MUTE, { readyTimeoutMs: 4000 })
    const refused = assert.rejects(pool.start(NEVER), /worker 1 did not get ready within 4000 ms/)
    await clock.advance(4000)
    await refused
    assert.equal(processes.length, 1)
  })

  it('takes one that is silent when its time to get ready is over for hung, and not for slow', async () => {
    const { pool, clock, serving, settle } = fakePool(1, (number) => (number === 1 ? MUTE : {}), {
      attach: (worker) => worker.watch(),
      readyTimeoutMs: 2000,
    })
    const started = pool.start(NEVER)
    await settle()
    await clock.advance(2000)
    await started
    assert.deepEqual(serving(), [2])
  })

  it('gives up one that does not get ready in time', async () => {
    const { pool, clock } = fakePool(1, () => ({ prepare: () => new Promise(() => undefined) }))
    const refused = assert.rejects(pool.start(NEVER), /did not get ready within 30000 ms/)
    await clock.advance(30_000)
    await refused
  })
})
