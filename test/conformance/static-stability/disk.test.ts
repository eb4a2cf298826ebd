import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { TestGateway } from '../../../src/testing/start-gateway.ts'
import { type RunningEtcd, startEtcd } from '../../support/etcd.ts'
import { slowness } from '../../support/slowness.ts'
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

interface Scene {
  readonly etcd: RunningEtcd
  readonly dataDir: string
  readonly node: string
  start(settings?: Record<string, unknown>): Promise<TestGateway>
}

/** An etcd with `count` routes of version 1, and a gateway that has saved them and is gone. */
async function prepare(t: TestContext, count: number): Promise<Scene> {
  const etcd = await startEtcd(t)
  const scene = {
    etcd,
    dataDir: dataFolder(t),
    node: await startNode(t),
    start: (settings?: Record<string, unknown>) =>
      startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: scene.dataDir, ...(settings && { settings }) }),
  }
  await fill(etcd, count, (i) => routeText(i, 1, scene.node))
  const first = await scene.start()
  assert.equal(await versionOf(first, count - 1), '1')
  await first.stop()
  return scene
}

async function fill(etcd: RunningEtcd, count: number, textOf: (i: number) => string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  for (let start = 0; start < count; start += 100) {
    const indexes = Array.from({ length: Math.min(100, count - start) }, (_, i) => start + i)
    const success = indexes.map((i) => ({
      requestPut: { key: base64(`/apisix/routes/${i}`), value: base64(textOf(i)) },
    }))
    await etcd.post('/v3/kv/txn', { success })
  }
}

function saidOnce(gateway: TestGateway, part: string): number {
  return gateway.logs.filter(({ msg }) => String(msg).includes(part)).length
}

interface Ready {
  readonly status: number
  readonly reasons?: readonly string[]
  readonly remarks?: readonly string[]
}

async function readiness(gateway: TestGateway): Promise<Ready> {
  const { ip, port } = gateway.addresses.status!
  const answer = await fetch(`http://${ip}:${port}/status/ready`)
  return { ...((await answer.json()) as object), status: answer.status }
}

describe('C2: a cold start with etcd down', () => {
  it('serves 10,000 routes from disk within 2 s, says so everywhere, and hands over to etcd without a flap', async (t) => {
    const { etcd, node, start } = await prepare(t, 10_000)
    await etcd.kill9()
    const startedAt = performance.now()
    const gateway = await start()
    const tookMs = performance.now() - startedAt
    t.diagnostic(`ready after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs < 2000 * slowness(), `${tookMs} ms`)
    for (const id of [0, 4999, 9999]) assert.equal(await versionOf(gateway, id), '1')
    assert.equal(await versionOf(gateway, 10_000), undefined)

    const { from_disk } = await syncOf(gateway)
    assert.equal(from_disk?.generation, 'current')
    assert.equal(typeof from_disk?.revision, 'number')
    const ready = await readiness(gateway)
    assert.equal(ready.status, 200)
    assert.match(ready.remarks?.[0] ?? '', /^serves revision \d+ from disk, saved at 20/)
    assert.equal(await metricOf(gateway, 'gatewright_config_from_disk'), 1)
    assert.ok((await metricOf(gateway, 'gatewright_config_from_disk_age_seconds')) > 0)
    const [line] = gateway.logs.filter(({ msg }) => String(msg).includes('serves from disk'))
    assert.equal(line?.['revision'], from_disk?.revision)
    assert.equal(typeof line?.['ageSeconds'], 'number')

    const done = load(t, gateway, [0, 1, 2, 3, 9999])
    await etcd.restart()
    await eventually('etcd to take over', async () => (await syncOf(gateway)).from_disk === undefined, 20_000)
    await writer(t, [etcd.endpoint]).put('/apisix/routes/0', routeText(0, 2, node))
    await eventually('a change', async () => (await versionOf(gateway, 0)) === '2')
    await done(20)
    assert.deepEqual((await readiness(gateway)).remarks, undefined)
    assert.equal(await metricOf(gateway, 'gatewright_config_from_disk'), 0)
  })

  it('says when nothing was confirmed for long, and is not ready where that is asked for', async (t) => {
    const { etcd, start } = await prepare(t, 1)
    await etcd.kill9()
    const stale = 'gatewright.config_stale'
    const gateway = await start({ [`${stale}.after_ms`]: 100, [`${stale}.fail_readiness`]: true })
    await eventually('it is stale', async () => (await readiness(gateway)).status === 503)
    const { reasons, remarks } = await readiness(gateway)
    assert.deepEqual(reasons, ['config_stale'])
    assert.match(remarks?.[1] ?? '', /has not confirmed the configuration/)
    assert.equal(await metricOf(gateway, 'gatewright_config_stale'), 1)
    assert.equal(await versionOf(gateway, 0), '1')
    await etcd.restart()
    await eventually('it is confirmed', async () => (await readiness(gateway)).status === 200)
    const unconfirmed = 'gatewright_config_unconfirmed_seconds'
    await eventually(
      'nothing waits for a confirmation',
      async () => (await metricOf(gateway, unconfirmed)) === 0,
    )
  })

  it('takes what changed in etcd meanwhile, deletes included', async (t) => {
    const { etcd, node, start } = await prepare(t, 4)
    const hand = writer(t, [etcd.endpoint])
    await hand.put('/apisix/routes/0', routeText(0, 2, node))
    await hand.delete('/apisix/routes/1')
    await etcd.kill9()
    const gateway = await start()
    assert.equal(await versionOf(gateway, 0), '1')
    await etcd.restart()
    await eventually('the change', async () => (await versionOf(gateway, 0)) === '2', 20_000)
    assert.equal(await versionOf(gateway, 1), undefined)
    assert.equal(await versionOf(gateway, 2), '1')
  })

  it('never shows what was saved when etcd answers', async (t) => {
    const { etcd, node, start } = await prepare(t, 3)
    await writer(t, [etcd.endpoint]).put('/apisix/routes/0', routeText(0, 2, node))
    const gateway = await start()
    assert.equal(await versionOf(gateway, 0), '2')
    assert.equal(saidOnce(gateway, 'serves from disk'), 0)
  })

  it('waits for etcd when nothing was saved, or nothing is to be', async (t) => {
    const { etcd, dataDir, start } = await prepare(t, 1)
    await etcd.kill9()
    for (const settings of [{ 'gatewright.last_good.enabled': false }, {}]) {
      if (settings['gatewright.last_good.enabled'] === undefined) {
        rmSync(join(dataDir, 'last-good'), { recursive: true })
      }
      let isUp = false
      const starting = start(settings).then((gateway) => {
        isUp = true
        return gateway
      })
      await new Promise((resolve) => setTimeout(resolve, 1500))
      assert.equal(isUp, false)
      await etcd.restart()
      const gateway = await starting
      assert.equal(await versionOf(gateway, 0), '1')
      await gateway.stop()
      await etcd.kill9()
    }
  })

  it('keeps secrets from who reads the folder', async (t) => {
    const { etcd, dataDir, start } = await prepare(t, 1)
    const secret = 'a-very-secret-key-of-jack'
    const consumer = { username: 'jack', plugins: { 'key-auth': { key: secret } } }
    await writer(t, [etcd.endpoint]).put('/apisix/consumers/jack', JSON.stringify(consumer))
    await (await start()).stop()
    const folder = join(dataDir, 'last-good')
    assert.deepEqual(readdirSync(folder).sort(), ['current', 'previous'])
    for (const name of readdirSync(folder)) {
      const content = readFileSync(join(folder, name)).toString('latin1')
      assert.ok(!content.includes(secret) && !content.includes('jack') && !content.includes('/apisix/routes'))
    }
  })
})

describe('C4: what was saved cannot be used', () => {
  const damages: Record<string, (file: Buffer) => Buffer> = {
    corrupt: (file) => {
      file[file.length >> 1]! ^= 255
      return file
    },
    truncated: (file) => file.subarray(0, file.length >> 1),
    'of a version to come': (file) =>
      Buffer.from(file.toString('latin1').replace('"format":1', '"format":7'), 'latin1'),
  }
  for (const [what, damage] of Object.entries(damages)) {
    it(`serves the older generation when the newer one is ${what}, and says why once`, async (t) => {
      const { etcd, dataDir, node, start } = await prepare(t, 2)
      await writer(t, [etcd.endpoint]).put('/apisix/routes/0', routeText(0, 2, node))
      await (await start()).stop()
      await etcd.kill9()
      const path = join(dataDir, 'last-good', 'current')
      writeFileSync(path, damage(readFileSync(path)))
      const gateway = await start()
      assert.equal(await versionOf(gateway, 0), '1')
      assert.equal(await versionOf(gateway, 1), '1')
      assert.equal(saidOnce(gateway, 'cannot be used'), 1)
      assert.equal(await metricOf(gateway, 'gatewright_last_good_unusable_total'), 1)
      const { from_disk } = await syncOf(gateway)
      assert.equal(from_disk?.generation, 'previous')
    })
  }

  it('waits for etcd when both generations are damaged', async (t) => {
    const { etcd, dataDir, start } = await prepare(t, 1)
    await (await start()).stop()
    for (const name of ['current', 'previous']) writeFileSync(join(dataDir, 'last-good', name), 'x')
    await etcd.kill9()
    const starting = start()
    await etcd.restart()
    const gateway = await starting
    assert.equal(await versionOf(gateway, 0), '1')
    assert.equal(saidOnce(gateway, 'cannot be used'), 2)
  })

  it('serves on when nothing can be written, says so once, and writes again when it can', async (t) => {
    const { etcd, dataDir, node, start } = await prepare(t, 1)
    const folder = join(dataDir, 'last-good')
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'in the way')
    const gateway = await start()
    const hand = writer(t, [etcd.endpoint])
    const done = load(t, gateway, [0])
    for (const version of [2, 3, 4]) {
      await hand.put('/apisix/routes/0', routeText(0, version, node))
      await eventually('the change', async () => (await versionOf(gateway, 0)) === String(version))
    }
    assert.equal(saidOnce(gateway, 'cannot be saved'), 1)
    assert.ok((await metricOf(gateway, 'gatewright_last_good_save_failures_total')) >= 1)
    rmSync(folder)
    await done(5)
    await gateway.stop()
    assert.ok(readdirSync(folder).includes('current'), 'saved at the stop')
  })

  it('saves when it can, after a start at which there could be no key for it', async (t) => {
    const etcd = await startEtcd(t)
    const dataDir = dataFolder(t)
    const node = await startNode(t)
    // As on a full disk: the key is not there, and cannot be made.
    const key = join(dataDir, 'encryption.key')
    symlinkSync(join(dataDir, 'nowhere', 'x'), key)
    await fill(etcd, 1, () => routeText(0, 1, node))
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir })
    assert.equal(await versionOf(gateway, 0), '1')
    await eventually('the reason in the log', () => saidOnce(gateway, 'cannot be saved') === 1, 20_000)
    rmSync(key)
    await gateway.stop()
    assert.deepEqual(readdirSync(join(dataDir, 'last-good')), ['current'])
  })
})
