import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { type FakeClock, fakeClock } from '../../test/support/fake-clock.ts'
import { type Runnable, type RunOptions, type RunProblem, runUntilStopped } from './run-until-stopped.ts'

const never = (): Promise<never> => new Promise(() => {})

interface Run {
  readonly events: EventEmitter
  readonly clock: FakeClock
  readonly problems: RunProblem[]
  readonly stops: string[]
  readonly exitCode: Promise<number>
}

function run(own: Partial<Runnable> = {}, more: Partial<RunOptions> = {}): Run {
  const events = new EventEmitter()
  const clock = fakeClock()
  const problems: RunProblem[] = []
  const stops: string[] = []
  const runnable: Runnable = {
    start: own.start ?? (async () => {}),
    stop: (reason) => {
      stops.push(reason)
      return own.stop?.(reason) ?? Promise.resolve({ forced: 0 })
    },
  }
  const options = { events, clock, hardStopMs: 10_000, fastStopMs: 1000 }
  const exitCode = runUntilStopped(runnable, {
    ...options,
    ...more,
    onProblem: (problem) => problems.push(problem),
  })
  return { events, clock, problems, stops, exitCode }
}

describe('runUntilStopped', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) {
    it(`stops on ${signal} and ends with 0 and no listener left`, async () => {
      const { events, exitCode, stops, clock } = run()
      await clock.advance(0)
      events.emit(signal)
      assert.equal(await exitCode, 0)
      assert.deepEqual(stops, [signal])
      assert.deepEqual(events.eventNames(), [])
      assert.equal(clock.pending, 0)
    })
  }

  it('stops when something else asks for it; a signal that follows is the same wish', async () => {
    let ask = (_word: string) => {}
    let end = () => {}
    const { events, stops, exitCode, clock } = run(
      {
        stop: () =>
          new Promise((resolve) => {
            end = () => resolve({ forced: 0 })
          }),
      },
      {
        asked: new Promise((resolve) => {
          ask = resolve
        }),
      },
    )
    await clock.advance(0)
    ask('quitquitquit')
    await clock.advance(1000)
    assert.deepEqual(stops, ['quitquitquit'])
    events.emit('SIGTERM')
    await clock.advance(1000)
    end()
    assert.equal(await exitCode, 0)
    assert.deepEqual(stops, ['quitquitquit'])
  })

  it('ends with 2 when work was cut, when the stop fails, and when it never ends', async () => {
    const cut = run({ stop: async () => ({ forced: 1 }) })
    cut.events.emit('SIGTERM')
    assert.equal(await cut.exitCode, 2)

    const failing = run({ stop: () => Promise.reject(new Error('boom')) })
    failing.events.emit('SIGTERM')
    assert.equal(await failing.exitCode, 2)
    assert.deepEqual(
      failing.problems.map(({ kind }) => kind),
      ['stop'],
    )

    const hung = run({ stop: never })
    hung.events.emit('SIGTERM')
    await hung.clock.advance(10_000)
    assert.equal(await hung.exitCode, 2)
    assert.match(String(hung.problems[0]?.error), /more than 10000 ms/)
  })

  it('takes the same signal twice within 200 ms as one wish, and a later one as an order', async () => {
    const { events, clock, exitCode } = run({ stop: never })
    let code: number | undefined
    void exitCode.then((value) => (code = value))
    events.emit('SIGINT')
    await clock.advance(199)
    events.emit('SIGINT')
    await clock.advance(0)
    assert.equal(code, undefined)
    await clock.advance(1)
    events.emit('SIGTERM')
    assert.equal(await exitCode, 143)
  })

  it('ignores SIGQUIT once a stop is under way', async () => {
    const { events, clock, exitCode } = run({ stop: never })
    let code: number | undefined
    void exitCode.then((value) => (code = value))
    events.emit('SIGQUIT')
    await clock.advance(500)
    events.emit('SIGQUIT')
    await clock.advance(0)
    assert.equal(code, undefined)
    events.emit('SIGTERM')
    assert.equal(await exitCode, 143)
  })

  it('ends with 130 on an impatient second SIGINT', async () => {
    const { events, clock, exitCode } = run({ stop: never })
    events.emit('SIGTERM')
    await clock.advance(500)
    events.emit('SIGINT')
    assert.equal(await exitCode, 130)
  })

  it('ends with 1 when the start fails, after cleaning up', async () => {
    const { exitCode, problems, stops } = run({ start: () => Promise.reject(new Error('address in use')) })
    assert.equal(await exitCode, 1)
    assert.deepEqual(
      problems.map(({ kind, error }) => [kind, (error as Error).message]),
      [['start', 'address in use']],
    )
    assert.deepEqual(stops, ['start failed'])
  })

  it('stops a start that is still under way, with 0 and without calling it a failure', async () => {
    let refuse!: (error: Error) => void
    const { events, exitCode, problems, stops } = run({
      start: () => new Promise((_, reject) => (refuse = reject)),
      stop: async () => {
        refuse(new Error('called off'))
        return { forced: 0 }
      },
    })
    events.emit('SIGTERM')
    assert.equal(await exitCode, 0)
    assert.deepEqual([problems, stops], [[], ['SIGTERM']])
  })

  it('goes on after an uncaught exception that is contained', async () => {
    const { events, exitCode, problems, stops } = run({}, { isContained: (error) => error === 'known' })
    events.emit('uncaughtException', 'known')
    events.emit('unhandledRejection', 'known')
    assert.deepEqual([problems, stops], [[], []])
    events.emit('SIGTERM')
    assert.equal(await exitCode, 0)
  })

  it('ends with 70 after an uncaught exception or rejection, soon, even when the stop hangs', async () => {
    const crashed = run({ stop: never })
    crashed.events.emit('uncaughtException', new Error('bug'))
    await crashed.clock.advance(1000)
    assert.equal(await crashed.exitCode, 70)
    assert.equal(crashed.problems[0]?.kind, 'uncaught')

    const late = run()
    late.events.emit('unhandledRejection', new Error('bug'))
    assert.equal(await late.exitCode, 70)
  })
})
