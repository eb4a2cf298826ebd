import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { eventually } from '../support/watch-recording.ts'

const UPSTREAM = { service_name: 'chat', discovery_type: 'registry' }

function start(t: TestContext, settings: object = {}): Promise<RegistryGateway> {
  return startRegistryGateway(
    t,
    { settings: { ...settings } },
    { routes: { 1: { uri: '/*', upstream: UPSTREAM } } },
  )
}

/** A node with an agent of the type `chat`; its server answers with the status that the path names. */
async function startNode(t: TestContext, gateway: RegistryGateway): Promise<void> {
  const server = await fakeUpstream(t, (request, response) => {
    response.statusCode = Number(request.url?.slice(1)) || 200
    response.end()
  })
  const claim = { endpoint: `http://${server.address}`, status: 'running', ttl_s: 300 }
  assert.equal((await gateway.registry('PUT', 'nodes/n1', claim)).status, 201)
  assert.equal((await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })).status, 201)
  await eventually('the agent', async () => (await ask(gateway)) === 200, 20_000)
}

async function ask(gateway: RegistryGateway, path = '', init: RequestInit = {}): Promise<number> {
  const response = await fetch(new URL(path, gateway.proxyUrl), init)
  await response.arrayBuffer()
  return response.status
}

async function linesOf(gateway: RegistryGateway, pattern: RegExp): Promise<string[]> {
  const { port } = gateway.addresses.metrics!
  const text = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
  return text.split('\n').filter((line) => pattern.test(line))
}

/** The value of one series; `undefined` when it is not there. */
async function readingOf(gateway: RegistryGateway, series: string): Promise<number | undefined> {
  const [line] = await linesOf(gateway, /./).then((all) => all.filter((one) => one.startsWith(`${series} `)))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

describe('requests to registered agents', { concurrency: 2 }, () => {
  it('are counted by type and status, and timed by method', async (t) => {
    const gateway = await start(t)
    await startNode(t, gateway)
    const before = (await readingOf(gateway, series('requests_total', 'status="200"')))!
    for (let i = 0; i < 3; i++) await ask(gateway)
    await ask(gateway, '404', { method: 'POST', body: 'x' })
    await counts(gateway, series('requests_total', 'status="200"'), before + 3)
    await counts(gateway, series('requests_total', 'status="404"'), 1)
    await counts(gateway, series('request_duration_seconds_count', 'method="POST"'), 1)
    await counts(gateway, series('request_duration_seconds_count', 'method="GET"'), before + 3)
    assert.deepEqual(await linesOf(gateway, /requests_failed_total\{agent_type="chat"/), [])
  })

  it('that fail are counted by what went wrong: at the agent, or on the way to it', async (t) => {
    const gateway = await start(t)
    await startNode(t, gateway)
    await ask(gateway, '500')
    await counts(gateway, series('requests_failed_total', 'error_type="PROCESSING_ERROR"'), 1)
    await gateway.registry('PUT', 'nodes/n2', { endpoint: 'http://127.0.0.1:1', status: 'running' })
    await gateway.registry('PUT', 'agents/chat/b', { node_id: 'n2' })
    await gateway.registry('DELETE', 'agents/chat/a')
    await eventually('a failure', async () => (await ask(gateway)) === 502, 20_000)
    const failed = series('requests_failed_total', 'error_type="WORKER_NODE_UNAVAILABLE"')
    await eventually('its count', async () => ((await readingOf(gateway, failed)) ?? 0) >= 1, 20_000)
  })

  it('put no word of the client into a label', async (t) => {
    const gateway = await start(t)
    await ask(gateway, '', { headers: { 'x-agent-id': 'chat/x' } })
    await startNode(t, gateway)
    await ask(gateway, '', { headers: { 'x-agent-id': 'made-up/agent' } })
    await ask(gateway, '', { method: 'PROPFIND' })
    await counts(gateway, series('request_duration_seconds_count', 'method="other"'), 1)
    await counts(gateway, 'gatewright_registry_requests_total{agent_type="",status="404"}', 1)
    await counts(
      gateway,
      'gatewright_registry_requests_failed_total{agent_type="",error_type="AGENT_NOT_FOUND"}',
      1,
    )
    assert.deepEqual(await linesOf(gateway, /^gatewright_registry.*(made-up|PROPFIND|chat\/)/), [])
  })

  it('of a type that nobody has any more are not shown: no series is stale', async (t) => {
    const gateway = await start(t)
    await startNode(t, gateway)
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { metrics: { active_connections: 3 } })
    const shown = () => linesOf(gateway, /^(gatewright_registry|autogen)_\w+\{.*("chat"|"n1")/)
    await eventually('the series', async () => (await shown()).length > 0, 20_000)
    await gateway.registry('DELETE', 'nodes/n1')
    assert.deepEqual(await shown(), [])
    await startNode(t, gateway)
    await counts(gateway, series('requests_total', 'status="200"'), 1)
  })

  it('are shown under the names of another gateway, too, when the settings say so', async (t) => {
    const gateway = await start(t, { 'gatewright.registry.metrics_alias': 'autogen' })
    await startNode(t, gateway)
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { metrics: { active_connections: 3 } })
    await ask(gateway, '500')
    await counts(gateway, 'autogen_requests_failed_total{agent_type="chat",error_type="PROCESSING_ERROR"}', 1)
    const pairs = [
      ['requests_total', 'autogen_requests_total'],
      ['requests_failed_total', 'autogen_requests_failed_total'],
      ['request_duration_seconds', 'autogen_request_duration_seconds'],
      ['active_connections', 'autogen_active_connections'],
      ['agents', 'autogen_agents_count'],
    ] as const
    for (const [own, alias] of pairs) {
      const lines = await linesOf(gateway, new RegExp(`^(gatewright_registry_${own}|${alias})(_\\w+)?\\{`))
      const ours = lines.filter((line) => line.startsWith('gatewright'))
      const theirs = lines.filter((line) => line.startsWith('autogen'))
      assert.ok(ours.length > 0, own)
      assert.deepEqual(
        theirs,
        ours.map((line) => line.replace(`gatewright_registry_${own}`, alias)),
      )
    }
    await gateway.registry('DELETE', 'nodes/n1')
    assert.deepEqual(await linesOf(gateway, /^autogen_\w+\{.*("chat"|"n1")/), [])
  })

  it('have no other names without that', async (t) => {
    assert.deepEqual(await linesOf(await start(t), /autogen/), [])
  })

  const series = (name: string, label: string) => `gatewright_registry_${name}{agent_type="chat",${label}}`

  async function counts(gateway: RegistryGateway, name: string, value: number): Promise<void> {
    await eventually(`${name} ${value}`, async () => (await readingOf(gateway, name)) === value, 20_000)
  }
})
