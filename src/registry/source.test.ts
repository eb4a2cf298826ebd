import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AGENT, CLAIM, openBench, settled } from '../../test/support/registry-bench.ts'

const EVERYBODY = { capabilities: [], labels: {} }

describe('what an upstream is told of a type', () => {
  it('is the same object for each agent of which nothing has changed', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, source }] = gateways as [(typeof gateways)[0]]
    for (const [id, endpoint] of [
      ['n1', 'http://10.0.0.1:80'],
      ['n2', 'http://10.0.0.2:80'],
    ] as const) {
      await settled(clock, desks.nodes.register(id, { ...CLAIM, endpoint }))
      await settled(clock, desks.agents.register({ type: 'chat', key: id }, { ...AGENT, node_id: id }, false))
    }
    const [one, two] = source.read('chat', EVERYBODY).nodes
    await settled(clock, desks.heartbeats.beat('n2', { status: 'degraded' }))
    const [oneAfter, twoAfter] = source.read('chat', EVERYBODY).nodes
    assert.equal(oneAfter, one)
    assert.deepEqual([two!.live!.weight, twoAfter!.live!.weight], [100, 10])
  })

  it('names every agent of a shared address once, however often it is asked', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, source }] = gateways as [(typeof gateways)[0]]
    await settled(clock, desks.nodes.register('n1', CLAIM))
    for (const key of ['a', 'b', 'c']) {
      await settled(clock, desks.agents.register({ type: 'chat', key }, AGENT, false))
    }
    const agents = () => source.read('chat', EVERYBODY).nodes.map((node) => node.agents)
    assert.deepEqual(agents(), [['chat/a', 'chat/b', 'chat/c']])
    assert.deepEqual(agents(), [['chat/a', 'chat/b', 'chat/c']])
  })

  it('follows a node that comes back at another address', async (t) => {
    const { clock, gateways } = await openBench(t)
    const [{ desks, source }] = gateways as [(typeof gateways)[0]]
    const register = async (endpoint: string) => {
      await settled(clock, desks.nodes.register('n1', { ...CLAIM, endpoint }))
      await settled(clock, desks.agents.register({ type: 'chat', key: 'a' }, AGENT, false))
      return source.read('chat', EVERYBODY).nodes.map(({ host }) => host)
    }
    assert.deepEqual(await register('http://10.0.0.1:80'), ['10.0.0.1'])
    await settled(clock, desks.nodes.remove('n1', 0))
    assert.deepEqual(await register('http://10.0.0.9:80'), ['10.0.0.9'])
  })
})
