import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import { Registry } from '../../src/registry/registry.ts'
import { type Following, followStore } from '../../src/store/follow.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type FakeClock, fakeClock } from './fake-clock.ts'

export const logger = createLogger('silent')
/** Of the wall clock, when the other clock is at 0. */
export const START_MS = 1_700_000_000_000

/** Registries of gateways that share one store in memory, all by one clock. */
export interface RegistryBench {
  readonly clock: FakeClock
  readonly store: MemoryStore
  /** Gateways that share the store. */
  readonly gateways: readonly Registry[]
  readonly followed: Following[]
}

/** Closed with the test, which fails when a timer is left. */
export async function openBench(t: TestContext, count = 1): Promise<RegistryBench> {
  const clock = fakeClock()
  const now = () => START_MS + clock.nowMs()
  const store = new MemoryStore({ logger, clock, wallNowMs: now })
  const gateways = Array.from({ length: count }, () => {
    const registry = new Registry({ prefix: '/apisix', clock, logger, metrics: createMetricRegistry(), now })
    registry.open(store)
    return registry
  })
  const followed = gateways.map((registry) =>
    followStore({
      store: registry.tapped(store),
      prefix: '/apisix/',
      listener: { onState: () => undefined, onEvents: () => undefined },
      logger,
      clock,
      resyncIntervalMs: 0,
    }),
  )
  await clock.advance(1)
  t.after(async () => {
    for (const following of followed) await following.close()
    for (const registry of gateways) registry.close()
    await store.close()
    assert.equal(clock.pending, 0, 'no timer is left')
  })
  return { clock, store, gateways, followed }
}

/** What a node says of itself. */
export const CLAIM = {
  endpoint: 'http://10.0.0.1:80',
  protocol: 'http',
  labels: {},
  status: 'running',
  ttl_s: 15,
} as const
/** What an agent of the node `n1` says of itself. */
export const AGENT = { node_id: 'n1', weight: 100, priority: 0, capabilities: [], metadata: {} }

/** What it came to: promises of the store settle while the clock stands still. */
export async function settled<T>(clock: FakeClock, act: Promise<T>): Promise<T> {
  let outcome: PromiseSettledResult<T> | undefined
  void Promise.allSettled([act]).then(([result]) => {
    outcome = result
  })
  for (let i = 0; i < 50 && !outcome; i++) await clock.advance(0)
  if (!outcome) throw new Error('not settled')
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}
