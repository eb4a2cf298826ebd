import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

it('workers send requests to agents that register with their primary, and stop when those go', async (t) => {
  const node = await spawnNode(t, { workers: 2, gatewright: { registry: { enable: true } } })
  const upstream = { type: 'wrr_dynamic', service_name: 'chat', discovery_type: 'registry' }
  await node.route('chat', { uri: '/*', upstream })
  const server = await fakeUpstream(t)
  const registry = (method: string, path: string, body?: unknown) =>
    node.admin(method, `../registry/${path}`, body)
  const statuses = async () => {
    const ask = async () => (await fetch(node.proxyUrl, { headers: { connection: 'close' } })).status
    return [...new Set(await Promise.all([ask(), ask(), ask(), ask()]))]
  }
  assert.deepEqual(await statuses(), [503])
  const askFor = async (agent: string) => {
    const response = await fetch(node.proxyUrl, { headers: { connection: 'close', 'x-agent-id': agent } })
    return [response.status, response.headers.get('x-agent-fallback')]
  }
  assert.deepEqual(await askFor('chat/a'), [404, null])
  const claim = { endpoint: `http://${server.address}`, status: 'running' }
  assert.equal((await registry('PUT', 'nodes/n1', claim)).status, 201)
  assert.equal((await registry('PUT', 'agents/chat/a', { node_id: 'n1' })).status, 201)
  await eventually('answers of all workers', async () => (await statuses()).join() === '200')
  assert.deepEqual(await askFor('chat/a'), [200, null])
  assert.deepEqual(await askFor('chat/b'), [200, '1'])
  const series = async () => {
    const text = await node.metrics()
    return text
      .split('\n')
      .filter((line) => /^gatewright_registry_requests_total{agent_type="chat"/.test(line))
  }
  const counted = Number(/ (\d+)$/.exec((await series()).join())?.[1])
  assert.ok(counted >= 6, `${counted} requests counted over both workers`)
  await registry('DELETE', 'nodes/n1?drain_s=30')
  await eventually('none', async () => (await statuses()).join() === '503')
  await registry('DELETE', 'nodes/n1')
  await eventually('the series to go with the type', async () => (await series()).length === 0, 20_000)
})
