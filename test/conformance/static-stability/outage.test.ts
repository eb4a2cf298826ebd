import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { TestGateway } from '../../../src/testing/start-gateway.ts'
import { startEtcd } from '../../support/etcd.ts'
import { type EtcdCluster, type EtcdMember, startEtcdCluster } from '../../support/etcd-cluster.ts'
import { slowness } from '../../support/slowness.ts'
import { eventually } from '../../support/watch-recording.ts'
import { History, keepLooking } from './history.ts'
import { dataFolder, load, routeText, startNode, startOnEtcd, syncOf, versionOf, writer } from './stage.ts'

interface Scene {
  readonly cluster: EtcdCluster
  readonly gateway: TestGateway
  readonly node: string
  /** Writes the next version of a route past the gateway; resolves when it is served, with how long that took in ms. */
  write(id: number): Promise<number>
}

const ROUTES = [0, 1, 2]

async function start(t: TestContext, members: number): Promise<Scene> {
  const cluster = await startEtcdCluster(t, { members })
  const { endpoints } = cluster
  const node = await startNode(t)
  const hand = writer(t, endpoints)
  for (const id of ROUTES) await hand.put(`/apisix/routes/${id}`, routeText(id, 0, node))
  const gateway = await startOnEtcd(t, { endpoints, dataDir: dataFolder(t) })
  let version = 0
  return {
    cluster,
    gateway,
    node,
    async write(id) {
      const text = String(++version)
      const writing = async () => {
        try {
          return await hand.put(`/apisix/routes/${id}`, routeText(id, text, node))
        } catch {
          // Between two leaders nobody takes a write.
          return undefined
        }
      }
      await eventually('a leader that takes a write', writing, 20_000)
      const startedAt = performance.now()
      await eventually('the write to be served', async () => (await versionOf(gateway, id)) === text, 20_000)
      return performance.now() - startedAt
    },
  }
}

async function isReachable(gateway: TestGateway): Promise<boolean> {
  return (await syncOf(gateway)).store.reachable
}

/** What the admin API answers to a write, and how long that takes. */
async function writeByAdmin(gateway: TestGateway): Promise<{ status: number; text: string; tookMs: number }> {
  const startedAt = performance.now()
  const route = { uri: '/x', upstream: { nodes: { '127.0.0.1:1': 1 } } }
  const { status, body } = await gateway.admin('PUT', 'routes/x', route)
  return { status, text: JSON.stringify(body), tookMs: performance.now() - startedAt }
}

describe('C1: all of etcd is gone', () => {
  it('leaves requests as they were, answers writes with 503 at once, and says since when', async (t) => {
    const { cluster, gateway, write } = await start(t, 3)
    const done = load(t, gateway, ROUTES)
    for (const member of cluster.members) await member.kill9()
    await eventually('the loss to be noticed', async () => !(await isReachable(gateway)))
    const { status, tookMs } = await writeByAdmin(gateway)
    assert.equal(status, 503)
    assert.ok(tookMs < 3000, `${tookMs} ms`)
    const { store } = await syncOf(gateway)
    assert.equal(store.watching, false)
    assert.ok(store.last_error?.message)
    const lines = gateway.logs.length
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const said = gateway.logs.slice(lines).filter(({ level }) => Number(level) >= 40)
    assert.ok(said.length <= 4, `${said.length} lines in 2 s`)
    await Promise.all(cluster.members.map((member) => member.restart()))
    await write(0)
    await done(50)
  })
})

describe('C5: a member hangs', () => {
  it('is left within 5 s, also when it leads, and no request fails', async (t) => {
    const { cluster, gateway, node } = await start(t, 3)
    const done = load(t, gateway, ROUTES)
    // Whichever member the watch is on, it is one of these in turn, and one of them leads.
    for (const [i, member] of cluster.members.entries()) {
      const leads = (await cluster.leader()) === member
      const others = cluster.members.filter((one) => one !== member)
      member.pause()
      const pausedAt = performance.now()
      await eventually(
        'the others to take a write',
        () => writeTo(others, routeText(1, `c5-${i}`, node)),
        20_000,
      )
      const writtenMs = performance.now() - pausedAt
      await eventually(
        'the write to be served',
        async () => (await versionOf(gateway, 1)) === `c5-${i}`,
        20_000,
      )
      const servedMs = performance.now() - pausedAt
      const who = leads ? 'the leader' : 'a follower'
      t.diagnostic(
        `${who}: written after ${Math.round(writtenMs)} ms, served after ${Math.round(servedMs)} ms`,
      )
      assert.ok(servedMs < 5000 * slowness(), `${servedMs} ms, written after ${writtenMs} ms`)
      member.resume()
      await eventually('the gateway to follow', () => isReachable(gateway), 20_000)
    }
    await done(50)
  })
})

/** Writes route 1; false as long as nobody takes it. */
async function writeTo(members: readonly EtcdMember[], value: string): Promise<boolean> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const body = JSON.stringify({ key: base64('/apisix/routes/1'), value: base64(value) })
  const ask = ({ endpoint }: EtcdMember) =>
    fetch(`${endpoint}/v3/kv/put`, { method: 'POST', body, signal: AbortSignal.timeout(1000) }).then(
      ({ ok }) => ok,
      () => false,
    )
  return (await Promise.all(members.map(ask))).includes(true)
}

describe('C6: the leader goes', () => {
  it('loses no event and shows none twice, over kills and changes of the leader', async (t) => {
    const { cluster, gateway } = await start(t, 3)
    const history = new History()
    const hand = writer(t, cluster.endpoints)
    const node = await startNode(t)
    for (const id of ROUTES) {
      const { revision } = await hand.put(`/apisix/routes/${id}`, routeText(id, 'first', node))
      history.wrote(id, 'first', revision)
    }
    await eventually('the beginning', async () => (await versionOf(gateway, 2)) === 'first')
    const done = load(t, gateway, ROUTES)
    const looked = keepLooking(history.observer(), ROUTES, (id) => versionOf(gateway, id))
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 30; i++) {
        // Told before it is written, so that no look can come first; two writers there are not.
        const { revision } = await hand.list('/apisix/')
        history.wrote(i % 3, `${round}-${i}`, revision + 1)
        await hand.put(`/apisix/routes/${i % 3}`, routeText(i % 3, `${round}-${i}`, node))
      }
      const leader = await cluster.leader()
      await leader.kill9()
      const isWritable = () => hand.put('/other', 'x').then(Boolean, () => false)
      await eventually('another leader', isWritable, 20_000)
      await leader.restart()
    }
    const { revision } = await hand.list('/apisix/')
    history.wrote(0, 'last', revision + 1)
    await hand.put('/apisix/routes/0', routeText(0, 'last', node))
    const startedAt = performance.now()
    await eventually('the last write', async () => (await versionOf(gateway, 0)) === 'last')
    assert.ok(performance.now() - startedAt < 3000)
    t.diagnostic(`${await looked()} looks, each at a state that there was, none older than the one before`)
    await done(50)
  })
})

describe('C11: etcd has no space left', () => {
  it('refuses writes with the reason and serves on', async (t) => {
    const quota = 2 * 1024 * 1024
    const etcd = await startEtcd(t, { args: [`--quota-backend-bytes=${quota}`] })
    const node = await startNode(t)
    const hand = writer(t, [etcd.endpoint])
    await hand.put('/apisix/routes/0', routeText(0, 1, node))
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) })
    const done = load(t, gateway, [0])
    const large = 'x'.repeat(512 * 1024)
    const isFull = () =>
      hand.put(`/other/${Math.random()}`, large).then(
        () => false,
        () => true,
      )
    await eventually('the alarm', isFull, 20_000)
    const { status, text } = await writeByAdmin(gateway)
    assert.ok(status === 503 || status === 507, `${status} ${text}`)
    assert.match(text, /space/)
    assert.equal(await isReachable(gateway), true)
    await done(5)
  })
})

describe('C12: etcd does not know us any more', () => {
  it('serves on with auth switched on behind its back, and says that it is that', async (t) => {
    const etcd = await startEtcd(t)
    const node = await startNode(t)
    await writer(t, [etcd.endpoint]).put('/apisix/routes/0', routeText(0, 1, node))
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) })
    const done = load(t, gateway, [0])
    await etcd.post('/v3/auth/user/add', { name: 'root', password: 'sesame' })
    await etcd.post('/v3/auth/user/grant', { user: 'root', role: 'root' })
    await etcd.post('/v3/auth/enable', {})
    await etcd.kill9()
    await etcd.restart()
    const reason = async () => String((await syncOf(gateway)).store.last_error?.message)
    await eventually('the reason', async () => /asks for a user and a password/.test(await reason()), 20_000)
    assert.equal(await versionOf(gateway, 0), '1')
    await done(5)
  })

  it('serves on with a certificate that is not trusted, and says that it is that', async (t) => {
    const etcd = await startEtcd(t, { isSecure: true })
    const dataDir = dataFolder(t)
    const node = await startNode(t)
    const open = { 'deployment.etcd.tls.verify': false }
    const start = (settings: Record<string, unknown>) =>
      startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir, settings })
    const first = await start(open)
    await first.put('routes', '0', JSON.parse(routeText(0, 1, node)))
    await eventually('the route', async () => (await versionOf(first, 0)) === '1')
    await first.stop()
    const gateway = await start({})
    assert.equal(await versionOf(gateway, 0), '1')
    const { store, from_disk } = await syncOf(gateway)
    assert.match(store.last_error?.message ?? '', /certificate/)
    assert.ok(from_disk)
  })
})
