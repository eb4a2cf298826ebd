import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ComponentStates } from './component-states.ts'
import type { Component } from './components.ts'
import { createDeadline } from './deadline.ts'

const clock = { nowMs: () => 0, schedule: () => () => undefined }

it('what each component is doing is told while it starts and stops', async () => {
  let now = 100
  const states = new ComponentStates(() => now)
  const held: (() => void)[] = []
  const hold = () => new Promise<void>((resolve) => void held.push(resolve))
  const late: Component = {
    name: 'late',
    rank: 2,
    start: hold,
    stop: async () => {
      await hold()
      return 3
    },
  }
  const bad: Component = {
    name: 'bad',
    rank: 1,
    start: () => Promise.reject(new Error('no')),
    stop: async () => 0,
  }
  const [watchedLate, watchedBad] = [states.watched(late), states.watched(bad)]
  const shown = () => states.list().map(({ name, state }) => `${name} ${state}`)
  assert.deepEqual(shown(), ['bad waiting', 'late waiting'])
  const { signal } = new AbortController()
  await assert.rejects(watchedBad.start(signal), /no/)
  const started = watchedLate.start(signal)
  assert.deepEqual(shown(), ['bad failed', 'late starting'])
  now = 142.4
  held[0]!()
  await started
  assert.deepEqual(states.list()[1], { name: 'late', rank: 2, state: 'running', startMs: 42 })
  const stopped = watchedLate.stop(createDeadline(1, clock))
  assert.deepEqual(shown(), ['bad failed', 'late stopping'])
  held[1]!()
  assert.equal(await stopped, 3)
  assert.deepEqual(shown(), ['bad failed', 'late stopped'])
})
