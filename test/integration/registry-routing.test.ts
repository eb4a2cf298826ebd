import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { WebSocket } from 'ws'
import { type FakeUpstream, fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { callUnary, grpcClient } from '../support/grpc.ts'
import { ADMIN_KEY, type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { eventually } from '../support/watch-recording.ts'
import { webSocketUpstream } from '../support/websocket.ts'

const UPSTREAM = { service_name: 'chat', discovery_type: 'registry' }

/** A gateway whose only route goes to agents of the type `chat`. */
function start(t: TestContext, upstream: object = {}, route: object = {}): Promise<RegistryGateway> {
  return startRegistryGateway(
    t,
    {},
    { routes: { 1: { uri: '/*', upstream: { ...UPSTREAM, ...upstream }, ...route } } },
  )
}

/** A node with one agent of the type `chat` of the same name, whose server answers with it. */
async function startNode(
  t: TestContext,
  gateway: RegistryGateway,
  { id, agent = {}, endpoint }: { id: string; agent?: object; endpoint?: string },
): Promise<FakeUpstream> {
  const server = await fakeUpstream(t, (_request, response) => void response.end(id))
  const claim = { endpoint: endpoint ?? `http://${server.address}`, status: 'running', ttl_s: 300 }
  assert.equal((await gateway.registry('PUT', `nodes/${id}`, claim)).status, 201)
  const put = await gateway.registry('PUT', `agents/chat/${id}`, { node_id: id, ...agent })
  assert.equal(put.status, 201)
  return server
}

/** Who answered, and whether it was another one than was asked for. */
async function askFor(gateway: RegistryGateway, agent: string | undefined, headers = {}) {
  const response = await fetch(gateway.proxyUrl, {
    headers: { ...headers, ...(agent !== undefined && { 'x-agent-id': agent }) },
  })
  const text = await response.text()
  return { status: response.status, text, fallback: response.headers.get('x-agent-fallback') }
}

async function served(gateway: RegistryGateway, ...ids: string[]): Promise<void> {
  const asked = async () => {
    const answers = await Promise.all(ids.map((id) => askFor(gateway, `chat/${id}`)))
    return answers.map(({ text, fallback }) => (fallback === null ? text : '')).join()
  }
  await eventually(`answers of ${ids.join()}`, async () => (await asked()) === ids.join(), 20_000)
}

/** Starts three of them, and waits until they serve. */
async function startThree(t: TestContext, gateway: RegistryGateway): Promise<FakeUpstream[]> {
  const servers: FakeUpstream[] = []
  for (const id of ['n1', 'n2', 'n3']) servers.push(await startNode(t, gateway, { id }))
  await served(gateway, 'n1', 'n2', 'n3')
  return servers
}

/** Opens a WebSocket; resolves with the answer to its handshake. */
async function dial(t: TestContext, gateway: RegistryGateway, agent: string) {
  const url = gateway.proxyUrl.replace('http', 'ws')
  const socket = new WebSocket(url, { headers: { 'x-agent-id': agent } })
  t.after(() => socket.terminate())
  const [response] = (await once(socket, 'upgrade')) as [IncomingMessage]
  return { socket, response }
}

const BALANCERS = ['roundrobin', 'wrr_dynamic', 'least_conn', 'ewma', 'chash', 'ketama', 'random']

describe('a request that names an agent in X-Agent-Id', { concurrency: 2 }, () => {
  for (const type of BALANCERS) {
    it(`goes to that agent every time, whatever ${type} would choose`, async (t) => {
      const gateway = await start(t, { type, ...(type === 'chash' && { key: 'remote_addr' }) })
      await startThree(t, gateway)
      for (let i = 0; i < 6; i++) {
        const answer = await askFor(gateway, 'chat/n2')
        assert.deepEqual(answer, { status: 200, text: 'n2', fallback: null })
      }
      const others = await Promise.all([1, 2, 3].map(() => askFor(gateway, undefined)))
      assert.ok(others.every(({ status, fallback }) => status === 200 && fallback === null))
    })
  }

  it('is balanced over the type when that agent is not there, and the answer says so', async (t) => {
    const gateway = await start(t)
    await startThree(t, gateway)
    const answers = await Promise.all(Array.from({ length: 6 }, () => askFor(gateway, 'chat/nobody')))
    assert.deepEqual(answers.map(({ text }) => text).sort(), ['n1', 'n1', 'n2', 'n2', 'n3', 'n3'])
    assert.ok(answers.every(({ fallback }) => fallback === '1'))
  })

  it('is balanced over the others while its agent drains, and goes there again afterwards', async (t) => {
    const gateway = await start(t)
    await startThree(t, gateway)
    const say = (status: string) => gateway.registry('PUT', 'nodes/n1/heartbeat', { status })
    await say('draining')
    await eventually('another', async () => (await askFor(gateway, 'chat/n1')).fallback === '1', 20_000)
    assert.notEqual((await askFor(gateway, 'chat/n1')).text, 'n1')
    await say('running')
    await served(gateway, 'n1')
  })

  it('goes elsewhere when its agent cannot be reached, within the retries', async (t) => {
    const gateway = await start(t)
    const [, server] = await startThree(t, gateway)
    await server!.close()
    const answer = await askFor(gateway, 'chat/n2')
    assert.deepEqual([answer.status, answer.fallback], [200, '1'])
    assert.match(answer.text, /n1|n3/)
  })

  it('goes elsewhere while the checks of the upstream find its agent unhealthy', async (t) => {
    const healthy = { interval: 1, successes: 1 }
    const unhealthy = { interval: 1, http_failures: 1, tcp_failures: 1 }
    const gateway = await start(t, { retries: 0, checks: { active: { healthy, unhealthy } } })
    const [, server] = await startThree(t, gateway)
    await server!.close()
    await eventually(
      'the check to see it',
      async () => (await askFor(gateway, 'chat/n2')).fallback === '1',
      20_000,
    )
  })

  it('is told nothing of agents of another type: what is named there is not meant for this route', async (t) => {
    const gateway = await start(t)
    await startThree(t, gateway)
    for (const name of ['sum/n2', 'n2', '', 'chat', 'chats/n2']) {
      const answers = await Promise.all([1, 2, 3].map(() => askFor(gateway, name)))
      assert.deepEqual(answers.map(({ text }) => text).sort(), ['n1', 'n2', 'n3'])
      assert.ok(answers.every(({ fallback }) => fallback === null))
    }
  })

  it('does not reach an agent that the upstream does not take', async (t) => {
    const gateway = await start(t, { discovery_args: { capability: 'gpt' } })
    await startNode(t, gateway, { id: 'n1', agent: { capabilities: ['gpt'] } })
    await startNode(t, gateway, { id: 'n2' })
    await served(gateway, 'n1')
    assert.deepEqual(await askFor(gateway, 'chat/n2'), { status: 200, text: 'n1', fallback: '1' })
  })

  it('does not reach an agent of weight 0 while another one has weight', async (t) => {
    const gateway = await start(t)
    await startNode(t, gateway, { id: 'n1' })
    await startNode(t, gateway, { id: 'n2', agent: { weight: 0 } })
    await served(gateway, 'n1')
    assert.deepEqual(await askFor(gateway, 'chat/n2'), { status: 200, text: 'n1', fallback: '1' })
  })

  it('reaches each of several agents at one address', async (t) => {
    const gateway = await start(t)
    const server = await startNode(t, gateway, { id: 'n1' })
    await gateway.registry('PUT', 'agents/chat/also', { node_id: 'n1' })
    await startNode(t, gateway, { id: 'n2' })
    await served(gateway, 'n2')
    const also = async () => (await askFor(gateway, 'chat/also')).text === 'n1'
    await eventually('the second agent', also, 20_000)
    assert.ok(server.requests.length > 0)
    assert.equal((await askFor(gateway, 'chat/also')).fallback, null)
  })

  it('is what plugins make of it: one that sets the header chooses, one that removes it switches it off', async (t) => {
    const gateway = await start(t)
    await startThree(t, gateway)
    const rewriting = (headers: object) =>
      gateway.put('routes', '1', { uri: '/*', upstream: UPSTREAM, plugins: { 'proxy-rewrite': { headers } } })
    await rewriting({ set: { 'X-Agent-Id': 'chat/n3' } })
    const texts = async (name: string | undefined) => {
      const answers = await Promise.all([1, 2, 3].map(() => askFor(gateway, name)))
      return answers.map(({ text }) => text).sort()
    }
    assert.deepEqual(await texts(undefined), ['n3', 'n3', 'n3'])
    await rewriting({ remove: ['X-Agent-Id'] })
    assert.deepEqual(await texts('chat/n3'), ['n1', 'n2', 'n3'])
  })

  it('opens a WebSocket there, or elsewhere with a word in the answer', async (t) => {
    const gateway = await start(t, {}, { enable_websocket: true })
    const node = await webSocketUpstream(t)
    await startNode(t, gateway, { id: 'n1', endpoint: `http://${node.address}` })
    const open = async (agent: string) => {
      const { socket, response } = await dial(t, gateway, agent)
      socket.terminate()
      return [response.statusCode, response.headers['x-agent-fallback']]
    }
    await eventually('the agent', async () => (await askFor(gateway, 'chat/n1')).status === 426, 20_000)
    assert.deepEqual(await open('chat/n1'), [101, undefined])
    assert.deepEqual(await open('chat/nobody'), [101, '1'])
  })

  it('means nothing to an upstream that is not of the registry', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startRegistryGateway(
      t,
      {},
      { routes: { 1: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
    )
    assert.deepEqual(await askFor(gateway, 'chat/n1'), { status: 200, text: 'ok', fallback: null })
  })
})

describe('a request to agents that cannot be served', { concurrency: 2 }, () => {
  const bodyOf = async (...call: Parameters<typeof askFor>) => {
    const { status, text } = await askFor(...call)
    return [status, JSON.parse(text)]
  }

  it('is answered 404 AGENT_NOT_FOUND when it names an agent of a type that nobody has registered', async (t) => {
    const gateway = await start(t)
    const error_msg = 'no agent of type "chat" is registered'
    assert.deepEqual(await bodyOf(gateway, 'chat/n1'), [404, { error_code: 'AGENT_NOT_FOUND', error_msg }])
  })

  it('is told NOT_FOUND, or UNAVAILABLE, when it is a call of gRPC', async (t) => {
    const settings = { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] }
    const upstream = { ...UPSTREAM, scheme: 'grpc' as const }
    const gateway = await startRegistryGateway(t, { settings }, { routes: { 1: { uri: '/*', upstream } } })
    const client = grpcClient(t, `127.0.0.1:${gateway.proxyPort}`)
    const metadata = new grpc.Metadata()
    metadata.set('x-agent-id', 'chat/n1')
    const unknown = await callUnary(client, 'x', { metadata })
    assert.deepEqual(
      [unknown.code, unknown.details],
      [grpc.status.NOT_FOUND, 'no agent of type "chat" is registered'],
    )
    assert.equal((await callUnary(client, 'x')).code, grpc.status.UNAVAILABLE)
  })

  it('is answered 503 NO_HEALTHY_NODE when none of them can be used, or none is named', async (t) => {
    const gateway = await start(t)
    const error_msg = 'no agent of type "chat" can be used at the moment'
    const expected = [503, { error_code: 'NO_HEALTHY_NODE', error_msg }]
    assert.deepEqual(await bodyOf(gateway, undefined), expected)
    await gateway.registry('PUT', 'nodes/n1', { endpoint: 'http://127.0.0.1:1' })
    await gateway.registry('PUT', 'agents/chat/n1', { node_id: 'n1' })
    await eventually(
      'the type to be known',
      async () => (await askFor(gateway, 'chat/n1')).status === 503,
      20_000,
    )
    assert.deepEqual(await bodyOf(gateway, 'chat/n1'), expected)
  })

  it('is answered 502 WORKER_NODE_UNAVAILABLE when the node refuses, and says that it was another one', async (t) => {
    const gateway = await start(t)
    await startNode(t, gateway, { id: 'n1', endpoint: 'http://127.0.0.1:1' })
    const [status, body] = await eventuallyAnswered(() => bodyOf(gateway, 'chat/n1'), 502)
    assert.deepEqual([status, body.error_code], [502, 'WORKER_NODE_UNAVAILABLE'])
    assert.equal((await askFor(gateway, 'chat/n1')).fallback, null)
    assert.equal((await askFor(gateway, 'chat/n2')).fallback, '1')
  })

  it('is answered 504 ROUTING_TIMEOUT when the agent takes too long', async (t) => {
    const gateway = await start(t, { timeout: { connect: 5, send: 5, read: 0.2 } })
    const silent = await fakeUpstream(t, () => undefined)
    await startNode(t, gateway, { id: 'n1', endpoint: `http://${silent.address}` })
    const [status, body] = await eventuallyAnswered(() => bodyOf(gateway, 'chat/n1'), 504)
    assert.deepEqual([status, body.error_code], [504, 'ROUTING_TIMEOUT'])
  })

  it('passes on what the agent itself says, whatever it is', async (t) => {
    const gateway = await start(t)
    const failing = await fakeUpstream(t, (_request, response) => {
      response.statusCode = 500
      response.end('{"error_code":"PROCESSING_ERROR"}')
    })
    await startNode(t, gateway, { id: 'n1', endpoint: `http://${failing.address}` })
    const answer = await eventuallyAnswered(() => bodyOf(gateway, 'chat/n1'), 500)
    assert.deepEqual(answer, [500, { error_code: 'PROCESSING_ERROR' }])
  })

  async function eventuallyAnswered<T extends readonly unknown[]>(
    ask: () => Promise<T>,
    status: number,
  ): Promise<T> {
    await eventually(`a ${status}`, async () => (await ask())[0] === status, 20_000)
    return ask()
  }
})

describe('a registered node that the checks of an upstream find failing', { concurrency: 2 }, () => {
  const ACTIVE = {
    active: {
      http_path: '/health',
      healthy: { interval: 1, successes: 1 },
      unhealthy: { interval: 1, http_failures: 2, tcp_failures: 2 },
    },
  }
  /** Probes never find it failing, and it is well again when one passes. */
  const PASSIVE = {
    active: { ...ACTIVE.active, unhealthy: { interval: 1, http_failures: 254, tcp_failures: 254 } },
    passive: { unhealthy: { http_statuses: [500], http_failures: 2 } },
  }

  /** A node whose answers can be made bad; probes and requests apart. */
  async function startMoody(t: TestContext, gateway: RegistryGateway) {
    const mood = { probes: 200, requests: 200 }
    const server = await fakeUpstream(t, (request, response) => {
      response.statusCode = request.url === '/health' ? mood.probes : mood.requests
      response.end('moody')
    })
    await startNode(t, gateway, { id: 'n1', endpoint: `http://${server.address}` })
    await startNode(t, gateway, { id: 'n2' })
    await served(gateway, 'n2')
    const state = async () => {
      const { body } = await gateway.registry('GET', 'nodes/n1')
      return body.degraded_by ? `${body.status} by ${body.degraded_by}` : body.status
    }
    const becomes = (expected: string) =>
      eventually(`n1 ${expected}`, async () => (await state()) === expected, 30_000)
    return { mood, becomes }
  }

  it('is degraded when active checks fail, its agents are unhealthy, and it runs again when they pass', async (t) => {
    const gateway = await start(t, { checks: ACTIVE })
    const { mood, becomes } = await startMoody(t, gateway)
    await becomes('running')
    mood.probes = 500
    await becomes('degraded by health_check')
    const agent = (await gateway.registry('GET', 'agents/chat/n1')).body
    assert.deepEqual([agent.status, agent.healthy], ['unhealthy', false])
    const answers = await Promise.all(Array.from({ length: 4 }, () => askFor(gateway, undefined)))
    assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set(['n2']))
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { status: 'running' })
    await becomes('degraded by health_check')
    mood.probes = 200
    await becomes('running')
  })

  it('is degraded when requests fail, as the passive checks say', async (t) => {
    const gateway = await start(t, { checks: PASSIVE })
    const { mood, becomes } = await startMoody(t, gateway)
    mood.probes = 500
    mood.requests = 500
    for (let i = 0; i < 6; i++) await askFor(gateway, undefined)
    await becomes('degraded by health_check')
    mood.probes = 200
    mood.requests = 200
    await becomes('running')
  })

  it('runs again when the upstream that checked it is gone', async (t) => {
    const gateway = await start(t, { checks: ACTIVE })
    const { mood, becomes } = await startMoody(t, gateway)
    mood.probes = 500
    await becomes('degraded by health_check')
    await fetch(`${gateway.adminUrl}/apisix/admin/routes/1`, {
      method: 'DELETE',
      headers: { 'x-api-key': ADMIN_KEY },
    })
    await becomes('running')
  })
})
