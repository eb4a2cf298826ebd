import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLAIM, openBench, settled } from '../../test/support/registry-bench.ts'

const KEY = '/apisix/registry/nodes/n1'

describe('a registration of a node', () => {
  it('takes the place of one that no lease holds any more, as a copy of a store leaves it', async (t) => {
    const { clock, gateways, store } = await openBench(t)
    const [{ desks, view }] = gateways as [(typeof gateways)[0]]
    const { record } = await settled(clock, desks.nodes.register('n1', CLAIM))
    await settled(clock, desks.nodes.remove('n1', 0))
    await settled(clock, store.put(KEY, JSON.stringify(record)))
    for (const endpoint of [CLAIM.endpoint, 'http://10.0.0.9:80']) {
      const again = await settled(clock, desks.nodes.register('n1', { ...CLAIM, endpoint }))
      assert.deepEqual([again.isNew, again.record.endpoint], [true, endpoint])
      await settled(clock, desks.heartbeats.beat('n1', {}))
      await settled(clock, desks.nodes.remove('n1', 0))
      assert.equal(view.node('n1'), undefined)
      await settled(clock, store.put(KEY, JSON.stringify(record)))
    }
  })

  it('takes the place of what is no record', async (t) => {
    const { clock, gateways, store } = await openBench(t)
    const [{ desks }] = gateways as [(typeof gateways)[0]]
    await settled(clock, store.put(KEY, 'no JSON'))
    assert.equal((await settled(clock, desks.nodes.register('n1', CLAIM))).isNew, true)
  })

  it('does not lengthen the life of another one of the same id', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, view }] = gateways as [(typeof gateways)[0]]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    const other = { ...CLAIM, endpoint: 'http://10.0.0.9:80' }
    await clock.advance(10_000)
    await assert.rejects(settled(clock, desks.nodes.register('n1', other)), { code: 'NODE_ID_CONFLICT' })
    await clock.advance(5500)
    assert.equal(view.node('n1'), undefined)
  })
})

describe('a node that registered again while it said the same of its load', () => {
  it('has a copy of it in the store within the usual time', async (t) => {
    const { clock, gateways } = await openBench(t, 2)
    const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]]
    const metrics = { cpu_usage: 90, memory_usage: 50, average_processing_time: 20 }
    const beat = () => settled(clock, one.desks.heartbeats.beat('n1', { metrics }))
    const copied = () => two.view.node('n1')?.record.load?.cpu_usage
    await settled(clock, one.desks.nodes.register('n1', CLAIM))
    await beat()
    assert.equal(copied(), 90)
    await settled(clock, one.desks.nodes.remove('n1', 0))
    await settled(clock, one.desks.nodes.register('n1', CLAIM))
    for (let i = 0; i < 3; i++) {
      await beat()
      await clock.advance(5000)
    }
    assert.equal(copied(), 90)
  })
})
