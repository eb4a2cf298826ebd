import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { type Component, startInOrder, stopInOrder } from './components.ts'
import { createDeadline } from './deadline.ts'
import { Drain } from './drain.ts'

const never = (): Promise<never> => new Promise(() => {})

function component(name: string, rank: number, trace: string[], own: Partial<Component> = {}): Component {
  return {
    name,
    rank,
    start: async () => void trace.push(`start ${name}`),
    stop: async () => {
      trace.push(`stop ${name}`)
      return 0
    },
    ...own,
  }
}

describe('startInOrder', () => {
  it('starts ranks one after the other and the members of a rank together', async () => {
    const trace: string[] = []
    const slow = (name: string) => async () => {
      trace.push(`begin ${name}`)
      await Promise.resolve()
      trace.push(`end ${name}`)
    }
    const parts = [
      component('proxy', 3, trace),
      component('metrics', 1, trace, { start: slow('metrics') }),
      component('admin', 1, trace, { start: slow('admin') }),
      component('status', 0, trace),
    ]
    const started: string[] = []
    await startInOrder(parts, new AbortController().signal, ({ name }) => started.push(name))
    assert.deepEqual(trace, [
      'start status',
      'begin metrics',
      'begin admin',
      'end metrics',
      'end admin',
      'start proxy',
    ])
    assert.deepEqual(started, ['status', 'metrics', 'admin', 'proxy'])
  })

  it('goes no further after a failure and has told of everything that must be stopped', async () => {
    const trace: string[] = []
    const refuse = async () => Promise.reject(new Error('address in use'))
    const parts = [
      component('status', 0, trace),
      component('admin', 1, trace, { start: refuse }),
      component('metrics', 1, trace),
      component('proxy', 3, trace),
    ]
    const started: string[] = []
    const run = startInOrder(parts, new AbortController().signal, ({ name }) => started.push(name))
    await assert.rejects(run, /address in use/)
    assert.deepEqual(started, ['status', 'metrics'])
  })

  it('starts nothing more once it is called off', async () => {
    const trace: string[] = []
    const controller = new AbortController()
    const parts = [
      component('status', 0, trace, { start: async () => controller.abort(new Error('SIGTERM')) }),
      component('proxy', 3, trace),
    ]
    await assert.rejects(
      startInOrder(parts, controller.signal, () => {}),
      /SIGTERM/,
    )
    assert.deepEqual(trace, [])
  })
})

describe('stopInOrder', () => {
  it('stops the highest rank first and status last, and adds up what was cut', async () => {
    const trace: string[] = []
    const clock = fakeClock()
    const parts = [
      component('status', 0, trace),
      component('proxy', 3, trace, { stop: async () => 2 }),
      component('store', 2, trace),
    ]
    const report = await stopInOrder(parts, createDeadline(1000, clock), { clock, drain: new Drain() })
    assert.deepEqual(trace, ['stop store', 'stop status'])
    assert.deepEqual(report, { forced: 2, problems: [] })
  })

  it('does not let a hanging or failing component keep the next from its turn', async () => {
    const trace: string[] = []
    const clock = fakeClock()
    const parts = [
      component('hung', 3, trace, { stop: never, stopLimitMs: 300 }),
      component('broken', 2, trace, {
        stop: () => {
          throw new Error('boom')
        },
      }),
      component('status', 0, trace),
    ]
    const stopping = stopInOrder(parts, createDeadline(1000, clock), { clock, drain: new Drain() })
    await clock.advance(300)
    assert.deepEqual(await stopping, {
      forced: 2,
      problems: [
        { name: 'hung', message: 'did not stop within 300 ms' },
        { name: 'broken', message: 'boom' },
      ],
    })
    assert.deepEqual(trace, ['stop status'])
  })

  it('tells all of them before the first one stops, and names those that it still waits for', async () => {
    const trace: string[] = []
    const clock = fakeClock()
    const drain = new Drain()
    const told = (name: string, rank: number, own: Partial<Component> = {}) =>
      component(name, rank, trace, { onDrain: () => void trace.push(`told ${name}`), ...own })
    const parts = [told('status', 0), told('hung', 1, { stop: never, stopLimitMs: 50 }), told('proxy', 3)]
    const stopping = stopInOrder(parts, createDeadline(1000, clock), { clock, drain })
    await clock.advance(0)
    assert.deepEqual(trace, ['told status', 'told hung', 'told proxy', 'stop proxy'])
    assert.deepEqual(
      drain.pending().map(({ component }) => component),
      ['status', 'hung'],
    )
    await clock.advance(50)
    await stopping
    assert.deepEqual([drain.pending(), drain.acknowledged], [[], 3])
    assert.deepEqual(drain.forced, [{ component: 'hung', count: 1 }])
  })

  it('is over a second after the deadline even when everything hangs', async () => {
    const clock = fakeClock()
    const parts = [0, 1, 2, 3].map((rank) => component(`c${rank}`, rank, [], { stop: never }))
    const deadline = createDeadline(5000, clock)
    let isOver = false
    const stopping = stopInOrder(parts, deadline, { clock, drain: new Drain() }).then((report) => {
      isOver = true
      return report
    })
    await clock.advance(5999)
    assert.equal(isOver, false)
    assert.equal(deadline.signal.aborted, true)
    await clock.advance(1)
    assert.equal((await stopping).forced, 4)
    assert.equal(clock.pending, 0)
  })
})

describe('a deadline', () => {
  it('counts down, aborts once, and leaves no timer when it is disposed', async () => {
    const clock = fakeClock()
    const deadline = createDeadline(100, clock)
    await clock.advance(40)
    assert.deepEqual([deadline.remainingMs(), deadline.signal.aborted], [60, false])
    deadline.dispose()
    assert.equal(clock.pending, 0)
    await clock.advance(100)
    assert.deepEqual([deadline.remainingMs(), deadline.signal.aborted], [0, false])
  })
})
