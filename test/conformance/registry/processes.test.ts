import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { type RunningEtcd, startEtcd } from '../../support/etcd.ts'
import { REGISTRY_KEY, type RegistryGateway, startRegistryGateway } from '../../support/registry.ts'
import { slowness } from '../../support/slowness.ts'
import { eventually } from '../../support/watch-recording.ts'

const WORKER = join(import.meta.dirname, '../../support/registered-worker.ts')
const TTL_S = 3
/** How much longer than on a machine that does nothing else it may take. */
const GRACE_MS = slowness() === 1 ? 0 : 20_000

const releases: (() => Promise<void>)[] = []
let etcd: RunningEtcd
let prefixes = 0

before(async () => {
  etcd = await startEtcd({ after: (release) => releases.push(release) })
})
after(async () => {
  for (const release of releases) await release()
})

/** Requests that fail are seen: the passive checks alone take a node out, after two. */
const UPSTREAM = {
  service_name: 'chat',
  discovery_type: 'registry',
  retries: 0,
  checks: {
    active: { healthy: { interval: 60 }, unhealthy: { interval: 60 } },
    passive: { unhealthy: { tcp_failures: 2 } },
  },
}

async function startGateways(t: TestContext): Promise<readonly [RegistryGateway, RegistryGateway, string]> {
  const prefix = `/registry-processes-${process.pid}-${++prefixes}`
  const settings = {
    'gatewright.store': 'etcd',
    'gatewright.last_good.enabled': false,
    'deployment.etcd.host': [etcd.endpoint],
    'deployment.etcd.prefix': prefix,
  }
  const one = await startRegistryGateway(
    t,
    { settings },
    { routes: { 1: { uri: '/*', upstream: UPSTREAM } } },
  )
  const two = await startRegistryGateway(t, { settings })
  await eventually('the route', async () => (await fetch(two.proxyUrl)).status !== 404, 20_000)
  return [one, two, prefix]
}

/** Starts a worker; resolves when it has registered. */
async function startWorker(
  t: TestContext,
  id: string,
  gateways: readonly RegistryGateway[],
): Promise<ChildProcess> {
  const urls = gateways.map(({ adminUrl }) => adminUrl)
  const child = spawn(process.execPath, ['--import', 'tsx', WORKER, id, String(TTL_S), REGISTRY_KEY, ...urls])
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-4000)
    })
  }
  await eventually(
    `${id} registers`,
    () => {
      assert.equal(child.exitCode, null, output)
      return output.includes('registered')
    },
    40_000,
  )
  return child
}

/** One request after the other until it is stopped: who answered, or the status, and when. */
function load({ proxyUrl }: RegistryGateway) {
  const answers: { readonly who: string; readonly atMs: number }[] = []
  let isStopped = false
  const ask = async () => {
    const response = await fetch(proxyUrl)
    const text = await response.text()
    return response.ok ? text : String(response.status)
  }
  const done = (async () => {
    while (!isStopped) {
      answers.push({ who: await ask(), atMs: performance.now() })
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  const stop = async () => {
    isStopped = true
    await done
  }
  return { answers, stop }
}

async function keysOf(prefix: string, nodeId: string): Promise<string[]> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const { kvs = [] } = (await etcd.post('/v3/kv/range', {
    key: base64(`${prefix}/registry/`),
    range_end: base64(`${prefix}/registry0`),
    keys_only: true,
  })) as { kvs?: { key: string }[] }
  return kvs
    .map(({ key }) => Buffer.from(key, 'base64').toString())
    .filter((key) => key.endsWith(`/${nodeId}`))
}

describe('a worker process', { concurrency: 2 }, () => {
  it('that is killed is gone from etcd and from two gateways with its lease, and fails no request after the threshold', async (t) => {
    const [one, two, prefix] = await startGateways(t)
    const [killed] = await Promise.all([startWorker(t, 'w1', [one, two]), startWorker(t, 'w2', [two, one])])
    const loads = [load(one), load(two)]
    for (const { answers } of loads) {
      const isServed = (id: string) => answers.some(({ who }) => who === id)
      await eventually('both answer', () => isServed('w1') && isServed('w2'), 20_000)
    }
    assert.equal((await keysOf(prefix, 'w1')).length, 2)
    killed!.kill('SIGKILL')
    const killedAt = performance.now()
    await eventually('the keys to go', async () => (await keysOf(prefix, 'w1')).length === 0, 40_000)
    const keysMs = performance.now() - killedAt
    for (const gateway of [one, two]) {
      const isGone = async () => (await gateway.registry('GET', 'nodes/w1')).status === 404
      await eventually('the node to go', isGone, 20_000)
    }
    const goneMs = performance.now() - killedAt
    for (const { answers, stop } of loads) {
      const before = answers.length
      await eventually('more answers', () => answers.length > before + 20, 20_000)
      await stop()
      const failed = answers.filter(({ who }) => who === '502')
      // One may have been under way, two are the threshold.
      assert.ok(failed.length <= 3, `${failed.length} failed: ${failed.map(({ who }) => who)}`)
    }
    t.diagnostic(`keys gone after ${Math.round(keysMs)} ms, gateways after ${Math.round(goneMs)} ms`)
    assert.ok(keysMs <= (TTL_S + 1) * 1000 + GRACE_MS, `${keysMs} ms`)
    assert.ok(goneMs <= (TTL_S + 2) * 1000 + GRACE_MS, `${goneMs} ms`)
  })

  it('that stood still for longer than its lease comes back by itself', async (t) => {
    const [one, two] = await startGateways(t)
    const worker = await startWorker(t, 'w1', [one, two])
    const statusAt = async (gateway: RegistryGateway) =>
      (await gateway.registry('GET', 'agents/chat/w1')).status
    await eventually('the agent', async () => (await statusAt(two)) === 200, 20_000)
    worker.kill('SIGSTOP')
    await eventually(
      'its end',
      async () => (await statusAt(one)) === 404 && (await statusAt(two)) === 404,
      40_000,
    )
    // A process that stands still takes connections and answers none of them.
    const isPassedOver = async () => {
      const response = await fetch(two.proxyUrl, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
      await response?.arrayBuffer()
      return response?.status === 503
    }
    await eventually('no answers', isPassedOver, 20_000)
    worker.kill('SIGCONT')
    await eventually('it to be back', async () => (await statusAt(one)) === 200, 40_000)
    await eventually('its answers', async () => (await (await fetch(two.proxyUrl)).text()) === 'w1', 20_000)
  })
})
