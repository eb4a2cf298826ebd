import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.ts'
import { ActiveCheck, type Probe, type ProbeOutcome } from './active.ts'
import { readChecks } from './checks.ts'
import { Gate } from './gate.ts'
import { NodeHealth } from './node-health.ts'

interface World {
  readonly clock: FakeClock
  readonly check: ActiveCheck
  readonly node: NodeHealth
  /** When each probe was made. */
  readonly times: number[]
  /** Ends the probe under way. */
  answer(outcome: ProbeOutcome): void
  /** Probes that were given up. */
  readonly givenUp: () => number
}

interface Setup {
  readonly active?: Record<string, unknown>
  /** Given at once to every probe. */
  readonly outcome?: ProbeOutcome
  readonly random?: () => number
  readonly gates?: readonly Gate[]
}

function world({ active = {}, outcome, random = () => 0.5, gates = [] }: Setup): World {
  const clock = fakeClock()
  const times: number[] = []
  let onDone: ((outcome: ProbeOutcome) => void) | undefined
  let givenUp = 0
  const probe: Probe = (_request, done) => {
    times.push(clock.nowMs())
    onDone = done
    if (outcome) clock.schedule(0, () => onDone?.(outcome))
    return () => {
      givenUp++
      onDone = undefined
    }
  }
  const spec = readChecks({ checks: { active } })!
  const owner = { now: () => 0, onChange: () => check.onStatusChange() }
  const target = { address: 'a:1', ip: 'a', port: 1, hostname: 'a', hostheader: undefined }
  const node = new NodeHealth(target, spec.passive, owner)
  const request = { host: 'a', port: 1, hostHeader: 'a', spec: spec.active, secureContext: undefined }
  const check: ActiveCheck = new ActiveCheck(node, request, { clock, random, probe, gates })
  return { clock, check, node, times, answer: (found) => onDone?.(found), givenUp: () => givenUp }
}

const OK: ProbeOutcome = { kind: 'status', status: 200 }
const BAD: ProbeOutcome = { kind: 'status', status: 500 }

describe('an active check', () => {
  it('probes within a second of its start and then at every interval, whatever the node says', async () => {
    const { clock, check, times } = world({ active: { healthy: { interval: 3 } }, outcome: OK })
    check.start()
    await clock.advance(10_000)
    assert.deepEqual(times, [500, 3500, 6500, 9500])
    check.stop()
    assert.equal(clock.pending, 0)
  })

  it('spreads its first probe and each interval by chance', async () => {
    const draws = [0.9, 0, 1, 0.5]
    const { clock, check, times } = world({ outcome: OK, random: () => draws.shift() ?? 0.5 })
    check.start()
    await clock.advance(4100)
    assert.deepEqual(times, [900, 1800, 2900, 3900])
    check.stop()
  })

  it('probes an unhealthy node at the interval for those, from the moment it is', async () => {
    const active = { healthy: { interval: 60 }, unhealthy: { interval: 2 } }
    const { clock, check, node, times } = world({ active, outcome: BAD })
    check.start()
    await clock.advance(1000)
    node.report('tcp_failure', 1, { source: 'passive', detail: 'refused' })
    await clock.advance(5000)
    assert.deepEqual(times, [500, 2500, 4500])
    check.stop()
  })

  it('takes a node out after the limit of bad answers and brings it back after the limit of good ones', async () => {
    const answers = [BAD, BAD, BAD, BAD, BAD, OK, OK]
    const { clock, check, node, answer } = world({})
    check.start()
    const statuses: string[] = []
    for (const found of answers) {
      await clock.advance(1000)
      answer(found)
      statuses.push(node.status)
    }
    assert.deepEqual(statuses, [
      ...Array(4).fill('mostly_healthy'),
      'unhealthy',
      'mostly_unhealthy',
      'healthy',
    ])
    check.stop()
  })

  for (const [outcome, counter] of [
    [{ kind: 'status', status: 418 }, '0000'],
    [{ kind: 'status', status: 500 }, '0100'],
    [{ kind: 'http_failure', message: 'no status line' }, '0100'],
    [{ kind: 'tcp_failure', message: 'refused' }, '0010'],
    [{ kind: 'timeout_failure', message: 'late' }, '0001'],
    [{ kind: 'connected' }, '0000'],
  ] as const) {
    it(`counts ${JSON.stringify(outcome)} as ${counter}`, async () => {
      const { clock, check, node } = world({ outcome })
      check.start()
      await clock.advance(600)
      assert.equal(Object.values(node.counter).join(''), counter)
      check.stop()
    })
  }

  it('makes its next probe at once when the one before took longer than the interval', async () => {
    const { clock, check, times, answer } = world({})
    check.start()
    await clock.advance(4000)
    assert.deepEqual(times, [500])
    answer(OK)
    await clock.advance(0)
    assert.deepEqual(times, [500, 4000])
    check.stop()
  })

  it('gives a probe up when it is stopped, and hears nothing of it', async () => {
    const { clock, check, node, answer, givenUp } = world({})
    check.start()
    await clock.advance(500)
    check.stop()
    answer(BAD)
    assert.deepEqual([givenUp(), clock.pending, node.status], [1, 0, 'healthy'])
  })

  it('waits at the gates and leaves them after the probe, or when it is stopped', async () => {
    const gate = new Gate(1)
    const [first, second, third] = [1, 2, 3].map(() => world({ gates: [gate] })) as [World, World, World]
    for (const { check, clock } of [first, second, third]) {
      check.start()
      await clock.advance(500)
    }
    assert.deepEqual([first.times.length, second.times.length, third.times.length], [1, 0, 0])
    second.check.stop()
    first.answer(OK)
    assert.deepEqual([second.times.length, third.times.length], [0, 1])
    third.check.stop()
    await first.clock.advance(1000)
    assert.equal(first.times.length, 2)
    first.check.stop()
  })
})
