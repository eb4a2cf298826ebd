import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AGENT, CLAIM, openBench, settled } from '../../test/support/registry-bench.ts'
import { RequestWindow } from './request-window.ts'

const LOAD = { cpu_usage: 10, memory_usage: 20, average_processing_time: 5, error_rate: 0.1 }

describe('RequestWindow', () => {
  it('tells the rate of errors among the newest requests, twenty at least', () => {
    const window = new RequestWindow(undefined)
    const rate = (processed: number, failed: number) =>
      window.load({ messages_processed: processed, messages_failed: failed })?.error_rate
    assert.deepEqual([rate(10, 10), rate(20, 10), rate(60, 10)], [0, 0.5, 0])
  })

  it('begins anew with a node that does', () => {
    const window = new RequestWindow(undefined)
    window.load({ messages_processed: 1000, messages_failed: 0 })
    assert.equal(window.load({ messages_processed: 40, messages_failed: 40 })?.error_rate, 1)
  })

  it('counts from the first totals that it is told of a node that was known before', () => {
    const window = new RequestWindow(LOAD)
    assert.deepEqual(window.load({ messages_processed: 1_000_000, messages_failed: 900_000 }), LOAD)
    assert.equal(window.load({ messages_processed: 1_000_040, messages_failed: 900_001 })?.error_rate, 0.025)
  })
})

describe('a node whose requests failed long ago', () => {
  it('is not degraded for them by the gateway that hears it next', async (t) => {
    const { clock, gateways } = await openBench(t, 2)
    const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]]
    await settled(clock, one.desks.nodes.register('n1', CLAIM))
    await settled(clock, one.desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
    const beat = async (at: typeof one, processed: number) => {
      const metrics = { cpu_usage: 90, messages_processed: processed, messages_failed: 500 }
      const { status } = await settled(clock, at.desks.heartbeats.beat('n1', { status: 'running', metrics }))
      await clock.advance(1)
      return status
    }
    assert.equal(await beat(one, 500), 'degraded')
    await clock.advance(5000)
    assert.equal(await beat(one, 600), 'running')
    await clock.advance(5000)
    assert.equal(await beat(two, 620), 'running')
  })
})
