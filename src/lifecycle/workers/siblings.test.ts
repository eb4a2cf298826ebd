import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import { Siblings } from './siblings.ts'

function stage() {
  const clock = fakeClock()
  const running = new Map([
    [11, 'a'],
    [12, 'b'],
  ])
  const killed: number[] = []
  let isAtRest = false
  const siblings = new Siblings({
    rest: () => {
      isAtRest = true
    },
    startOf: (pid) => running.get(pid),
    kill: (pid) => {
      killed.push(pid)
      running.delete(pid)
    },
  })
  siblings.learn([process.pid, 11, 12, 13])
  return { clock, running, killed, siblings, isAtRest: () => isAtRest }
}

describe('the workers whose primary is gone', () => {
  it('leave when all others have ended by themselves', async () => {
    const { clock, running, siblings, isAtRest } = stage()
    const waiting = siblings.outlive(5000, clock)
    assert.ok(isAtRest())
    await clock.advance(1000)
    running.clear()
    await clock.advance(200)
    assert.deepEqual(await waiting, [])
    assert.equal(clock.pending, 0)
  })

  it('kill those that do not end in time, and no other process that has got the number of one', async () => {
    const { clock, running, killed, siblings } = stage()
    const waiting = siblings.outlive(5000, clock)
    running.set(12, 'somebody else')
    await clock.advance(4800)
    assert.deepEqual(killed, [])
    await clock.advance(400)
    assert.deepEqual([await waiting, killed, running.has(12)], [[11], [11], true])
  })

  it('knows only those that there were last', async () => {
    const { clock, siblings } = stage()
    siblings.learn([process.pid])
    assert.deepEqual(await siblings.outlive(5000, clock), [])
  })

  it('are really there, at rest, and killed', { skip: process.platform !== 'linux' }, async (t) => {
    const start = (code: string) => {
      const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.after(() => child.kill('SIGKILL'))
      return child
    }
    const resting = start(
      `process.title = 'gatewright worker at rest'; console.log('up'); setInterval(() => {}, 1000)`,
    )
    const hung = start(`console.log('up'); for (;;) {}`)
    const siblings = new Siblings()
    siblings.learn([process.pid, hung.pid!, resting.pid!, 2 ** 22 + 1])
    await Promise.all([resting, hung].map(({ stdout }) => once(stdout, 'data')))
    const ended = once(hung, 'exit')
    assert.deepEqual(await siblings.outlive(300, SYSTEM_CLOCK), [hung.pid])
    assert.deepEqual(await ended, [null, 'SIGKILL'])
    assert.equal(resting.exitCode, null)
  })
})
