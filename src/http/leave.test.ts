import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { it } from 'node:test'
import { limitAge, markLeave } from './leave.ts'

/** A connection that notes whether it was told to end. */
function connection(chance: number) {
  const socket = new EventEmitter()
  const told: string[] = []
  markLeave(socket, () => told.push('told'))
  limitAge(socket, { maxMs: 1000, random: () => chance, onDue: () => told.push('due') })
  return { socket, told }
}

it('connections that came together are let go within the last tenth of their time', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const [early, late] = [connection(0.99), connection(0)]
  t.mock.timers.tick(900)
  assert.deepEqual([early.told, late.told], [[], []])
  t.mock.timers.tick(50)
  assert.deepEqual([early.told, late.told], [['due', 'told'], []])
  t.mock.timers.tick(50)
  assert.deepEqual(late.told, ['due', 'told'])
})

it('a connection that has closed leaves no timer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { socket, told } = connection(0)
  socket.emit('close')
  t.mock.timers.tick(2000)
  assert.deepEqual(told, [])
})
