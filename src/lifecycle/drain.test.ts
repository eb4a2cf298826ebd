import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Drain, type DrainMode } from './drain.ts'

describe('a drain', () => {
  it('names what it waits for, and counts each acknowledgement once', () => {
    const drain = new Drain()
    const first = drain.hold('tunnel')
    const second = drain.hold('tunnel')
    let requests = 3
    drain.counted('requests', () => requests)
    drain.start('graceful')
    assert.deepEqual(drain.pending(), [
      { component: 'tunnel', count: 2 },
      { component: 'requests', count: 3 },
    ])
    first()
    first()
    requests = 0
    assert.deepEqual([drain.pending(), drain.acknowledged], [[{ component: 'tunnel', count: 1 }], 1])
    second()
    assert.deepEqual([drain.pending(), drain.acknowledged], [[], 2])
  })

  it('counts nothing as acknowledged that ended before anyone asked for a stop', () => {
    const drain = new Drain()
    drain.hold('tunnel')()
    assert.equal(drain.acknowledged, 0)
  })

  it('tells who listens, also who comes later, and never becomes milder', () => {
    const drain = new Drain()
    const told: string[] = []
    const note = (name: string) => (mode: DrainMode) => void told.push(`${name} ${mode}`)
    drain.onDrain(note('early'))
    const forget = drain.onDrain(note('gone'))
    forget()
    drain.start('graceful')
    drain.onDrain(note('late'))
    drain.start('immediate')
    drain.start('graceful')
    assert.deepEqual(told, ['early graceful', 'late graceful', 'early immediate', 'late immediate'])
    assert.equal(drain.mode, 'immediate')
  })

  it('waits for nothing new once it is immediate', () => {
    const drain = new Drain()
    drain.start('immediate')
    const release = drain.hold('request')
    assert.deepEqual(drain.pending(), [])
    release()
    assert.equal(drain.acknowledged, 0)
  })

  it('adds up what was cut', () => {
    const drain = new Drain()
    drain.force('requests', 2)
    drain.force('requests')
    drain.force('plugin slow')
    drain.force('tunnels', 0)
    assert.deepEqual(drain.forced, [
      { component: 'requests', count: 3 },
      { component: 'plugin slow', count: 1 },
    ])
    assert.deepEqual([drain.forcedOf('plugin'), drain.forcedOf('request')], [1, 0])
  })
})
