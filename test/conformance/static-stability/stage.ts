import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { StoreState, SyncState } from '../../../src/control/sync-state.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../../src/testing/start-gateway.ts'

type Owner = Pick<TestContext, 'after'>

/** A folder that outlives the gateways that keep their last good configuration in it. */
export function dataFolder(t: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-stable-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface StableOptions {
  readonly endpoints: readonly string[]
  readonly dataDir: string
  readonly settings?: Readonly<Record<string, unknown>>
}

/** A gateway on a real etcd; it writes what serves at once and jumps at what it can. */
export function startOnEtcd(t: Owner, { endpoints, dataDir, settings }: StableOptions): Promise<TestGateway> {
  return startGateway(
    t,
    {},
    {
      settings: {
        'gatewright.store': 'etcd',
        'deployment.etcd.host': endpoints,
        'gatewright.data_dir': dataDir,
        'gatewright.last_good.min_interval_ms': 0,
        ...settings,
      },
    },
  )
}

/** The hand that writes into etcd past every gateway. */
export function writer(t: Owner, endpoints: readonly string[]): EtcdStore {
  const store = new EtcdStore({ hosts: endpoints, logger: createLogger('silent'), timeoutMs: 3000 })
  t.after(() => store.close())
  return store
}

/** A node that all routes lead to. */
export async function startNode(t: Owner): Promise<string> {
  return (await fakeUpstream(t)).address
}

/** A route at `/ID` that says which version of it answers. */
export function routeText(id: string | number, version: string | number, node: string): string {
  return JSON.stringify({
    uri: `/${id}`,
    upstream: { nodes: { [node]: 1 } },
    plugins: { 'response-rewrite': { headers: { set: { 'x-version': String(version) } } } },
  })
}

/** The version of a route that answers now; `undefined` when there is none. Throws on any other answer. */
export async function versionOf(gateway: TestGateway, id: string | number): Promise<string | undefined> {
  const answer = await fetch(`${gateway.proxyUrl}/${id}`, { signal: AbortSignal.timeout(2000) })
  await answer.arrayBuffer()
  if (answer.status === 404) return undefined
  assert.equal(answer.status, 200)
  return answer.headers.get('x-version') ?? ''
}

/** What `/v1/sync` shows. */
export async function syncOf(gateway: TestGateway): Promise<SyncState & { readonly store: StoreState }> {
  const { ip, port } = gateway.addresses.control!
  const state = (await (await fetch(`http://${ip}:${port}/v1/sync`)).json()) as SyncState
  assert.ok(state.store)
  return { ...state, store: state.store }
}

/** A metric's value without labels, or with those that are written. */
export async function metricOf(gateway: TestGateway, name: string): Promise<number> {
  const { ip, port } = gateway.addresses.metrics!
  const text = await (await fetch(`http://${ip}:${port}/apisix/prometheus/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}

/** Requests one after the other on four connections, until it is told to stop; then none may have been anything but a 200. */
export function load(t: Owner, gateway: TestGateway, ids: readonly (string | number)[]) {
  const seen = { requests: 0, failures: [] as string[] }
  let isOver = false
  const ask = async (id: string | number) => {
    try {
      const answer = await fetch(`${gateway.proxyUrl}/${id}`, { signal: AbortSignal.timeout(2000) })
      await answer.arrayBuffer()
      if (answer.status !== 200) seen.failures.push(`/${id}: ${answer.status}`)
    } catch (error) {
      seen.failures.push(`/${id}: ${(error as Error).message}`)
    }
    seen.requests++
  }
  const run = async (start: number) => {
    for (let i = start; !isOver; i++) {
      await ask(ids[i % ids.length]!)
      // Leaves the cores, which are the same, to etcd and the gateway.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const running = Promise.all([0, 1, 2, 3].map(run))
  t.after(() => {
    isOver = true
    return running
  })
  return async (atLeast: number) => {
    isOver = true
    await running
    assert.deepEqual(seen.failures, [])
    assert.ok(seen.requests >= atLeast, `${seen.requests} requests`)
    return seen.requests
  }
}
