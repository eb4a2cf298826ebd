import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startEtcd } from '../../support/etcd.ts'
import { slowness } from '../../support/slowness.ts'
import { type SpawnedNode, spawnNode } from '../../support/spawn-node.ts'
import { eventually } from '../../support/watch-recording.ts'
import { routeText, writer } from './stage.ts'

const ROUTES = 50
const LIMIT_MS = 40_000

/** What all routes answer now, on connections of their own; nothing where none was to be had. */
function versions(node: SpawnedNode): Promise<readonly (string | undefined)[]> {
  const ask = async (id: number) => {
    try {
      const answer = await fetch(`${node.proxyUrl}/${id}`, { headers: { connection: 'close' } })
      await answer.arrayBuffer()
      return answer.headers.get('x-version') ?? String(answer.status)
    } catch {
      // Cut with the worker that had it.
      return undefined
    }
  }
  return Promise.all(Array.from({ length: ROUTES }, (_, id) => ask(id)))
}

async function isComplete(node: SpawnedNode): Promise<boolean> {
  const all = await node.workers()
  return all.length === 3 && all.every(({ state }) => state === 'serving' || state === 'standby')
}

describe('C3: workers are killed while all of etcd is down', () => {
  it('are back within seconds with exactly what served before, all of them and again', async (t) => {
    const etcd = await startEtcd(t)
    const hand = writer(t, [etcd.endpoint])
    const { address } = await fakeUpstream(t)
    for (let id = 0; id < ROUTES; id++)
      await hand.put(`/apisix/routes/${id}`, routeText(id, `v${id}`, address))
    const admin = { admin_listen: { ip: '127.0.0.1', port: 0 }, admin_key_required: false }
    const settings = { deployment: { etcd: { host: [etcd.endpoint] }, admin } }
    const node = await spawnNode(t, { workers: 2, settings, gatewright: { store: 'etcd' } })
    await hand.put('/apisix/routes/0', routeText(0, 'changed', address))
    const expected = Array.from({ length: ROUTES }, (_, id) => (id === 0 ? 'changed' : `v${id}`))
    const areServed = async () => JSON.stringify(await versions(node)) === JSON.stringify(expected)
    await eventually('all of it', areServed, LIMIT_MS)
    await eventually('a standby', () => isComplete(node), LIMIT_MS)
    await etcd.kill9()
    const revision = async () => (await node.serving()).map((worker) => worker.revision)
    const before = await revision()

    for (const [victims, what] of [
      [1, 'one'],
      [3, 'all and the standby'],
    ] as const) {
      const killedAt = performance.now()
      const killed = (await node.workers()).slice(0, victims)
      for (const { pid } of killed) process.kill(pid!, 'SIGKILL')
      await node.servingWithout(killed)
      const tookMs = performance.now() - killedAt
      t.diagnostic(`${what} killed: back after ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < (victims === 1 ? 2000 : 5000) * slowness(), `${tookMs} ms`)
      for (let i = 0; i < 3; i++) assert.deepEqual(await versions(node), expected)
      assert.deepEqual(await revision(), before)
      await eventually('a standby', () => isComplete(node), LIMIT_MS)
    }
    await etcd.restart()
    await hand.put('/apisix/routes/1', routeText(1, 'after', address))
    await eventually('what comes later', async () => (await versions(node))[1] === 'after', LIMIT_MS)
  })
})
