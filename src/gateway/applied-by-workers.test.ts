import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakePool } from '../../test/support/fake-pool.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import { AppliedByWorkers } from './applied-by-workers.ts'

const NEVER = new AbortController().signal

/** Two workers of a pool; what `slow` answers is held until `release` is called. */
function stage(slow: { readonly number: number; readonly topic: string; readonly answer: unknown }) {
  const workers: WorkerProcess[] = []
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const made = fakePool(
    2,
    (number) => (number === slow.number ? { [slow.topic]: () => held.then(() => slow.answer) } : {}),
    { attach: (worker) => void workers.push(worker), onChange: () => applied.compare() },
  )
  const applied: AppliedByWorkers = new AppliedByWorkers(() => made.pool)
  /** Whether the wait for a revision is over. */
  const waitFor = (revision: number) => {
    const state = { isOver: false }
    void applied.waitFor(revision, NEVER).then(() => {
      state.isOver = true
    })
    return state
  }
  return { ...made, workers, applied, waitFor, release: () => release() }
}

describe('the revision that the requests of all workers meet', () => {
  it('counts a worker that was told to listen and has not said where', async () => {
    const { pool, workers, applied, waitFor, release, settle } = stage({
      number: 2,
      topic: 'listen',
      answer: 'port',
    })
    const started = pool.start(NEVER)
    await settle()
    applied.note(workers[0]!, 5)
    applied.note(workers[1]!, 4)
    const wait = waitFor(5)
    await settle()
    assert.deepEqual([wait.isOver, applied.byAll], [false, 4])
    applied.note(workers[1]!, 5)
    await settle()
    assert.deepEqual([wait.isOver, applied.byAll], [true, 5])
    release()
    await started
  })

  it('counts one that is told to listen after all others had come so far', async () => {
    const { pool, workers, applied, waitFor, release, settle } = stage({
      number: 4,
      topic: 'listen',
      answer: 'port',
    })
    await pool.start(NEVER)
    for (const worker of workers.slice(0, 2)) applied.note(worker, 5)
    await settle()
    const swapped = pool.swap()
    await settle()
    const wait = waitFor(5)
    await settle()
    assert.deepEqual([wait.isOver, applied.byAll], [false, 0])
    release()
    await swapped
  })

  it('counts a worker that drains, until it has come as far or is gone', async () => {
    const { pool, workers, applied, waitFor, release, settle } = stage({
      number: 1,
      topic: 'drain',
      answer: { forced: 0 },
    })
    await pool.start(NEVER)
    await pool.swap()
    await settle()
    for (const worker of pool.serving) applied.note(worker, 7)
    applied.note(workers[0]!, 6)
    const [seven, eight] = [waitFor(7), waitFor(8)]
    await settle()
    assert.deepEqual([seven.isOver, applied.byAll], [false, 6])
    applied.note(workers[0]!, 7)
    for (const worker of pool.serving) applied.note(worker, 8)
    await settle()
    assert.deepEqual([seven.isOver, eight.isOver], [true, false])
    release()
    await settle()
    assert.deepEqual([eight.isOver, applied.byAll], [true, 8])
  })

  it('keeps nobody waiting when nobody answers requests', async () => {
    const { waitFor, settle } = stage({ number: 1, topic: 'drain', answer: { forced: 0 } })
    const wait = waitFor(3)
    await settle()
    assert.equal(wait.isOver, true)
  })
})
