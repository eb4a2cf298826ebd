import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type RunningEtcd, startEtcd } from '../support/etcd.ts'
import { ADMIN_KEY, REGISTRY_KEY, type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { slowness } from '../support/slowness.ts'
import { eventually } from '../support/watch-recording.ts'

/** How much longer than on a machine that does nothing else things may take. */
const GRACE_MS = slowness() === 1 ? 0 : 20_000

const releases: (() => Promise<void>)[] = []
let etcd: RunningEtcd
let prefixes = 0

before(async () => {
  etcd = await startEtcd({ after: (release) => releases.push(release) })
})
after(async () => {
  for (const release of releases) await release()
})

type Start = (t: TestContext, settings?: Record<string, unknown>) => Promise<RegistryGateway>

const STORES: Readonly<Record<string, Start>> = {
  embedded: (t, settings) =>
    startRegistryGateway(t, { settings: { 'gatewright.store': 'embedded', ...settings } }),
  etcd: (t, settings) =>
    startRegistryGateway(t, {
      settings: {
        'gatewright.store': 'etcd',
        'gatewright.last_good.enabled': false,
        'deployment.etcd.host': [etcd.endpoint],
        'deployment.etcd.prefix': `/registry-${process.pid}-${++prefixes}`,
        ...settings,
      },
    }),
}

const NODE = { endpoint: 'http://127.0.0.1:7001', status: 'running' }

async function withNode(gateway: RegistryGateway, id = 'n1', claim: object = NODE): Promise<void> {
  const { status } = await gateway.registry('PUT', `nodes/${id}`, claim)
  assert.equal(status, 201)
}

for (const [name, start] of Object.entries(STORES)) {
  describe(`the registry in the ${name} store`, { concurrency: 4 }, () => {
    it('answers a registration with lease, interval and where the node registered', async (t) => {
      const gateway = await start(t)
      const node = await gateway.registry('PUT', 'nodes/n1', { ...NODE, ttl_s: 30 })
      assert.equal(node.status, 201)
      const { lease_id, revision, ...rest } = node.body
      assert.ok(typeof lease_id === 'string' && lease_id !== '' && revision > 0)
      assert.deepEqual(rest, {
        node_id: 'n1',
        lease_ttl_s: 30,
        heartbeat_interval_ms: 10_000,
        gateway_endpoint: gateway.adminUrl,
      })
      const agent = await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      assert.equal(agent.status, 201)
      assert.equal(agent.body.id, 'chat/a')
      assert.equal(agent.body.lease_id, lease_id)
      assert.equal(agent.body.heartbeat_interval_ms, 10_000)
      assert.equal(agent.body.createdIndex, agent.body.modifiedIndex)
    })

    it('shows the whole record of an agent, at once after it registered', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const claim = {
        node_id: 'n1',
        weight: 50,
        priority: 1,
        capabilities: ['a', 'b'],
        metadata: { team: 'x' },
        version: '1.2',
        health_check: { path: '/ok' },
      }
      await gateway.registry('PUT', 'agents/chat/a', claim)
      const { status, body } = await gateway.registry('GET', 'agents/chat/a')
      assert.equal(status, 200)
      const { registered_at, createdIndex, modifiedIndex, ...shown } = body
      assert.ok(registered_at > 1e9 && createdIndex === modifiedIndex)
      assert.deepEqual(shown, {
        id: 'chat/a',
        type: 'chat',
        key: 'a',
        ...claim,
        status: 'online',
        healthy: true,
        endpoint: NODE.endpoint,
        dynamic_weight: 12,
      })
    })

    it('makes a key for an agent that has none', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const [one, two] = await Promise.all(
        [1, 2].map(() => gateway.registry('POST', 'agents/chat', { node_id: 'n1' })),
      )
      assert.deepEqual([one!.status, two!.status], [201, 201])
      assert.notEqual(one!.body.id, two!.body.id)
      assert.equal((await gateway.registry('GET', `agents/${one!.body.id}`)).status, 200)
    })

    it('lets one of fifty win who claim an id from fifty nodes at the same time', async (t) => {
      const gateway = await start(t)
      const ids = Array.from({ length: 50 }, (_, index) => `n${index}`)
      await Promise.all(ids.map((id) => withNode(gateway, id, { endpoint: `http://127.0.0.1:7001` })))
      const replies = await Promise.all(
        ids.map((node_id) => gateway.registry('PUT', 'agents/chat/one', { node_id })),
      )
      assert.equal(replies.filter(({ status }) => status === 201).length, 1)
      const refused = replies.filter(({ status }) => status === 409)
      assert.equal(refused.length, 49)
      const { body } = await gateway.registry('GET', 'agents/chat/one')
      assert.equal(body.createdIndex, body.modifiedIndex)
      for (const reply of refused) {
        assert.equal(reply.body.error_code, 'AGENT_ID_CONFLICT')
        assert.equal(reply.body.details.node_id, body.node_id)
      }
    })

    it('writes nothing and tells nobody when the same registration comes again, a hundred times', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const events = await openEvents(t, gateway)
      const claim = { node_id: 'n1', capabilities: ['a'], metadata: { x: 1 } }
      const first = await gateway.registry('PUT', 'agents/chat/a', claim)
      for (let i = 0; i < 100; i++) {
        const again = await gateway.registry('PUT', 'agents/chat/a', claim)
        assert.equal(again.status, 200)
        assert.deepEqual(again.body, first.body)
      }
      const again = await gateway.registry('PUT', 'nodes/n1', NODE)
      assert.equal(again.status, 200)
      await gateway.registry('DELETE', 'agents/chat/a')
      await eventually('the removal', () => events.seen.length >= 2)
      assert.deepEqual(
        events.seen.map(({ event }) => event),
        ['agent_registered', 'agent_removed'],
      )
    })

    it('takes over what changed in a registration, and keeps what it was', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const first = await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1', capabilities: ['a'] })
      const second = await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1', capabilities: ['b'] })
      assert.equal(second.status, 200)
      assert.equal(second.body.createdIndex, first.body.createdIndex)
      assert.ok(second.body.modifiedIndex > first.body.modifiedIndex)
      const found = async (capability: string) =>
        (await gateway.registry('GET', `agents?capability=${capability}`)).body.total
      assert.deepEqual([await found('a'), await found('b')], [0, 1])
    })

    it('refuses a node of another endpoint while the lease of the first lives, and takes it afterwards', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const other = { ...NODE, endpoint: 'http://127.0.0.1:7002' }
      const refused = await gateway.registry('PUT', 'nodes/n1', other)
      assert.deepEqual([refused.status, refused.body.error_code], [409, 'NODE_ID_CONFLICT'])
      assert.equal((await gateway.registry('DELETE', 'nodes/n1')).status, 204)
      assert.equal((await gateway.registry('PUT', 'nodes/n1', other)).status, 201)
    })

    it('moves an agent to a node of its group when that asks for it, and to no other', async (t) => {
      const gateway = await start(t)
      for (const id of ['n1', 'n2', 'n3']) await withNode(gateway, id)
      const claim = (node_id: string, instance_group: string) => ({ node_id, metadata: { instance_group } })
      await gateway.registry('PUT', 'agents/chat/a', claim('n1', 'g'))
      const path = 'agents/chat/a?takeover=true'
      assert.equal((await gateway.registry('PUT', path, claim('n2', 'other'))).status, 409)
      assert.equal((await gateway.registry('PUT', 'agents/chat/a', claim('n2', 'g'))).status, 409)
      assert.equal((await gateway.registry('PUT', path, claim('n2', 'g'))).status, 201)
      assert.equal((await gateway.registry('GET', 'agents/chat/a')).body.node_id, 'n2')
    })

    it('takes no agent for a node that is not there', async (t) => {
      const gateway = await start(t)
      const { status, body } = await gateway.registry('PUT', 'agents/chat/a', { node_id: 'nobody' })
      assert.deepEqual([status, body.error_code], [412, 'NODE_NOT_FOUND'])
    })

    it('removes a node with all of its agents at one revision', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      for (const key of ['a', 'b', 'c'])
        await gateway.registry('PUT', `agents/chat/${key}`, { node_id: 'n1' })
      const events = await openEvents(t, gateway)
      assert.equal((await gateway.registry('DELETE', 'nodes/n1')).status, 204)
      assert.equal((await gateway.registry('GET', 'agents')).body.total, 0)
      await eventually('the removals', () => events.removed.length === 3)
      assert.equal(new Set(events.removed.map(({ data }) => data.revision)).size, 1)
      assert.deepEqual(new Set(events.removed.map(({ data }) => data.reason)), new Set(['deleted']))
      assert.equal((await gateway.registry('DELETE', 'nodes/n1')).status, 404)
    })

    it('removes an agent for its own node only, and is content when it is not there', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      const other = await gateway.registry('DELETE', 'agents/chat/a?node_id=n2')
      assert.deepEqual([other.status, other.body.error_code], [409, 'AGENT_ID_CONFLICT'])
      assert.equal((await gateway.registry('DELETE', 'agents/chat/a?node_id=n1')).status, 204)
      assert.equal((await gateway.registry('DELETE', 'agents/chat/a?node_id=n1')).status, 204)
      assert.equal((await gateway.registry('GET', 'agents/chat/a')).body.error_code, 'AGENT_NOT_FOUND')
    })

    it('lets a node that falls silent go with its lease, and keeps one that beats', async (t) => {
      const gateway = await start(t)
      await withNode(gateway, 'silent', { ...NODE, ttl_s: 2 })
      await withNode(gateway, 'beating', { ...NODE, ttl_s: 2 })
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'silent' })
      const events = await openEvents(t, gateway)
      const began = Date.now()
      await eventually('the end of the lease', async () => {
        const beat = await gateway.registry('PUT', 'nodes/beating/heartbeat', {
          // A clock that is an hour wrong changes nothing.
          timestamp: Date.now() - 3_600_000,
          status: 'running',
        })
        assert.equal(beat.status, 200)
        return (await gateway.registry('GET', 'agents')).body.total === 0
      })
      assert.ok(Date.now() - began < 4000 + GRACE_MS)
      await eventually('the event', () => events.removed.length === 1)
      assert.equal(events.removed[0]!.data.reason, 'lease_expired')
      const gone = await gateway.registry('PUT', 'nodes/silent/heartbeat', {})
      assert.deepEqual([gone.status, gone.body.error_code], [404, 'NODE_NOT_FOUND'])
      assert.equal((await gateway.registry('PUT', 'nodes/silent', NODE)).status, 201)
    })

    it('tells a node which of its agents are unknown and which it did not name', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      const { body } = await gateway.registry('PUT', 'nodes/n1/heartbeat', { agents: ['chat/b'] })
      assert.deepEqual([body.unknown_agents, body.missing_agents], [['chat/b'], ['chat/a']])
    })

    it('lets a node begin and degrade by what it says, without a trace of the status before', async (t) => {
      const gateway = await start(t)
      await withNode(gateway, 'n1', { endpoint: NODE.endpoint })
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      const counts = async () => {
        const totals = ['initializing', 'online', 'unhealthy', 'draining'].map(
          async (status) => (await gateway.registry('GET', `agents?status=${status}`)).body.total,
        )
        return Promise.all(totals)
      }
      assert.deepEqual(await counts(), [1, 0, 0, 0])
      const beat = (body: object) => gateway.registry('PUT', 'nodes/n1/heartbeat', body)
      for (const [body, expected] of [
        [{ status: 'running' }, [0, 1, 0, 0]],
        [{ metrics: { messages_processed: 10, messages_failed: 10 } }, [0, 1, 0, 0]],
        [{ metrics: { messages_processed: 30, messages_failed: 20 } }, [0, 0, 1, 0]],
        [{ metrics: { messages_processed: 60, messages_failed: 20 } }, [0, 1, 0, 0]],
        [{ status: 'degraded' }, [0, 0, 1, 0]],
        [{ status: 'running' }, [0, 1, 0, 0]],
        [{ status: 'draining' }, [0, 0, 0, 1]],
      ] as const) {
        assert.equal((await beat(body)).status, 200)
        await eventually(`${JSON.stringify(body)} to show`, async () => {
          return JSON.stringify(await counts()) === JSON.stringify(expected)
        })
      }
    })

    it('drains: nothing new at once, gone when the node says that it has nothing left', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      const drain = await gateway.registry('DELETE', 'nodes/n1?drain_s=60')
      assert.deepEqual([drain.status, drain.body.status], [202, 'draining'])
      const none = await gateway.registry('POST', 'select/chat', {})
      assert.deepEqual([none.status, none.body.error_code], [503, 'NO_HEALTHY_NODE'])
      const busy = await gateway.registry('PUT', 'nodes/n1/heartbeat', { metrics: { active_connections: 1 } })
      assert.equal(busy.body.status, 'draining')
      assert.equal((await gateway.registry('GET', 'agents/chat/a')).body.status, 'draining')
      const events = await openEvents(t, gateway)
      await gateway.registry('PUT', 'nodes/n1/heartbeat', { metrics: { active_connections: 0 } })
      await eventually('the end', () => events.removed.length === 1)
      assert.equal(events.removed[0]!.data.reason, 'node_drained')
      assert.equal((await gateway.registry('GET', 'nodes/n1')).status, 404)
    })

    it('drains until the deadline', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const began = Date.now()
      await gateway.registry('DELETE', 'nodes/n1?drain_s=1')
      await eventually('the end', async () => (await gateway.registry('GET', 'nodes/n1')).status === 404)
      const tookMs = Date.now() - began
      assert.ok(tookMs >= 950 && tookMs < 3000 + GRACE_MS, `${tookMs} ms`)
    })

    it('finds agents by type, node, capabilities, labels and status, page by page', async (t) => {
      const gateway = await start(t)
      await withNode(gateway, 'n1', { ...NODE, labels: { zone: 'z1' } })
      await withNode(gateway, 'n2', { ...NODE, labels: { zone: 'z2' } })
      const put = (id: string, body: object) => gateway.registry('PUT', `agents/${id}`, body)
      await put('chat/a', { node_id: 'n1', capabilities: ['x', 'y'] })
      await put('chat/b', { node_id: 'n2', capabilities: ['x'], metadata: { team: 't' } })
      await put('sum/c', { node_id: 'n2', capabilities: ['y'] })
      const ids = async (query: string) => {
        const { status, body } = await gateway.registry('GET', `agents?${query}`)
        assert.equal(status, 200)
        return body.list.map(({ id }: { id: string }) => id)
      }
      assert.deepEqual(await ids(''), ['chat/a', 'chat/b', 'sum/c'])
      assert.deepEqual(await ids('type=chat'), ['chat/a', 'chat/b'])
      assert.deepEqual(await ids('node=n2'), ['chat/b', 'sum/c'])
      assert.deepEqual(await ids('capability=x&capability=y'), ['chat/a'])
      assert.deepEqual(await ids('label.zone=z2&type=chat'), ['chat/b'])
      assert.deepEqual(await ids('label.team=t'), ['chat/b'])
      assert.deepEqual(await ids('status=draining'), [])
      const first = (await gateway.registry('GET', 'agents?limit=2')).body
      assert.deepEqual([first.total, first.list.length, first.cursor], [3, 2, 'chat/b'])
      assert.deepEqual(await ids(`limit=2&cursor=${first.cursor}`), ['sum/c'])
      assert.deepEqual(await ids('label.__proto__=x'), [])
      for (const bad of ['limit=0', 'limit=x', 'status=asleep', 'colour=red', 'type=chat&type=sum'])
        assert.equal((await gateway.registry('GET', `agents?${bad}`)).status, 400)
    })

    it('chooses as an upstream would, without those that are left out', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1' })
      await gateway.registry('PUT', 'agents/chat/b', { node_id: 'n1', endpoint: '127.0.0.1:7009' })
      const select = async (body: object) => (await gateway.registry('POST', 'select/chat', body)).body
      const turns: string[] = []
      for (let i = 0; i < 4; i++) turns.push((await select({})).id)
      assert.deepEqual([...new Set(turns)].sort(), ['chat/a', 'chat/b'])
      const { id, endpoint } = await select({ exclude: ['chat/a'], strategy: 'least_conn' })
      assert.deepEqual([id, endpoint], ['chat/b', '127.0.0.1:7009'])
      const hashed = await Promise.all([1, 2, 3].map(() => select({ strategy: 'chash', hash_key: 'k' })))
      assert.equal(new Set(hashed.map(({ id }) => id)).size, 1)
      assert.equal((await select({ strategy: 'best' })).error_code, 'VALIDATION_FAILED')
      const none = await gateway.registry('POST', 'select/nothing', {})
      assert.deepEqual([none.status, none.body.error_code], [404, 'AGENT_NOT_FOUND'])
    })

    it('resumes the stream of events where it was, each change once and in order', async (t) => {
      const gateway = await start(t)
      await withNode(gateway)
      const live = await openEvents(t, gateway)
      for (let i = 0; i < 20; i++) await gateway.registry('PUT', `agents/chat/a${i}`, { node_id: 'n1' })
      await eventually('the events', () => live.seen.length === 20)
      const revisions = live.seen.map(({ data }) => data.revision)
      assert.deepEqual(
        revisions,
        [...revisions].sort((a, b) => a - b),
      )
      const resumed = await openEvents(t, gateway, `?since=${revisions[9]}`)
      await eventually('the rest', () => resumed.seen.length === 10)
      assert.deepEqual(resumed.seen, live.seen.slice(10))
      const gone = await gateway.registry('GET', 'events?since=0')
      assert.deepEqual([gone.status, gone.body.error_code], [410, 'EVENTS_GONE'])
    })

    it('is not kept from stopping by an open stream of events', async (t) => {
      const gateway = await start(t)
      await openEvents(t, gateway)
      const began = Date.now()
      await gateway.stop()
      assert.ok(Date.now() - began < 3000 + GRACE_MS)
    })
  })
}

describe('the doors of the registry', () => {
  it('refuse ids that are none, and write nothing for them', async (t) => {
    const gateway = await STORES.embedded!(t)
    await withNode(gateway)
    const ids = [
      'chat/a%2fb',
      'chat/..',
      'chat/%2e%2e',
      'chat/',
      `chat/${'x'.repeat(65)}`,
      'chat/a/b',
      'a%00/b',
      '%2f/x',
    ]
    for (const id of ids) {
      const { status, code } = await rawPut(gateway, `agents/${id}`, { node_id: 'n1' })
      assert.deepEqual([id, status, code], [id, 400, 'INVALID_AGENT_ID'])
    }
    for (const id of ['..', 'a%2fb', '%20', 'x'.repeat(129)]) {
      const { status, code } = await rawPut(gateway, `nodes/${id}`, NODE)
      assert.deepEqual([id, status, code], [id, 400, 'VALIDATION_FAILED'])
    }
    assert.equal((await rawPut(gateway, 'agents/chat/%zz', {})).status, 400)
    assert.equal((await gateway.registry('GET', 'agents')).body.total, 0)
    assert.equal((await gateway.registry('GET', 'nodes')).body.total, 1)
  })

  it('refuse a body that is not as it has to be, field by field', async (t) => {
    const gateway = await startRegistryGateway(t)
    await withNode(gateway)
    const nodes: object[] = [
      {},
      { endpoint: 'nowhere' },
      { endpoint: 'ftp://a:1' },
      { endpoint: 'http://a:99999' },
      { endpoint: 'http://a:1', ttl_s: 1 },
      { endpoint: 'http://a:1', ttl_s: 301 },
      { endpoint: 'http://a:1', labels: { a: 1 } },
      { endpoint: 'http://a:1', protocol: 'smtp' },
      { endpoint: 'http://a:1', status: 'gone' },
      { endpoint: 'http://a:1', lease_id: '1' },
      { endpoint: 'http://a:1', node_id: 'other' },
    ]
    const agents: object[] = [
      {},
      { node_id: 'n1', weight: -1 },
      { node_id: 'n1', weight: 1.5 },
      { node_id: 'n1', priority: 'high' },
      { node_id: 'n1', capabilities: 'x' },
      { node_id: 'n1', metadata: 'x' },
      { node_id: 'n1', endpoint: '::' },
      { node_id: '../x' },
      { node_id: 'n1', type: 'x' },
    ]
    const beats: object[] = [
      { status: 'asleep' },
      { metrics: { cpu_usage: 'high' } },
      { metrics: { cpu_usage: -1 } },
      { agents: 'chat/a' },
    ]
    const cases = [
      ...nodes.map((body) => ['nodes/n9', body] as const),
      ...agents.map((body) => ['agents/chat/a', body] as const),
      ...beats.map((body) => ['nodes/n1/heartbeat', body] as const),
    ]
    for (const [path, body] of cases) {
      const reply = await gateway.registry('PUT', path, body)
      assert.deepEqual(
        [path, body, reply.status, reply.body.error_code],
        [path, body, 400, 'VALIDATION_FAILED'],
      )
    }
    const metrics = await (await fetch(metricsUrl(gateway))).text()
    assert.match(metrics, /gatewright_registry_heartbeats_total\{outcome="invalid"\} 4/)
  })

  it('take an empty list for an empty object, as the admin API does, and keep an object', async (t) => {
    const gateway = await startRegistryGateway(t)
    await withNode(gateway)
    await gateway.registry('PUT', 'agents/chat/a', { node_id: 'n1', metadata: [], capabilities: {} })
    const { body } = await gateway.registry('GET', 'agents/chat/a')
    assert.deepEqual([body.metadata, body.capabilities], [{}, []])
  })

  it('open to the registry key and to admin keys, and the registry key opens no other', async (t) => {
    const viewer = 'viewer-key-0123456789-0123456789'
    const scoped = 'scoped-key-0123456789-0123456789'
    const gateway = await startRegistryGateway(t, {
      settings: {
        'deployment.admin.admin_key': [
          { name: 'admin', key: ADMIN_KEY, role: 'admin' },
          { name: 'viewer', key: viewer, role: 'viewer' },
          { name: 'scoped', key: scoped, role: 'admin', scope: { resources: ['routes'] } },
        ],
      },
    })
    const status = async (...call: Parameters<RegistryGateway['registry']>) =>
      (await gateway.registry(...call)).status
    assert.equal(await status('PUT', 'nodes/n1', NODE, ADMIN_KEY), 201)
    assert.equal(await status('PUT', 'nodes/n2', NODE, REGISTRY_KEY), 201)
    assert.equal(await status('GET', 'nodes', undefined, viewer), 200)
    assert.equal(await status('PUT', 'nodes/n3', NODE, viewer), 401)
    assert.equal(await status('GET', 'nodes', undefined, scoped), 403)
    const wrong = await gateway.registry('GET', 'nodes', undefined, 'wrong')
    assert.deepEqual([wrong.status, wrong.body.error_code], [401, 'UNAUTHORIZED'])
    const admin = await fetch(`${gateway.adminUrl}/apisix/admin/routes`, {
      headers: { 'x-api-key': REGISTRY_KEY },
    })
    assert.equal(admin.status, 401)
  })

  it('tell the audit log of registrations and removals, not of heartbeats', async (t) => {
    const gateway = await startRegistryGateway(t)
    await withNode(gateway)
    await gateway.registry('PUT', 'nodes/n1/heartbeat', {})
    await gateway.registry('DELETE', 'nodes/n1')
    const lines = gateway.logs.filter(({ audit }) => audit === true)
    assert.deepEqual(
      lines.map(({ actor, method, resource, id }) => [actor, method, resource, id]),
      [
        ['registry', 'PUT', 'registry', 'nodes'],
        ['registry', 'DELETE', 'registry', 'nodes'],
      ],
    )
  })

  it('say nothing of the cause when something fails that nobody foresaw', async (t) => {
    class Broken extends MemoryStore {
      override async transact(): Promise<never> {
        throw new TypeError('the secret cause')
      }
    }
    const gateway = await startRegistryGateway(t, { store: new Broken({ logger: createLogger('silent') }) })
    const { status, body } = await gateway.registry('PUT', 'nodes/n1', NODE)
    assert.deepEqual([status, Object.keys(body).sort()], [500, ['error_code', 'error_msg']])
    assert.equal(body.error_code, 'INTERNAL_ERROR')
    assert.doesNotMatch(JSON.stringify(body), /secret|TypeError/)
    assert.ok(gateway.logs.some(({ err }) => (err as Error | undefined)?.message === 'the secret cause'))
  })

  it('are refused at the start in a store that only reads', async (t) => {
    const started = startRegistryGateway(t, {
      settings: {
        'gatewright.store': 'auto',
        'deployment.role': 'data_plane',
        'deployment.role_data_plane.config_provider': 'yaml',
      },
      files: { 'apisix.yaml': 'routes: []\n#END\n' },
    })
    await assert.rejects(started, /gatewright\.registry: the file store takes no registrations; use etcd/)
  })

  it('are not there when the registry is switched off, and know no other paths or methods', async (t) => {
    const off = await startRegistryGateway(t, { settings: { 'gatewright.registry.enable': false } })
    assert.equal((await off.registry('GET', 'nodes')).status, 404)
    const gateway = await startRegistryGateway(t)
    assert.equal((await gateway.registry('GET', 'elsewhere')).body.error_code, 'NOT_FOUND')
    assert.equal((await gateway.registry('PATCH', 'nodes/n1', {})).status, 405)
  })
})

describe('the metrics of the registry', () => {
  it('count what is there, and nothing that is gone', async (t) => {
    const gateway = await startRegistryGateway(t)
    await withNode(gateway)
    for (const key of ['a', 'b', 'c']) await gateway.registry('PUT', `agents/chat/${key}`, { node_id: 'n1' })
    await gateway.registry('DELETE', 'agents/chat/c')
    await gateway.registry('PUT', 'nodes/n1/heartbeat', { metrics: { active_connections: 7 } })
    await gateway.registry('PUT', 'nodes/nobody/heartbeat', {})
    await gateway.registry('PUT', 'nodes/n1', { endpoint: 'http://elsewhere:1' })
    const read = async () => (await (await fetch(metricsUrl(gateway))).text()).split('\n')
    const lines = await read()
    for (const line of [
      'gatewright_registry_nodes{status="running"} 1',
      'gatewright_registry_agents{agent_type="chat",status="online"} 2',
      'gatewright_registry_active_connections{node_id="n1"} 7',
      'gatewright_registry_heartbeats_total{outcome="ok"} 1',
      'gatewright_registry_heartbeats_total{outcome="unknown_node"} 1',
      'gatewright_registry_conflicts_total{kind="node"} 1',
      'gatewright_registry_watch_lag_seconds 0',
    ])
      assert.ok(lines.includes(line), line)
    assert.ok(
      lines.some((line) =>
        line.startsWith('gatewright_registry_dynamic_weight{agent_type="chat",node_id="n1"}'),
      ),
    )
    await gateway.registry('DELETE', 'nodes/n1')
    const after = (await read()).filter((line) => /^gatewright_registry_\w+\{.*(chat|n1|running)/.test(line))
    assert.deepEqual(after, [])
  })
})

function metricsUrl(gateway: RegistryGateway): string {
  return `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
}

/** A PUT whose path goes as it is. */
function rawPut(
  { addresses }: RegistryGateway,
  path: string,
  body: object,
): Promise<{ status: number; code: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        port: addresses.admin!.port,
        method: 'PUT',
        path: `/apisix/registry/${path}`,
        headers: { 'x-api-key': REGISTRY_KEY },
        agent: false,
      },
      async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve({ status: response.statusCode!, code: JSON.parse(text).error_code })
      },
    )
    request.on('error', reject)
    request.end(JSON.stringify(body))
  })
}

interface SeenEvent {
  readonly event: string
  readonly data: { readonly revision: number; readonly reason?: string; readonly id?: string }
}

/** Reads the stream of events until the test ends. */
async function openEvents(t: TestContext, { adminUrl }: RegistryGateway, query = '') {
  const abort = new AbortController()
  t.after(() => abort.abort())
  const response = await fetch(`${adminUrl}/apisix/registry/events${query}`, {
    headers: { 'x-api-key': REGISTRY_KEY },
    signal: abort.signal,
  })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const seen: SeenEvent[] = []
  void (async () => {
    let text = ''
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const parts = (text + chunk).split('\n\n')
        text = parts.pop()!
        for (const part of parts) {
          const [, event, data] = /^event: (.+)\ndata: (.+)$/m.exec(part) ?? []
          if (event !== undefined) seen.push({ event, data: JSON.parse(data!) })
        }
      }
    } catch (error) {
      assert.equal((error as Error).name, 'AbortError')
    }
  })()
  return {
    seen,
    get removed() {
      return seen.filter(({ event }) => event === 'agent_removed')
    },
  }
}
