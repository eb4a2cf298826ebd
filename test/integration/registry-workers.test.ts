import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

it('workers send requests to agents that register with their primary, and stop when those go', async (t) => {
  const node = await spawnNode(t, { workers: 2, gatewright: { registry: { enable: true } } })
  const healthy = { interval: 1, successes: 1 }
  const checks = { active: { http_path: '/health', healthy, unhealthy: { interval: 1, http_failures: 2 } } }
  const upstream = { type: 'wrr_dynamic', service_name: 'chat', discovery_type: 'registry', checks }
  await node.route('chat', { uri: '/*', upstream })
  let health = 200
  const server = await fakeUpstream(t, (request, response) => {
    response.statusCode = request.url === '/health' ? health : 200
    response.end()
  })
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
  const claim = { endpoint: `http://${server.address}`, status: 'running', ttl_s: 300 }
  assert.equal((await registry('PUT', 'nodes/n1', claim)).status, 201)
  assert.equal((await registry('PUT', 'agents/chat/a', { node_id: 'n1' })).status, 201)
  await eventually('answers of all workers', async () => (await statuses()).join() === '200', 30_000)
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
  const becomes = (status: string) => async () => {
    const { status: is, degraded_by = '' } = (await registry('GET', 'nodes/n1')).body as Record<
      string,
      string
    >
    return `${is} ${degraded_by}`.trim() === status
  }
  health = 500
  await eventually('the probes to fail', becomes('degraded health_check'), 30_000)
  health = 200
  await eventually('the probes to pass', becomes('running'), 30_000)
  const [victim] = await node.serving()
  process.kill(victim!.pid!, 'SIGKILL')
  await node.servingWithout([victim!])
  assert.ok((await series()).length > 0, 'what the killed one counted stays')
  await registry('DELETE', 'nodes/n1?drain_s=30')
  await eventually('none', async () => (await statuses()).join() === '503', 30_000)
  await registry('DELETE', 'nodes/n1')
  await eventually('the series to go with the type', async () => (await series()).length === 0, 20_000)
})
