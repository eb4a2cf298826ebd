import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type RunningEtcd, startEtcd } from '../../../test/support/etcd.ts'
import { eventually, record } from '../../../test/support/watch-recording.ts'
import { createLogger } from '../../observe/logger.ts'
import { type Listing, StoreUnavailableError } from '../config-store.ts'
import { type EventOrigin, type Following, type FollowOptions, followStore } from '../follow.ts'
import { EtcdStore, type EtcdStoreOptions } from './etcd-store.ts'

const logger = createLogger('silent')

function openStore(t: TestContext, endpoint: string, options: Partial<EtcdStoreOptions> = {}): EtcdStore {
  const store = new EtcdStore({ hosts: [endpoint], logger, ...options })
  t.after(() => store.close())
  return store
}

/** What a follower knows, kept as a listener would keep it. */
interface Mirror {
  readonly values: Map<string, string>
  readonly origins: EventOrigin[]
  /** Each put and delete that was told, in order. */
  readonly told: string[]
  readonly following: Following
}

function mirror(t: TestContext, store: EtcdStore, options: Partial<FollowOptions> = {}): Mirror {
  const values = new Map<string, string>()
  const origins: EventOrigin[] = []
  const told: string[] = []
  const onState = (listing: Listing) => {
    for (const { key, value } of listing.items) values.set(key, value)
  }
  const following = followStore({
    store,
    prefix: '/apisix/',
    logger,
    backoff: { minMs: 20, maxMs: 200 },
    listener: {
      onState,
      onEvents(events, _revision, origin) {
        origins.push(origin)
        for (const event of events) {
          told.push(event.type === 'put' ? `${event.item.key}=${event.item.value}` : event.key)
          if (event.type === 'put') values.set(event.item.key, event.item.value)
          else values.delete(event.key)
        }
      },
    },
    ...options,
  })
  t.after(() => following.close())
  return { values, origins, told, following }
}

async function isEqualTo(store: EtcdStore, values: ReadonlyMap<string, string>): Promise<boolean> {
  const { items } = await store.list('/apisix/')
  return items.length === values.size && items.every((item) => values.get(item.key) === item.value)
}

/** Writes through etcd's HTTP door, many keys at a time, so that large contents are made quickly. */
async function fill(etcd: RunningEtcd, count: number, textOf: (i: number) => string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  for (let start = 0; start < count; start += 100) {
    const indexes = Array.from({ length: Math.min(100, count - start) }, (_, i) => start + i)
    const success = indexes.map((i) => ({
      requestPut: { key: base64(`/apisix/routes/${i}`), value: base64(textOf(i)) },
    }))
    const answer = await fetch(`${etcd.endpoint}/v3/kv/txn`, {
      method: 'POST',
      body: JSON.stringify({ success }),
    })
    assert.ok(answer.ok, await answer.text())
  }
}

interface Proxy {
  readonly endpoint: string
  /** Connections stay open, and nothing passes any more, as behind a firewall that forgot them. */
  silence(): void
  /** New connections pass again; silenced ones stay silent. */
  restore(): void
}

async function startProxy(t: TestContext, target: RunningEtcd): Promise<Proxy> {
  let isSilent = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target.port, '127.0.0.1')
    const wasSilent = isSilent
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      if (wasSilent) socket.pause()
    }
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    if (wasSilent) return
    near.pipe(far)
    far.pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence() {
      isSilent = true
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    restore() {
      isSilent = false
    },
  }
}

describe('EtcdStore against a real etcd', { concurrency: true }, () => {
  it('loses nothing and repeats nothing when etcd is killed between batches', async (t) => {
    const etcd = await startEtcd(t)
    const store = openStore(t, etcd.endpoint)
    const writer = openStore(t, etcd.endpoint)
    const seen = mirror(t, store)
    await eventually('the first list', () => seen.following.status().isConnected)
    const written: string[] = []
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 40; i++) {
        await writer.put(`/apisix/routes/${i % 9}`, `${round}-${i}`)
        written.push(`/apisix/routes/${i % 9}=${round}-${i}`)
      }
      await etcd.kill9()
      await eventually('the loss to be noticed', () => !seen.following.status().isReachable)
      await etcd.restart()
    }
    await writer.put('/apisix/routes/last', 'end')
    await eventually('the last write', () => seen.values.get('/apisix/routes/last') === 'end')
    assert.deepEqual(seen.told.slice(0, -1), written)
    assert.equal(seen.following.status().rolledBack, undefined)
    assert.ok(!seen.origins.includes('relist'))
  })

  it('lists again when the history it missed was compacted, and sees the deletes', async (t) => {
    const etcd = await startEtcd(t)
    const writer = openStore(t, etcd.endpoint)
    await writer.put('/apisix/routes/gone', 'x')
    await writer.put('/apisix/routes/kept', 'x')
    const proxy = await startProxy(t, etcd)
    const seen = mirror(t, openStore(t, proxy.endpoint, { livenessIntervalMs: 200, timeoutMs: 500 }))
    await eventually('the first list', () => seen.following.status().isConnected)
    proxy.silence()
    await writer.delete('/apisix/routes/gone')
    for (let i = 0; i < 20; i++) await writer.put('/apisix/routes/new', String(i))
    await eventually('the silence to be noticed', () => !seen.following.status().isReachable)
    await etcd.compact((await writer.list('/apisix/')).revision)
    proxy.restore()
    await eventually('the new state', () => isEqualTo(writer, seen.values))
    assert.deepEqual(seen.told, ['/apisix/routes/new=19', '/apisix/routes/gone'])
    assert.deepEqual(seen.origins, ['relist'])
  })

  it('ends a watch from a compacted revision as compacted', async (t) => {
    const etcd = await startEtcd(t)
    const store = openStore(t, etcd.endpoint)
    for (let i = 0; i < 5; i++) await store.put('/apisix/a', String(i))
    const { revision } = await store.list('/apisix/')
    await etcd.compact(revision)
    const seen = record(store, '/apisix/', revision - 3)
    await eventually('the end', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'compacted')
    assert.deepEqual(seen.events, [])
  })

  it('notices that etcd was emptied, says so and tells the deletes', async (t) => {
    const etcd = await startEtcd(t)
    const store = openStore(t, etcd.endpoint)
    for (let i = 0; i < 10; i++) await store.put(`/apisix/routes/${i}`, 'before')
    const seen = mirror(t, store)
    await eventually('the first list', () => seen.values.size === 10)
    await eventually('the watch', () => seen.following.status().isConnected)
    await etcd.restart({ isEmptied: true })
    await openStore(t, etcd.endpoint).put('/apisix/routes/0', 'after')
    await eventually('the new state', () => seen.values.size === 1)
    assert.equal(seen.values.get('/apisix/routes/0'), 'after')
    // The put may come after the list that finds the store empty.
    assert.equal(seen.origins[0], 'rolled-back')
    assert.ok(!seen.origins.includes('relist'))
    const { rolledBack, revision } = seen.following.status()
    assert.equal(rolledBack?.fromRevision, 11)
    assert.ok(revision < 11)
    await store.put('/apisix/routes/1', 'goes on')
    await eventually('later events', () => seen.values.get('/apisix/routes/1') === 'goes on')
  })

  it('lists 10,000 keys and more than 4 MiB at one revision, in order', async (t) => {
    const etcd = await startEtcd(t)
    const store = openStore(t, etcd.endpoint)
    await fill(etcd, 10_000, (i) => `${i} ${'x'.repeat(900)}`)
    const { items, revision } = await store.list('/apisix/')
    assert.equal(items.length, 10_000)
    assert.equal(new Set(items.map((item) => item.key)).size, 10_000)
    assert.ok(items.reduce((sum, item) => sum + item.value.length, 0) > 2 * 4 * 1024 * 1024)
    assert.deepEqual(
      items.map((item) => item.key),
      items.map((item) => item.key).sort(),
    )
    const seen = record(store, '/apisix/', 2)
    await eventually('10,000 replayed events', () => seen.events.length === 10_000)
    assert.equal(seen.revisions.at(-1), revision)
    assert.equal((await store.deletePrefix('/apisix/')).deleted.length, 10_000)
  })

  it('reads page after page at the revision of the first, whatever is written meanwhile', async (t) => {
    const etcd = await startEtcd(t)
    await fill(etcd, 300, () => 'old')
    const reader = openStore(t, etcd.endpoint, { pageSize: 7 })
    const writer = openStore(t, etcd.endpoint)
    const list = reader.list('/apisix/')
    for (let i = 299; i >= 200; i--) await writer.put(`/apisix/routes/${i}`, 'new')
    const { items, revision } = await list
    assert.equal(items.length, 300)
    for (const item of items) assert.ok(item.modRevision <= revision, item.key)
  })

  it('ends a watch that went silent, and goes on over a new connection', async (t) => {
    const etcd = await startEtcd(t)
    const writer = openStore(t, etcd.endpoint)
    await writer.put('/apisix/routes/1', 'before')
    const proxy = await startProxy(t, etcd)
    const store = openStore(t, proxy.endpoint, { livenessIntervalMs: 200, timeoutMs: 500 })
    const seen = mirror(t, store)
    await eventually('the first list', () => seen.following.status().isConnected)
    const direct = record(store, '/apisix/', seen.following.status().revision + 1)
    proxy.silence()
    await writer.put('/apisix/routes/1', 'meanwhile')
    await eventually('the end of the silent watch', () => direct.ends.length === 1)
    assert.equal(direct.ends[0]?.reason, 'disconnected')
    assert.equal(seen.values.get('/apisix/routes/1'), 'before')
    proxy.restore()
    await eventually('the missed event', () => seen.values.get('/apisix/routes/1') === 'meanwhile')
    assert.deepEqual(seen.origins, ['watch'])
  })

  it('keeps a quiet watch open as long as etcd answers', async (t) => {
    const etcd = await startEtcd(t)
    const store = openStore(t, etcd.endpoint, { livenessIntervalMs: 500 })
    const { revision } = await store.put('/apisix/routes/1', 'v')
    let signs = 0
    const ends: unknown[] = []
    store.watch('/apisix/', revision + 1, {
      onEvents: () => {},
      onProgress: (progress) => {
        assert.equal(progress, revision)
        signs++
      },
      onEnd: (cause) => ends.push(cause),
    })
    await eventually('signs of life over many intervals', () => signs >= 4)
    assert.deepEqual(ends, [])
  })

  it('answers within its deadline when etcd is silent, refuses or is gone, naming the endpoint', async (t) => {
    const etcd = await startEtcd(t)
    const proxy = await startProxy(t, etcd)
    const silent = openStore(t, proxy.endpoint, { timeoutMs: 300, user: 'root', password: 'sesame' })
    proxy.silence()
    await etcd.kill9()
    const gone = openStore(t, etcd.endpoint, { timeoutMs: 300 })
    for (const [store, endpoint] of [
      [silent, proxy.endpoint],
      [gone, etcd.endpoint],
    ] as const) {
      const startedAt = performance.now()
      for (const attempt of [store.put('/apisix/a', 'v'), store.get('/apisix/a'), store.list('/apisix/')]) {
        await assert.rejects(attempt, (error: Error) => {
          assert.ok(error instanceof StoreUnavailableError)
          assert.ok(error.message.includes(endpoint), error.message)
          assert.ok(!`${error.message} ${error.stack} ${error.cause}`.includes('sesame'))
          return true
        })
      }
      assert.ok(performance.now() - startedAt < 2000)
    }
  })

  it('goes to another host when one is down', async (t) => {
    const etcd = await startEtcd(t)
    const dead = await startEtcd(t)
    await dead.kill9()
    const store = openStore(t, etcd.endpoint, { hosts: [dead.endpoint, etcd.endpoint] })
    for (let i = 0; i < 20; i++) await store.put(`/apisix/routes/${i}`, 'v')
    const seen = mirror(t, store)
    await eventually('the list', () => seen.values.size === 20)
    await store.put('/apisix/routes/1', 'new')
    await eventually('the event', () => seen.values.get('/apisix/routes/1') === 'new')
  })

  it('sends nothing more to a host that lets calls wait while another one answers', async (t) => {
    const etcd = await startEtcd(t)
    const proxy = await startProxy(t, etcd)
    proxy.silence()
    const store = openStore(t, etcd.endpoint, { hosts: [proxy.endpoint, etcd.endpoint], timeoutMs: 20_000 })
    const first = Promise.allSettled(Array.from({ length: 12 }, (_, i) => store.put(`/apisix/a/${i}`, 'v')))
    // Longer than a host may let a call wait.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    for (let i = 0; i < 12; i++) await store.put(`/apisix/b/${i}`, 'v')
    await store.close()
    await first
  })

  it('renews a lease at another host when one lets it wait', async (t) => {
    const etcd = await startEtcd(t)
    const proxy = await startProxy(t, etcd)
    const store = openStore(t, etcd.endpoint, { hosts: [proxy.endpoint, etcd.endpoint] })
    const lease = await store.grantLease(60)
    proxy.silence()
    for (let i = 0; i < 12; i++) await lease.keepAlive()
  })
})
