import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import type { ConfigStore, Watch, WatchSink } from '../../../src/store/config-store.ts'
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts'
import { type Following, followStore } from '../../../src/store/follow.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { startEtcd } from '../../support/etcd.ts'
import { slowness } from '../../support/slowness.ts'
import { eventually } from '../../support/watch-recording.ts'
import { History } from './history.ts'
import { dataFolder, load, routeText, startNode, startOnEtcd, versionOf, writer } from './stage.ts'

const logger = createLogger('silent')

async function start(t: TestContext) {
  const etcd = await startEtcd(t)
  const node = await startNode(t)
  const options = { endpoints: [etcd.endpoint], dataDir: dataFolder(t) }
  return { etcd, node, hand: writer(t, [etcd.endpoint]), startGateway: () => startOnEtcd(t, options) }
}

describe('C10: etcd is busy with itself', () => {
  it('defragments without anyone noticing', async (t) => {
    const { etcd, node, hand, startGateway: open } = await start(t)
    await hand.put('/apisix/routes/0', routeText(0, 0, node))
    const gateway = await open()
    const done = load(t, gateway, [0])
    for (let version = 1; version <= 3; version++) {
      await etcd.post('/v3/maintenance/defragment', {})
      await hand.put('/apisix/routes/0', routeText(0, version, node))
      await eventually('the change', async () => (await versionOf(gateway, 0)) === String(version))
    }
    await done(10)
  })
})

describe('C13 and C14: a watch that loses, repeats and merges', () => {
  it('is made good by comparing, and shows nothing that was not there in its order', async (t) => {
    const { etcd, node, hand } = await start(t)
    const history = new History()
    for (const id of [0, 1]) {
      const { revision } = await hand.put(`/apisix/routes/${id}`, routeText(id, 'first', node))
      history.wrote(id, 'first', revision)
    }
    const store = new EtcdStore({ hosts: [etcd.endpoint], logger })
    const gateway = await startGateway(
      t,
      {},
      {
        store: unreliable(store),
        settings: { 'gatewright.store': 'etcd', 'deployment.etcd.host': [etcd.endpoint] },
      },
    )
    const observer = history.observer()
    for (let i = 0; i < 60; i++) {
      const { revision } = await hand.put(`/apisix/routes/${i % 2}`, routeText(i % 2, i, node))
      history.wrote(i % 2, String(i), revision)
      observer.saw(i % 2, await versionOf(gateway, i % 2))
    }
    const { revision } = await hand.delete('/apisix/routes/1')
    history.wrote(1, undefined, revision)
    await eventually('the last state', async () => {
      const seen = await versionOf(gateway, 1)
      observer.saw(1, seen)
      return seen === undefined
    })
    assert.equal(await versionOf(gateway, 0), '58')
  })

  it('is compared with what etcd holds, so that even a lost event serves within 30 s, and no request fails', async (t) => {
    const { etcd, node, hand } = await start(t)
    for (const id of [0, 1]) await hand.put(`/apisix/routes/${id}`, routeText(id, 'old', node))
    const lost = { isLosing: false, count: 0 }
    const gateway = await startGateway(
      t,
      {},
      {
        store: forgetful(new EtcdStore({ hosts: [etcd.endpoint], logger }), lost),
        settings: { 'gatewright.store': 'etcd', 'deployment.etcd.host': [etcd.endpoint] },
      },
    )
    const done = load(t, gateway, [0, 1])
    lost.isLosing = true
    await hand.put('/apisix/routes/0', routeText(0, 'new', node))
    const lostAt = performance.now()
    await eventually('the loss', () => lost.count === 1)
    lost.isLosing = false
    // A later change hides that there was an earlier one: revisions alone do not tell.
    await hand.put('/apisix/routes/1', routeText(1, 'later', node))
    await eventually('the later change', async () => (await versionOf(gateway, 1)) === 'later', 20_000)
    assert.equal(await versionOf(gateway, 0), 'old')
    await eventually('the lost one', async () => (await versionOf(gateway, 0)) === 'new', 60_000)
    const tookMs = performance.now() - lostAt
    t.diagnostic(`a lost change serves after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs < 30_000 * slowness(), `${tookMs} ms`)
    await done(50)
  })
})

describe('C17: everything at once', () => {
  it('takes 2,000 routes and gives up all but one under load without a failure', async (t) => {
    const { etcd, node, hand, startGateway: open } = await start(t)
    await hand.put('/apisix/routes/kept', routeText('kept', 0, node))
    const gateway = await open()
    const done = load(t, gateway, ['kept'])
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    for (let start = 0; start < 2000; start += 100) {
      const success = Array.from({ length: 100 }, (_, i) => ({
        requestPut: {
          key: base64(`/apisix/routes/r${start + i}`),
          value: base64(routeText(`r${start + i}`, 1, node)),
        },
      }))
      await etcd.post('/v3/kv/txn', { success })
    }
    await eventually('the last of them', async () => (await versionOf(gateway, 'r1999')) === '1')
    await hand.deletePrefix('/apisix/routes/r')
    await eventually('their end', async () => (await versionOf(gateway, 'r1999')) === undefined)
    assert.equal(await versionOf(gateway, 'r0'), undefined)
    await done(20)
  })
})

describe('C18: a storm of changes to one route', () => {
  it('ends with exactly the last one, soon after it', async (t) => {
    const { node, hand, startGateway: open } = await start(t)
    await hand.put('/apisix/routes/0', routeText(0, 'first', node))
    const gateway = await open()
    const done = load(t, gateway, [0])
    let last = ''
    for (let i = 0; i < 1000; i += 50) {
      const texts = Array.from({ length: 50 }, (_, k) => String(i + k))
      await Promise.all(texts.map((text) => hand.put('/apisix/routes/0', routeText(0, text, node))))
      last = texts.at(-1)!
    }
    const stored = await hand.get('/apisix/routes/0')
    const version = /"x-version":"(\w+)"/.exec(stored!.value)?.[1]
    assert.ok(version && last)
    const startedAt = performance.now()
    await eventually('the last change', async () => (await versionOf(gateway, 0)) === version)
    t.diagnostic(`the last of 1,000 changes was served after ${Math.round(performance.now() - startedAt)} ms`)
    await done(20)
  })
})

describe('C19: fifty gateways come back at once', () => {
  it('are all up to date within 10 s', async (t) => {
    const { etcd, hand } = await start(t)
    await hand.put('/apisix/routes/0', 'before')
    const values: (string | undefined)[] = []
    const followings: Following[] = []
    for (let i = 0; i < 50; i++) {
      const store = new EtcdStore({ hosts: [etcd.endpoint], logger })
      t.after(() => store.close())
      const take = (value: string) => {
        values[i] = value
      }
      followings.push(
        followStore({
          store,
          prefix: '/apisix/',
          logger,
          listener: {
            onState: ({ items }) => take(items[0]!.value),
            onEvents: (events) => {
              for (const event of events) if (event.type === 'put') take(event.item.value)
            },
          },
        }),
      )
    }
    t.after(async () => {
      for (const following of followings) await following.close()
    })
    await eventually('all of them', () => followings.every((one) => one.status().isConnected), 20_000)
    await etcd.kill9()
    await eventually('the loss', () => followings.every((one) => !one.status().isReachable))
    await etcd.restart()
    await hand.put('/apisix/routes/0', 'after')
    const startedAt = performance.now()
    const areThere = () => values.every((value) => value === 'after') && values.length === 50
    await eventually('all of them again', areThere, 20_000)
    const tookMs = performance.now() - startedAt
    t.diagnostic(`all again after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs < 12_000, `${tookMs} ms`)
  })
})

describe('C20: two admin APIs write the same key', () => {
  it('keeps one document or the other, never a mixture', async (t) => {
    const { etcd, hand } = await start(t)
    const gateways = [0, 1].map(() => startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) }))
    const [one, other] = await Promise.all(gateways)
    const document = (who: string) => ({
      uri: `/${who}`,
      desc: who,
      labels: { who },
      upstream: { nodes: { '127.0.0.1:1': 1 } },
    })
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        one!.admin('PUT', 'routes/same', document('one')),
        other!.admin('PUT', 'routes/same', document('other')),
        one!.admin('PATCH', 'routes/same', { desc: 'one', labels: { who: 'one' }, uri: '/one' }),
      ])
      const { uri, desc, labels } = JSON.parse((await hand.get('/apisix/routes/same'))!.value)
      assert.deepEqual([uri, labels.who], [`/${desc}`, desc])
    }
  })
})

/** Ends each watch after some events, as if the connection broke, and tells the last ones again. */
function unreliable(store: EtcdStore): ConfigStore {
  return withWatch(store, (sink) => {
    let told = 0
    return {
      ...sink,
      onEvents: (events, revision) => {
        sink.onEvents(events, revision)
        sink.onEvents(events, revision)
        if (++told % 7 === 0) sink.onEnd({ reason: 'disconnected', message: 'broken by the test' })
      },
      onEnd: (cause) => sink.onEnd(cause),
      onProgress: (revision) => sink.onProgress?.(revision),
    }
  })
}

/** Loses events while it is told to, and shows life. */
function forgetful(store: EtcdStore, told: { readonly isLosing: boolean; count: number }): ConfigStore {
  return withWatch(store, (sink) => ({
    onEvents: (events, revision) => {
      if (told.isLosing) told.count++
      else sink.onEvents(events, revision)
    },
    onEnd: (cause) => sink.onEnd(cause),
    onProgress: (revision) => sink.onProgress?.(revision),
  }))
}

function withWatch(store: EtcdStore, change: (sink: WatchSink) => WatchSink): ConfigStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'watch') {
        return (prefix: string, from: number, sink: WatchSink): Watch =>
          target.watch(prefix, from, change(sink))
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as ConfigStore
}
