import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type AnyPlugin, definePlugin } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { type RunningEtcd, startEtcd } from '../support/etcd.ts'
import { eventually } from '../support/watch-recording.ts'

/** A plugin that some nodes have and some have not in a form that works. */
function picky(isPicky: boolean): AnyPlugin {
  return definePlugin<Record<string, unknown>>({
    name: 'picky',
    priority: 1,
    schema: { type: 'object' },
    compile() {
      if (isPicky) throw new Error('this node has no such thing')
      return {}
    },
  })
}

async function node(
  t: TestContext,
  etcd: RunningEtcd,
  { isPicky = false, ...settings }: Record<string, unknown> & { isPicky?: boolean } = {},
): Promise<TestGateway> {
  const options: StartOptions = {
    plugins: { picky: async () => ({ default: picky(isPicky) }) },
    settings: {
      'gatewright.store': 'etcd',
      'deployment.etcd.host': [etcd.endpoint],
      plugins: ['picky', 'request-id'],
      ...settings,
    },
  }
  return startGateway(t, {}, options)
}

const ROUTE = { uri: '/', plugins: { 'request-id': {} } }

interface Listed {
  readonly id: string
  readonly applied_revision: number
  readonly observed_revision: number
  readonly revisions_behind: number
  readonly workers: number
  readonly role: string
  readonly quarantined: readonly { kind: string; id: string; reason: string }[]
}

async function listed(gateway: TestGateway): Promise<Listed[]> {
  const { status, body } = await gateway.admin('GET', 'cluster')
  assert.equal(status, 200)
  return body['list'] as Listed[]
}

interface Outcome {
  readonly applied: string[]
  readonly behind: { id: string }[]
  readonly refused: { id: string; reason: string }[]
}

describe('nodes that share an etcd', () => {
  it('list each other, and are off the list when they stop', async (t) => {
    const etcd = await startEtcd(t)
    const [first, second] = [await node(t, etcd), await node(t, etcd)]
    await eventually('both are listed', async () => (await listed(first)).length === 2)
    const nodes = await listed(second)
    assert.ok(nodes.every(({ workers, role }) => workers === 1 && role === 'traditional'))
    assert.equal(new Set(nodes.map(({ id }) => id)).size, 2)
    await second.stop()
    assert.equal((await listed(first)).length, 1)
  })

  it('answer a write when all of them serve it', async (t) => {
    const etcd = await startEtcd(t)
    const upstream = await fakeUpstream(t)
    const [first, second] = [await node(t, etcd), await node(t, etcd)]
    await eventually('both are listed', async () => (await listed(first)).length === 2)
    for (let round = 0; round < 5; round++) {
      const { status, body } = await first.admin('PUT', `routes/${round}?wait=cluster`, {
        uri: `/${round}`,
        upstream: { nodes: { [upstream.address]: 1 } },
      })
      assert.equal(status, 201)
      assert.equal((body['value'] as { uri: string }).uri, `/${round}`)
      const { applied, behind, refused } = body['cluster'] as Outcome
      assert.deepEqual([applied.length, behind, refused], [2, [], []])
      assert.equal((await fetch(`${second.proxyUrl}/${round}`)).status, 200)
    }
    const nodes = await listed(second)
    assert.ok(
      nodes.every(({ revisions_behind, applied_revision }) => revisions_behind === 0 && applied_revision > 0),
    )
  })

  it('say which of them cannot use what was stored, and why', async (t) => {
    const etcd = await startEtcd(t)
    const [first, second] = [await node(t, etcd), await node(t, etcd, { isPicky: true })]
    await eventually('both are listed', async () => (await listed(first)).length === 2)
    const { status, body } = await first.admin('PUT', 'routes/1?wait=cluster', {
      uri: '/',
      plugins: { picky: {} },
    })
    assert.equal(status, 422)
    const { applied, refused } = body['cluster'] as Outcome
    assert.equal(applied.length, 1)
    assert.match(refused[0]?.reason ?? '', /this node has no such thing/)
    const own = (await listed(second)).find(({ id }) => id === refused[0]?.id)
    assert.deepEqual(
      own?.quarantined.map(({ kind, id }) => `${kind}/${id}`),
      ['routes/1'],
    )
  })

  it('say which of them do not have it when the time is up', async (t) => {
    const etcd = await startEtcd(t)
    const first = await node(t, etcd)
    // A node that died just now: its lease still holds its report.
    const report = { id: 'gone', hostname: 'gone', role: 'data_plane', applied_revision: 1 }
    await etcd.post('/v3/kv/put', {
      key: Buffer.from('/apisix-nodes/gone').toString('base64'),
      value: Buffer.from(JSON.stringify(report)).toString('base64'),
    })
    const { status, body } = await first.admin('PUT', 'routes/1?wait=cluster&timeout=300ms', ROUTE)
    assert.equal(status, 202)
    const { applied, behind } = body['cluster'] as Outcome
    assert.equal(applied.length, 1)
    assert.deepEqual(
      behind.map(({ id }) => id),
      ['gone'],
    )
  })

  it('do not wait for a control plane, and are listed again after etcd was away', async (t) => {
    const etcd = await startEtcd(t)
    const control = await node(t, etcd, { 'deployment.role': 'control_plane' })
    const data = await node(t, etcd)
    await eventually('both are listed', async () => (await listed(control)).length === 2)
    const { body } = await control.admin('PUT', 'routes/1?wait=cluster', ROUTE)
    assert.equal((body['cluster'] as Outcome).applied.length, 1)
    await etcd.kill9()
    await etcd.restart({ isEmptied: true })
    await eventually('both are listed again', async () => {
      const { status, body: answer } = await data.admin('GET', 'cluster')
      return status === 200 && (answer['list'] as Listed[]).length === 2
    })
  })
})

describe('a gateway on its own', () => {
  it('is a cluster of one, and a write may wait for it', async (t) => {
    const gateway = await startGateway(t)
    const { status, body } = await gateway.admin('PUT', 'routes/1?wait=cluster', ROUTE)
    assert.equal(status, 201)
    assert.equal((body['cluster'] as Outcome).applied.length, 1)
    const nodes = await listed(gateway)
    assert.equal(nodes.length, 1)
    const info = await (
      await fetch(`http://127.0.0.1:${gateway.addresses.control!.port}/v1/server_info`)
    ).json()
    assert.equal(nodes[0]?.id, (info as { id: string }).id)
  })

  it('takes no other words for waiting', async (t) => {
    const gateway = await startGateway(t)
    const { status, body } = await gateway.admin('PUT', 'routes/1?wait=everyone', ROUTE)
    assert.equal(status, 400)
    assert.match(String(body['error_msg']), /use applied or cluster/)
  })
})
