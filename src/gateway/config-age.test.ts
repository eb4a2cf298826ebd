import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { createReadiness } from '../lifecycle/readiness.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { FollowStatus } from '../store/follow.ts'
import { ConfigAge } from './config-age.ts'

const WELL: FollowStatus = { isConnected: true, isReachable: true, sinceMs: 0, revision: 1, lastHeardMs: 1 }
const AWAY: FollowStatus = { ...WELL, isConnected: false, isReachable: false }

function stage(settings: { after_ms: number; fail_readiness: boolean }, status?: FollowStatus) {
  const clock = fakeClock()
  const readiness = createReadiness()
  const metrics = createMetricRegistry()
  const followed = { status }
  const age = new ConfigAge({
    ...{ settings, clock, readiness, logger: createLogger('silent') },
    follow: () => followed.status,
  })
  age.expose(metrics)
  age.start()
  const gauge = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics.expose())?.[1])
  return { clock, readiness, followed, age, gauge }
}

describe('the age of a configuration', () => {
  it('is told, and fails no readiness, when the store is away for longer than the settings say', async () => {
    const { clock, readiness, followed, age, gauge } = stage(
      { after_ms: 300_000, fail_readiness: false },
      WELL,
    )
    await clock.advance(3_600_000)
    followed.status = AWAY
    await clock.advance(299_000)
    assert.deepEqual(age.remarks(), [])
    assert.equal(gauge('gatewright_config_stale'), 0)
    await clock.advance(2000)
    assert.match(age.remarks()[0]!, /has not confirmed the configuration for 301 s/)
    assert.equal(gauge('gatewright_config_stale'), 1)
    assert.equal(gauge('gatewright_config_unconfirmed_seconds'), 301)
    assert.equal(readiness.isReady, true)
  })

  it('fails readiness where that is asked for, until the store confirms it', async () => {
    const { clock, readiness, followed, age, gauge } = stage({ after_ms: 5000, fail_readiness: true }, WELL)
    followed.status = AWAY
    await clock.advance(5000)
    assert.deepEqual(readiness.reasons(), ['config_stale'])
    followed.status = WELL
    await clock.advance(1000)
    assert.deepEqual([readiness.isReady, age.remarks()], [true, []])
    assert.equal(gauge('gatewright_config_unconfirmed_seconds'), 0)
  })

  it('begins anew with every answer of the store, though no watch is open', async () => {
    const { clock, readiness, followed } = stage({ after_ms: 5000, fail_readiness: true }, AWAY)
    for (let lastHeardMs = 2; lastHeardMs < 12; lastHeardMs++) {
      await clock.advance(3000)
      followed.status = { ...AWAY, lastHeardMs }
    }
    assert.equal(readiness.isReady, true)
    await clock.advance(6000)
    assert.equal(readiness.isReady, false)
  })

  it('counts from the start when the store never answered', async () => {
    const { clock, age } = stage({ after_ms: 5000, fail_readiness: false })
    await clock.advance(5000)
    assert.equal(age.remarks().length, 1)
  })

  it('is not looked at when the limit is 0, nor after the end', async () => {
    const off = stage({ after_ms: 0, fail_readiness: true }, AWAY)
    await off.clock.advance(10_000_000)
    assert.deepEqual([off.readiness.isReady, off.clock.pending], [true, 0])
    const ended = stage({ after_ms: 5000, fail_readiness: true }, AWAY)
    ended.age.stop()
    assert.equal(ended.clock.pending, 0)
  })
})
