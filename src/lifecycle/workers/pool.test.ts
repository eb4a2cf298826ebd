import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { fakePool } from '../../../test/support/fake-pool.ts'
import { createDeadline } from '../deadline.ts'

/** For a start that nobody calls off. */
const NEVER = new AbortController().signal

describe('the pool of workers', () => {
  it('has all of them serve, and one more ready', async () => {
    const { pool, processes, serving, settle } = fakePool(2)
    await pool.start(NEVER)
    await settle()
    assert.deepEqual(serving(), [1, 2])
    assert.equal(pool.spare.worker?.state, 'standby')
    assert.equal(processes.length, 3)
    assert.ok(!processes[2]!.heard.includes('listen'))
  })

  it('grows by a swap: the new places are filled once the others are replaced', async () => {
    const { pool, serving, settle } = fakePool(2)
    await pool.start(NEVER)
    await pool.swap(4)
    await settle()
    assert.deepEqual(
      pool.places.map(({ id }) => id),
      [1, 2, 3, 4],
    )
    assert.equal(serving().length, 4)
    assert.ok(serving().every((pid) => pid > 3))
    await pool.swap()
    assert.equal(pool.places.length, 4)
  })

  it('shrinks by a swap: the last ones drain, and are not started again', async () => {
    const { pool, processes, serving, settle } = fakePool(4)
    await pool.start(NEVER)
    await settle()
    processes[3]!.end('SIGKILL')
    await settle()
    assert.equal(pool.restarts, 1)
    await pool.swap(2)
    await settle()
    assert.equal(serving().length, 2)
    assert.deepEqual([pool.places.length, pool.restarts], [2, 1])
    const alive = processes.filter(({ isGone }) => !isGone)
    // Two and the standby.
    assert.equal(alive.length, 3)
    assert.ok(processes[2]!.heard.includes('drain'))
  })

  it('keeps as many as it had when one of the further ones cannot serve', async () => {
    const { pool, processes, serving, settle } = fakePool(2, (number) =>
      number === 7 ? { listen: () => Promise.reject(new Error('not this one')) } : {},
    )
    await pool.start(NEVER)
    await settle()
    await assert.rejects(pool.swap(5), /not this one/)
    await settle()
    assert.deepEqual([pool.places.length, serving().length], [2, 2])
    await pool.swap()
    await settle()
    assert.equal(serving().length, 2)
    assert.equal(processes.filter(({ isGone }) => !isGone).length, 3)
  })

  it('is as large as the last of several wishes', async () => {
    const { pool, serving, settle } = fakePool(2)
    await pool.start(NEVER)
    await Promise.all([pool.swap(3), pool.swap(5), pool.swap(4)])
    await settle()
    assert.equal(serving().length, 4)
  })

  it('ends one that does not read what it is told, before that is too much', async () => {
    const { pool, processes, settle } = fakePool(1)
    await pool.start(NEVER)
    await settle()
    const [{ link }] = pool.serving as [(typeof pool.serving)[number]]
    processes[0]!.forked.send = () => undefined
    for (let i = 0; i < 20_000; i++) link.tell('news', i)
    assert.equal(processes[0]!.isGone, false)
    for (let i = 0; i < 1000; i++) link.tell('news', i)
    assert.equal(processes[0]!.isGone, true)
  })

  it('does not take a SIGKILL from elsewhere for a fault of the worker', async () => {
    const { pool, processes, crashed, settle } = fakePool(1)
    await pool.start(NEVER)
    await settle()
    processes[0]!.end('SIGKILL')
    await settle()
    processes[1]!.end('SIGABRT')
    await settle()
    assert.deepEqual(crashed, [2])
  })

  it('puts the standby into the place of one that ended, without letting time pass, and makes another', async () => {
    const { pool, processes, serving, settle } = fakePool(2)
    await pool.start(NEVER)
    await settle()
    processes[0]!.end('SIGSEGV')
    await settle()
    assert.deepEqual(serving(), [3, 2])
    assert.deepEqual(
      pool.places.map(({ restarts }) => restarts),
      [1, 0],
    )
    assert.equal(pool.spare.worker?.pid, 4)
  })

  it('starts one that keeps ending later each time, says that it is a loop, and when it is none any more', async () => {
    const { pool, clock, processes, settle } = fakePool(1)
    await pool.start(NEVER)
    await settle()
    for (const waitMs of [0, 100, 200, 400, 800, 1600]) {
      pool.serving[0]!.kill()
      await settle()
      if (waitMs > 0) {
        assert.equal(pool.serving.length, 0)
        await clock.advance(waitMs - 1)
        await settle()
        assert.equal(pool.serving.length, 0)
        await clock.advance(1)
        await settle()
      }
      assert.equal(pool.serving.length, 1)
    }
    assert.equal(pool.isLooping, true)
    assert.equal(pool.places[0]!.restarts, 6)
    assert.equal(processes.filter(({ isGone }) => !isGone).length, 2)
    for (let i = 0; i < 150; i++) {
      await clock.advance(200)
      await settle()
    }
    assert.equal(pool.isLooping, false)
  })

  it('tries again, later each time, when the system does not start a process, and accuses nobody', async () => {
    const { pool, clock, processes, crashed, unstarted, serving, settle } = fakePool(1)
    await pool.start(NEVER)
    await settle()
    for (const number of [3, 4]) unstarted.add(number)
    processes[0]!.end('SIGKILL')
    await settle()
    assert.deepEqual(serving(), [2])
    for (let i = 0; i < 10; i++) {
      await clock.advance(100)
      await settle()
    }
    assert.equal(pool.spare.worker?.pid, 5)
    processes[1]!.end('SIGKILL')
    await settle()
    // The second end in this place within 30 s.
    await clock.advance(100)
    await settle()
    assert.deepEqual([serving(), crashed], [[5], []])
  })

  it('kills one that does not answer, and nobody else', async () => {
    let hangs = false
    const { pool, clock, processes, serving, settle } = fakePool(2, (number) =>
      number === 1 ? { ping: () => (hangs ? new Promise(() => undefined) : true) } : {},
    )
    await pool.start(NEVER)
    await settle()
    const beat = async () => {
      await clock.advance(200)
      await settle()
    }
    for (let i = 0; i < 20; i++) await beat()
    assert.deepEqual(serving(), [1, 2])
    hangs = true
    for (let i = 0; i < 8; i++) await beat()
    assert.equal(processes[0]!.isGone, true)
    assert.deepEqual(serving(), [3, 2])
  })

  it('swaps one after the other, each new one serving before an old one drains', async () => {
    const order: string[] = []
    const { pool, serving, settle } = fakePool(2, (number) => ({
      listen: () => void order.push(`listen ${number}`),
      drain: () => {
        order.push(`drain ${number}`)
        return { forced: 0 }
      },
    }))
    await pool.start(NEVER)
    await settle()
    order.length = 0
    await pool.swap()
    await settle()
    assert.deepEqual(serving(), [4, 5])
    assert.deepEqual(order, ['listen 4', 'drain 1', 'listen 5', 'drain 2'])
    assert.equal(pool.generation, 2)
    assert.deepEqual(
      pool.places.map(({ restarts }) => restarts),
      [0, 0],
    )
  })

  it('keeps the old ones when new ones cannot start', async () => {
    const { pool, serving, processes, settle } = fakePool(2, (number) =>
      number > 3 ? { prepare: () => Promise.reject(new Error('a plugin is broken')) } : {},
    )
    await pool.start(NEVER)
    await settle()
    await assert.rejects(pool.swap(), /a plugin is broken/)
    await settle()
    assert.deepEqual(serving(), [1, 2])
    assert.equal(processes[3]!.isGone, true)
    await pool.stop(createDeadline(1000, fakeClock()), 0)
  })

  it('stops all, counts what was cut, and starts none again', async () => {
    const { pool, clock, processes, settle } = fakePool(2, (number) => ({
      drain: () => ({ forced: number }),
    }))
    await pool.start(NEVER)
    await settle()
    assert.equal(await pool.stop(createDeadline(1000, clock), 0), 3)
    await settle()
    assert.ok(processes.every(({ isGone }) => isGone))
    assert.equal(processes.length, 3)
  })

  it('leaves none behind that a swap was making, and drains one that may have taken connections', async () => {
    for (const [topic, wasDrained] of [
      ['prepare', false],
      ['listen', true],
    ] as const) {
      let release: () => void = () => undefined
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      const { pool, clock, processes, settle } = fakePool(1, (number) =>
        number === 3 ? { [topic]: () => held } : {},
      )
      await pool.start(NEVER)
      await settle()
      const swapped = assert.rejects(pool.swap())
      await settle()
      const stopped = pool.stop(createDeadline(1000, clock), 0)
      await settle()
      release()
      await stopped
      assert.ok(processes.every(({ isGone }) => isGone))
      assert.deepEqual([processes.length, processes[2]!.heard.includes('drain')], [3, wasDrained])
      await swapped
    }
  })

  it('kills at the deadline what a swap was making', async () => {
    const { pool, clock, processes, settle } = fakePool(1, (number) =>
      number === 3 ? { listen: () => new Promise(() => undefined) } : {},
    )
    await pool.start(NEVER)
    await settle()
    const swapped = assert.rejects(pool.swap())
    await settle()
    const stopped = pool.stop(createDeadline(1000, clock), 0)
    await settle()
    await clock.advance(1000)
    await stopped
    assert.equal(processes[2]!.isGone, true)
    await swapped
  })

  it('kills those that do not end in time', async () => {
    const { pool, clock, settle } = fakePool(1, () => ({ drain: () => new Promise(() => undefined) }))
    await pool.start(NEVER)
    await settle()
    const stopped = pool.stop(createDeadline(1000, clock), 0)
    await settle()
    await clock.advance(1800)
    assert.equal(await stopped, 1)
    assert.equal(pool.serving.length, 0)
  })
})
