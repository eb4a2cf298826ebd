import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it, type TestContext } from 'node:test'
import { type EtcdCluster, startEtcdCluster } from '../../support/etcd-cluster.ts'
import { createNetwork, type TestNetwork, whyNoNetworks } from '../../support/network.ts'
import { slowness } from '../../support/slowness.ts'
import { eventually } from '../../support/watch-recording.ts'
import { History, keepLooking } from './history.ts'
import { dataFolder, load, routeText, startNode, startOnEtcd, syncOf, versionOf, writer } from './stage.ts'

const skip = whyNoNetworks() ?? false

/** An etcd in a network of its own, with a gateway on it from outside. */
async function start(test: TestContext) {
  const t = lastFirst(test)
  const network = createNetwork(t)
  const etcd = await startEtcdCluster(t, { members: 1, at: network })
  const node = await startNode(t)
  const hand = writer(t, etcd.endpoints)
  const put = (id: number, version: number) => hand.put(`/apisix/routes/${id}`, routeText(id, version, node))
  await put(0, 1)
  await put(1, 1)
  const gateway = await startOnEtcd(t, { endpoints: etcd.endpoints, dataDir: dataFolder(t) })
  return { t, network, etcd, node, gateway, put }
}

/** The network must outlive what is connected through it: without it those connections would only end after minutes. */
function lastFirst(test: TestContext): { after(release: () => unknown): void } {
  const releases: (() => unknown)[] = []
  test.after(async () => {
    for (const release of releases.reverse()) await release()
  })
  return { after: (release) => void releases.push(release) }
}

describe('C7: etcd is cut off without a word', { skip }, () => {
  it('is noticed within 15 s, fails no request, and is followed again within 2 s of healing', async (t) => {
    const { network, etcd, node, gateway, put } = await start(t)
    const done = load(t, gateway, [0, 1])
    const { history, revision } = await known(etcd, [0, 1])
    const looked = keepLooking(history.observer(), [0, 1], (id) => versionOf(gateway, id))
    network.cut()
    const cutAt = performance.now()
    const isReachable = async () => (await syncOf(gateway)).store.reachable
    await eventually('the cut to be noticed', async () => !(await isReachable()), 15_000)
    t.diagnostic(`noticed after ${Math.round(performance.now() - cutAt)} ms`)
    // What is written meanwhile has to come in its order, too.
    const missed = Array.from({ length: 20 }, (_, i) => ({ id: i % 2, version: `cut-${i}` }))
    for (const [i, { id, version }] of missed.entries()) history.wrote(id, version, revision + 1 + i)
    postInside(
      network,
      etcd.endpoints[0]!,
      missed.map(({ id, version }) => [
        '/v3/kv/put',
        { key: base64(`/apisix/routes/${id}`), value: base64(routeText(id, version, node)) },
      ]),
    )
    history.wrote(0, '2', revision + 21)
    network.heal()
    const healedAt = performance.now()
    await put(0, 2)
    await eventually('the change', async () => (await versionOf(gateway, 0)) === '2', 20_000)
    const tookMs = performance.now() - healedAt
    t.diagnostic(`followed again after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs < 2000 * slowness(), `${tookMs} ms`)
    t.diagnostic(`${await looked()} looks, each at a state that there was, none older than the one before`)
    await done(50)
  })

  it('starts within 2 s from disk, also where etcd only keeps silent', async (test) => {
    const { t, network, etcd, gateway } = await start(test)
    const dataDir = dataFolder(t)
    const options = { endpoints: etcd.endpoints, dataDir }
    await (await startOnEtcd(t, options)).stop()
    await gateway.stop()
    for (const settings of [{}, { 'deployment.role': 'data_plane' }]) {
      network.cut()
      const startedAt = performance.now()
      const cold = await startOnEtcd(t, { ...options, settings })
      const tookMs = performance.now() - startedAt
      test.diagnostic(`ready after ${Math.round(tookMs)} ms`)
      assert.equal(await versionOf(cold, 0), '1')
      assert.ok(tookMs < 3000, `${tookMs} ms`)
      network.heal()
      await eventually('etcd to take over', async () => (await syncOf(cold)).store.watching, 20_000)
      assert.equal((await syncOf(cold)).from_disk, undefined)
      await cold.stop()
    }
  })
})

describe('C8: history is compacted away while etcd is cut off', { skip }, () => {
  it('lists again, honours deletes, and shows no 404 for what stayed', async (t) => {
    const { network, etcd, node, gateway } = await start(t)
    const done = load(t, gateway, [0])
    const { history, revision } = await known(etcd, [0, 1])
    const ids = [0, 1, 100, 150, 199]
    const looked = keepLooking(history.observer(), ids, (id) => versionOf(gateway, id))
    network.cut()
    await eventually('the cut to be noticed', async () => !(await syncOf(gateway)).store.reachable, 15_000)
    const newest = Array.from({ length: 50 }, (_, round) =>
      Array.from({ length: 100 }, (_, i) => ({
        requestPut: {
          key: base64(`/apisix/routes/${100 + i}`),
          value: base64(routeText(100 + i, round, node)),
        },
      })),
    )
    history.wrote(1, undefined, revision + 1)
    for (let round = 0; round < 50; round++)
      for (const id of ids.slice(2)) history.wrote(id, String(round), revision + 2 + round)
    postInside(network, etcd.endpoints[0]!, [
      ['/v3/kv/deleterange', { key: base64('/apisix/routes/1') }],
      ...newest.map((success): Call => ['/v3/kv/txn', { success }]),
      ['/v3/kv/compaction', { revision: '50', physical: true }],
    ])
    network.heal()
    const healedAt = performance.now()
    await eventually('the newest', async () => (await versionOf(gateway, 199)) === '49', 20_000)
    t.diagnostic(`all of it ${Math.round(performance.now() - healedAt)} ms after healing`)
    assert.equal(await versionOf(gateway, 1), undefined)
    t.diagnostic(`${await looked()} looks, each at a state that there was, none older than the one before`)
    await done(50)
  })
})

/** The history so far: these routes, of version 1. */
async function known(
  etcd: EtcdCluster,
  ids: readonly number[],
): Promise<{ history: History; revision: number }> {
  const history = new History()
  const { header } = (await etcd.post('/v3/kv/range', { key: base64('/') })) as {
    readonly header: { readonly revision: string }
  }
  for (const id of ids) history.wrote(id, '1', 1)
  return { history, revision: Number(header.revision) }
}

type Call = readonly [path: string, body: unknown]

/** Calls etcd from where nothing is cut. */
function postInside({ command }: TestNetwork, endpoint: string, calls: readonly Call[]): void {
  const script = `
    const { text } = await import('node:stream/consumers')
    for (const [path, body] of JSON.parse(await text(process.stdin))) {
      const answer = await fetch('${endpoint}' + path, { method: 'POST', body: JSON.stringify(body) })
      if (!answer.ok) throw new Error(path + ': ' + (await answer.text()))
    }`
  const [file, ...args] = [...command, process.execPath, '--input-type=module', '-e', script]
  execFileSync(file!, args, { input: JSON.stringify(calls) })
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
