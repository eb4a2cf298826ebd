import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { PutResult } from '../../../src/store/config-store.ts'
import type { TestGateway } from '../../../src/testing/start-gateway.ts'
import { type RunningEtcd, startEtcd, whyNoBackups } from '../../support/etcd.ts'
import { eventually } from '../../support/watch-recording.ts'
import {
  dataFolder,
  load,
  metricOf,
  routeText,
  startNode,
  startOnEtcd,
  syncOf,
  versionOf,
  writer,
} from './stage.ts'

const ROUTES = [0, 1, 2, 3]

interface Scene {
  readonly etcd: RunningEtcd
  readonly node: string
  readonly dataDir: string
  start(settings?: Record<string, unknown>): Promise<TestGateway>
  put(id: number, version: number): Promise<PutResult>
}

async function prepare(t: TestContext): Promise<Scene> {
  const etcd = await startEtcd(t)
  const node = await startNode(t)
  const dataDir = dataFolder(t)
  const hand = writer(t, [etcd.endpoint])
  const put = (id: number, version: number) => hand.put(`/apisix/routes/${id}`, routeText(id, version, node))
  for (const id of ROUTES) await put(id, 1)
  return {
    ...{ etcd, node, dataDir, put },
    start: (settings = {}) => startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir, settings }),
  }
}

async function confirm(gateway: TestGateway): Promise<number> {
  const { ip, port } = gateway.addresses.control!
  return (await fetch(`http://${ip}:${port}/v1/sync/confirm`, { method: 'POST' })).status
}

const isHeld = async (gateway: TestGateway) => (await syncOf(gateway)).held !== undefined

describe('C9: etcd goes back in time', () => {
  it('keeps what served when it was emptied, says so everywhere, and follows once that is confirmed', async (t) => {
    const { etcd, start, put } = await prepare(t)
    const gateway = await start()
    assert.equal(await confirm(gateway), 409)
    const done = load(t, gateway, ROUTES)
    await etcd.restart({ isEmptied: true })
    await eventually('the alarm', () => isHeld(gateway), 20_000)
    const { held, store } = await syncOf(gateway)
    assert.deepEqual([held?.routes, held?.vanishing], [4, 4])
    assert.ok(store.rolled_back)
    assert.equal(await metricOf(gateway, 'gatewright_config_held'), 1)
    const { ip, port } = gateway.addresses.status!
    const ready = await fetch(`http://${ip}:${port}/status/ready`)
    assert.equal(ready.status, 200)
    assert.match(await ready.text(), /does not follow the store: 4 of 4 routes would vanish/)
    const { revision } = await put(9, 1)
    await eventually('the write to be seen', async () => (await syncOf(gateway)).held!.revision >= revision)
    assert.equal(await versionOf(gateway, 9), undefined)
    await done(20)

    assert.equal(await confirm(gateway), 200)
    await eventually('the new state', async () => (await versionOf(gateway, 9)) === '1')
    for (const id of ROUTES) assert.equal(await versionOf(gateway, id), undefined)
    assert.equal(await isHeld(gateway), false)
    await put(9, 2)
    await eventually('what comes later', async () => (await versionOf(gateway, 9)) === '2')
  })

  it('follows a restored store by itself when most routes are there, even at revisions that were used before', async (t) => {
    const { etcd, start, put } = await prepare(t)
    const gateway = await start()
    const done = load(t, gateway, [0])
    await etcd.restart({ isEmptied: true })
    for (const id of ROUTES.slice(0, 3)) await put(id, 7)
    await eventually('the restored state', async () => (await versionOf(gateway, 2)) === '7', 20_000)
    assert.equal(await versionOf(gateway, 0), '7')
    assert.equal(await versionOf(gateway, 3), undefined)
    assert.equal(await isHeld(gateway), false)
    await done(20)
  })

  it('keeps what served over a restart of the gateway too', async (t) => {
    const { etcd, start } = await prepare(t)
    await (await start()).stop()
    await etcd.restart({ isEmptied: true })
    for (let i = 0; i < 2; i++) {
      const gateway = await start()
      for (const id of ROUTES) assert.equal(await versionOf(gateway, id), '1')
      assert.equal(await isHeld(gateway), true)
      await gateway.stop()
    }
  })

  it('follows whatever happens when the settings say so', async (t) => {
    const { etcd, start } = await prepare(t)
    const gateway = await start({ 'gatewright.last_good.hold_above_percent': 100 })
    await etcd.restart({ isEmptied: true })
    await eventually('the emptiness', async () => (await versionOf(gateway, 0)) === undefined, 20_000)
    assert.equal(await isHeld(gateway), false)
  })

  it('follows deletes that were really made, whatever they take away', async (t) => {
    const { etcd, start } = await prepare(t)
    const gateway = await start()
    await writer(t, [etcd.endpoint]).deletePrefix('/apisix/routes/')
    await eventually('the deletes', async () => (await versionOf(gateway, 3)) === undefined)
    assert.equal(await isHeld(gateway), false)
  })
})

describe('C9: etcd is restored from a backup', { skip: whyNoBackups() ?? false }, () => {
  it('is followed by itself, back to what the backup holds, when most routes are in it', async (t) => {
    const { etcd, start, put } = await prepare(t)
    const gateway = await start()
    const backup = etcd.backUp()
    await put(0, 2)
    await put(9, 1)
    const hand = writer(t, [etcd.endpoint])
    await hand.delete('/apisix/routes/3')
    await eventually('what came after it', async () => (await versionOf(gateway, 3)) === undefined)
    assert.deepEqual([await versionOf(gateway, 0), await versionOf(gateway, 9)], ['2', '1'])
    const done = load(t, gateway, [0, 1, 2])
    await etcd.restart({ backup })
    const restoredAt = performance.now()
    await eventually('what the backup holds', async () => (await versionOf(gateway, 3)) === '1', 20_000)
    t.diagnostic(`followed ${Math.round(performance.now() - restoredAt)} ms after etcd answered`)
    assert.deepEqual([await versionOf(gateway, 0), await versionOf(gateway, 9)], ['1', undefined])
    assert.equal(await isHeld(gateway), false)
    assert.ok((await syncOf(gateway)).store.rolled_back)
    // At a revision that was used before, for something else.
    await put(1, 8)
    await eventually('what comes later', async () => (await versionOf(gateway, 1)) === '8')
    await done(20)
  })

  it('keeps what served when the backup is so old that most routes would vanish, until that is confirmed', async (t) => {
    const { etcd, start, put } = await prepare(t)
    const backup = etcd.backUp()
    for (let id = 10; id < 20; id++) await put(id, 1)
    const gateway = await start()
    const done = load(t, gateway, [0, 1, 2, 3])
    await etcd.restart({ backup })
    await eventually('the alarm', () => isHeld(gateway), 20_000)
    const { held } = await syncOf(gateway)
    assert.deepEqual([held?.routes, held?.vanishing], [14, 10])
    assert.equal(await versionOf(gateway, 15), '1')
    assert.equal(await confirm(gateway), 200)
    const confirmedAt = performance.now()
    await eventually('the backup', async () => (await versionOf(gateway, 15)) === undefined)
    t.diagnostic(`followed ${Math.round(performance.now() - confirmedAt)} ms after that was confirmed`)
    for (const id of ROUTES) assert.equal(await versionOf(gateway, id), '1')
    await done(20)
  })
})
