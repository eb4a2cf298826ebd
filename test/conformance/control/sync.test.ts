import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSync } from '../../../src/gateway/sync-source.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import type { SyncStatus } from '../../../src/snapshot/publisher.ts'
import type { FollowStatus } from '../../../src/store/follow.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { send, startControl } from './start-control.ts'

const NOW = Date.UTC(2026, 0, 1)
const QUIET: SyncStatus = {
  observed: 7,
  published: 7,
  pending: undefined,
  behindSinceMs: undefined,
  quarantined: [],
  lastPublishedAtMs: NOW - 60_000,
}
const WATCHING: FollowStatus = {
  isConnected: true,
  isReachable: true,
  sinceMs: NOW - 90_000,
  revision: 7,
  lastHeardMs: NOW - 1500,
}

/** What is shown for a state; the rest of the state is quiet. */
function shown(status: Partial<SyncStatus> = {}, follow: Partial<FollowStatus> = {}, empty: object[] = []) {
  return readSync({
    publisher: { status: { ...QUIET, ...status } },
    feeds: { empty: () => empty as never },
    store: () => ({ name: 'etcd', follow: { ...WATCHING, ...follow } }),
    now: () => NOW,
  })
}

describe('/v1/sync', () => {
  it('shows nothing but the revisions, the last publish and the store when all is well', () => {
    assert.deepEqual(shown(), {
      observed_revision: 7,
      published_revision: 7,
      lag_ms: 0,
      published_at: '2025-12-31T23:59:00.000Z',
      store: {
        name: 'etcd',
        reachable: true,
        watching: true,
        since: '2025-12-31T23:58:30.000Z',
        silent_ms: 1500,
      },
      quarantined: [],
    })
  })

  it('shows for how long something newer than what is served has been known', () => {
    const state = shown({ observed: 9, pending: 8, behindSinceMs: NOW - 250 })
    assert.deepEqual(
      [state.observed_revision, state.published_revision, state.pending_revision, state.lag_ms],
      [9, 7, 8, 250],
    )
  })

  it('has no negative times when the clock is set back', () => {
    const state = shown({ behindSinceMs: NOW + 5 }, { lastHeardMs: NOW + 5 })
    assert.deepEqual([state.lag_ms, state.store?.silent_ms], [0, 0])
  })

  it('shows that the store is away, since when and why', () => {
    const lastError = { message: 'no endpoint answers', atMs: NOW - 10 }
    const { store } = shown({}, { isConnected: false, isReachable: false, sinceMs: NOW - 10, lastError })
    assert.deepEqual(store, {
      name: 'etcd',
      reachable: false,
      watching: false,
      since: '2025-12-31T23:59:59.990Z',
      silent_ms: 1500,
      last_error: { message: 'no endpoint answers', at: '2025-12-31T23:59:59.990Z' },
    })
  })

  it('counts the silence of a store that never answered from the beginning', () => {
    const { lastHeardMs: _, ...unheard } = WATCHING
    const { store } = readSync({
      publisher: { status: { ...QUIET, lastPublishedAtMs: undefined } },
      feeds: { empty: () => [] },
      store: () => ({ name: 'etcd', follow: { ...unheard, isConnected: false, isReachable: false } }),
      now: () => NOW,
    })
    assert.equal(store?.silent_ms, 90_000)
  })

  it('shows that the store went back in time', () => {
    const { store } = shown({}, { rolledBack: { fromRevision: 9, toRevision: 3, atMs: NOW } })
    const at = '2026-01-01T00:00:00.000Z'
    assert.deepEqual(store?.rolled_back, { from_revision: 9, to_revision: 3, at })
  })

  it('shows upstreams without nodes', () => {
    const empty = [{ upstream: 'upstreams/1', reason: 'no such name' }]
    assert.deepEqual(shown({}, {}, empty).without_nodes, empty)
  })

  it('shows what is quarantined, why, since when, and whether an older version serves', async (t) => {
    const store = new MemoryStore({ logger: createLogger('silent') })
    const good = { uri: '/a', upstream: { nodes: { '127.0.0.1:1': 1 } } }
    await store.put('/apisix/routes/1', JSON.stringify(good))
    const before = Date.now()
    const control = await startControl(t, {}, { store })
    const bad = JSON.stringify({ ...good, plugins: { 'no-such': {} } })
    await store.put('/apisix/routes/1', bad)
    const { revision } = await store.put('/apisix/routes/2', bad)
    await control.gateway.settled()
    const quarantined = async () => {
      const { body } = await control.send('GET', '/v1/sync')
      return (body as { quarantined: Record<string, unknown>[] }).quarantined
    }
    const seen = await quarantined()
    const reason = 'unknown plugin [no-such]'
    assert.deepEqual(
      seen.map(({ since: _, ...rest }) => rest),
      [
        { kind: 'routes', id: '1', reason, revision: revision - 1, older_version_serves: true },
        { kind: 'routes', id: '2', reason, revision, older_version_serves: false },
      ],
    )
    const sinceMs = Date.parse(String(seen[0]!['since']))
    assert.ok(sinceMs >= before && sinceMs <= Date.now(), String(seen[0]!['since']))

    await store.put('/apisix/routes/1', '{')
    await control.gateway.settled()
    const [again] = await quarantined()
    assert.equal(again!['since'], seen[0]!['since'], 'since the first bad version')
    assert.notEqual(again!['reason'], reason)

    await store.put('/apisix/routes/1', JSON.stringify(good))
    await store.delete('/apisix/routes/2')
    await control.gateway.settled()
    assert.deepEqual(await quarantined(), [])
  })

  it('follows what is written: observed and published revision are those of the store', async (t) => {
    const control = await startControl(t)
    await control.put('upstreams', '1', { nodes: { '127.0.0.1:1': 1 } })
    const { body } = await control.send('GET', '/v1/sync')
    const state = body as ReturnType<typeof shown>
    const { body: item } = await control.send('GET', '/v1/upstream/1')
    const { modifiedIndex } = item as { modifiedIndex: number }
    assert.deepEqual([state.observed_revision, state.published_revision], [modifiedIndex, modifiedIndex])
    assert.deepEqual([state.lag_ms, state.store?.name, state.store?.watching], [0, 'memory', true])
    const metrics = `http://127.0.0.1:${control.addresses.metrics!.port}/apisix/prometheus/metrics`
    assert.match((await send(metrics)).text, /^gatewright_config_lag_seconds 0$/m)
  })
})
