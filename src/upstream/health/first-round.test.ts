import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { createLogger } from '../../observe/logger.ts'
import { PoolRegistry } from '../pool-registry.ts'
import { NO_WARMING } from '../transport.ts'
import { Upstream } from '../upstream.ts'
import type { ProbeOutcome } from './active.ts'
import { HealthMonitor, type HealthMonitorOptions } from './monitor.ts'

const PROBED: ProbeOutcome = { kind: 'status', status: 200 }

function world(nodes: number, change: Partial<HealthMonitorOptions> = {}) {
  const clock = fakeClock()
  const probes: ((outcome: ProbeOutcome) => void)[] = []
  const monitor = new HealthMonitor({
    clock,
    now: () => 0,
    random: () => 0.5,
    probe: (_request, done) => {
      probes.push(done)
      return () => undefined
    },
    logger: createLogger('silent'),
    onPanic: () => undefined,
    ...change,
  })
  const pools = new PoolRegistry(() => ({
    send: () => assert.fail('nothing is sent'),
    warm: () => NO_WARMING,
    close: () => undefined,
  }))
  const document = {
    nodes: Object.fromEntries(Array.from({ length: nodes }, (_, index) => [`10.0.0.${index + 1}:80`, 1])),
    checks: { active: { healthy: { interval: 30 }, unhealthy: { interval: 30 } } },
  }
  const upstream = Upstream.create('upstreams/1', document, { pools, random: () => 0, monitor })
  upstream.start()
  const controller = new AbortController()
  const round: { unprobed?: number } = {}
  void monitor.firstRound(controller.signal).then((unprobed) => {
    round.unprobed = unprobed
  })
  return { clock, probes, controller, round, upstream, environment: { pools, random: () => 0, monitor } }
}

describe('the first round of probes', () => {
  it('is over when each node was probed once', async () => {
    const { clock, probes, round } = world(2)
    await clock.advance(600)
    assert.equal(probes.length, 2)
    probes[0]!(PROBED)
    await clock.advance(0)
    assert.equal(round.unprobed, undefined)
    probes[1]!(PROBED)
    await clock.advance(0)
    assert.equal(round.unprobed, 0)
  })

  it('is not waited for longer than one interval', async () => {
    const { clock, probes, round } = world(2)
    await clock.advance(600)
    probes[0]!(PROBED)
    await clock.advance(29_300)
    assert.equal(round.unprobed, undefined)
    await clock.advance(200)
    assert.equal(round.unprobed, 1)
  })

  it('ends with who waits for it, and leaves no timer of its own', async () => {
    const { clock, controller, round, upstream, environment } = world(1)
    controller.abort()
    await clock.advance(0)
    assert.equal(round.unprobed, 1)
    upstream.dispose(environment)
    assert.equal(clock.pending, 0)
  })

  it('does not wait for a node that is not configured any more', async () => {
    const { clock, round, upstream, environment } = world(1)
    upstream.dispose(environment)
    await clock.advance(0)
    assert.equal(round.unprobed, 0)
  })

  it('is nothing to wait for where another process probes', async () => {
    const { clock, round } = world(1, { relay: { report: () => undefined, find: () => undefined } })
    await clock.advance(0)
    assert.equal(round.unprobed, 0)
  })
})
