import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { badPlugins, sendSteadily } from '../support/bad-plugins.ts'
import { slowness } from '../support/slowness.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

interface Started {
  readonly node: SpawnedNode
  readonly to: object
}

type Test = Parameters<typeof spawnNode>[0]

const LIMIT_MS = 30_000
/** Requests to other routes while one plugin misbehaves. */
const MEANWHILE = 1000

async function start(t: Test, gatewright: Record<string, unknown> = {}): Promise<Started> {
  const upstream = await fakeUpstream(t as Parameters<typeof fakeUpstream>[0])
  const node = await spawnNode(t, {
    workers: 2,
    plugins: badPlugins(),
    gatewright: { plugin_phase_timeout_ms: 300, ...gatewright },
  })
  const to = { nodes: { [upstream.address]: 1 } }
  await node.route('sound', { uri: '/sound', upstream: to })
  return { node, to }
}

/** Gives a route to the plugin, in front of the sound upstream. */
async function bad({ node, to }: Started, plugin: string, config: object): Promise<void> {
  await node.route('bad', { uri: '/bad', plugins: { [plugin]: config }, upstream: to })
}

/** The status, or 0 where the connection was cut. */
async function ask(node: SpawnedNode): Promise<number> {
  try {
    const response = await fetch(`${node.proxyUrl}/bad`, { signal: AbortSignal.timeout(10_000) })
    await response.text()
    return response.status
  } catch {
    // What a client sees of a response that is cut, or a process that ends.
    return 0
  }
}

/** Asks the bad route all the while others are asked for something sound, of which every request must succeed. */
async function meanwhile(node: SpawnedNode, misbehave: () => Promise<unknown>): Promise<number> {
  const traffic = sendSteadily(`${node.proxyUrl}/sound`)
  await misbehave()
  await eventually('there was traffic', () => traffic.sent >= MEANWHILE, LIMIT_MS)
  const { sent, failures } = await traffic.stop()
  assert.deepEqual(failures, [])
  return sent
}

async function failures(node: SpawnedNode, plugin: string, phase: string): Promise<number> {
  const pattern = new RegExp(
    `^gatewright_plugin_failures_total\\{plugin="${plugin}",phase="${phase}"\\} (\\d+)$`,
    'm',
  )
  return Number(pattern.exec(await node.metrics())?.[1] ?? 0)
}

const PHASES: readonly (readonly [phase: string, how: string, status: number])[] = [
  ['rewrite', 'throw', 500],
  ['rewrite', 'reject', 500],
  ['access', 'throw', 500],
  ['access', 'reject', 500],
  ['headerFilter', 'throw', 200],
  ['log', 'throw', 200],
]

it('a plugin that fails', async (t) => {
  const started = await start(t)
  const { node } = started
  const before = (await node.serving()).map(({ pid }) => pid)

  for (const [phase, how, status] of PHASES) {
    await t.test(`by a ${how} in ${phase} gives ${status}, and no other route a failure`, async (t) => {
      await bad(started, 'throws', { phase, how })
      const sent = await meanwhile(node, async () => {
        for (let i = 0; i < 20; i++) assert.equal(await ask(node), status)
      })
      t.diagnostic(`${sent} other requests, 0 failed`)
    })
  }

  for (const where of ['write', 'end', 'stream', 'stream-error']) {
    await t.test(`in the middle of a response (${where}) harms no other route`, async (t) => {
      await bad(started, 'throws-in-filter', { where })
      const sent = await meanwhile(node, async () => {
        for (let i = 0; i < 20; i++) assert.ok([0, 500].includes(await ask(node)))
      })
      t.diagnostic(`${sent} other requests, 0 failed`)
    })
  }

  for (const where of [
    'timer',
    'immediate',
    'rejection',
    'stream-error',
    'missing-file',
    'refused-connection',
  ]) {
    const isNamed = !['missing-file', 'refused-connection'].includes(where)
    await t.test(`past every guard (${where}) is logged and counted, and nothing else`, async (t) => {
      await bad(started, 'throws-later', { where })
      const name = isNamed ? 'throws-later' : 'unknown'
      const counted = await failures(node, name, 'background')
      const sent = await meanwhile(node, async () => {
        for (let i = 0; i < 20; i++) assert.equal(await ask(node), 200)
      })
      await eventually(
        'all are counted',
        async () => (await failures(node, name, 'background')) === counted + 20,
        LIMIT_MS,
      )
      t.diagnostic(`${sent} other requests, 0 failed`)
    })
  }

  for (const phase of ['rewrite', 'access']) {
    await t.test(`by never settling in ${phase} is given up, and no other route waits`, async (t) => {
      await bad(started, 'never-settles', { phase })
      const sent = await meanwhile(node, async () => {
        const statuses = await Promise.all(Array.from({ length: 20 }, () => ask(node)))
        assert.deepEqual(new Set(statuses), new Set([500]))
      })
      t.diagnostic(`${sent} other requests, 0 failed`)
    })
  }

  // Through all of that.
  assert.deepEqual(
    (await node.serving()).map(({ pid }) => pid),
    before,
  )
})

it('a worker whose plugin leaks is replaced before it is too large, without a failed request', async (t) => {
  const started = await start(t, { worker_max_rss_bytes: 400 * 1024 * 1024 })
  const { node } = started
  await bad(started, 'leaks', {})
  const before = (await node.serving()).map(({ pid }) => pid)
  const renewed = async () =>
    Number(/^gatewright_worker_renewals_total (\d+)$/m.exec(await node.metrics())?.[1])
  const sent = await meanwhile(node, async () => {
    await eventually(
      'a worker was replaced',
      async () => {
        for (let i = 0; i < 20; i++) assert.equal(await ask(node), 200)
        return (await renewed()) > 0
      },
      LIMIT_MS,
    )
  })
  t.diagnostic(`${sent} other requests, 0 failed`)
  const after = (await node.serving()).map(({ pid }) => pid)
  assert.ok(after.some((pid) => !before.includes(pid)))
  assert.ok((await node.workers()).every(({ restarts }) => restarts === 0))
})

it('a worker whose plugin never gives the loop back is replaced within two seconds, and others serve meanwhile', async (t) => {
  const started = await start(t)
  const { node } = started
  await bad(started, 'loops', {})
  await eventually(
    'there is a standby',
    async () => (await node.workers()).some(({ state }) => state === 'standby'),
    LIMIT_MS,
  )
  const before = (await node.serving()).map(({ pid }) => pid)
  // Each request on a connection of its own: what the hung worker had not accepted goes to the other one.
  const traffic = sendSteadily(`${node.proxyUrl}/sound`, { isKeptAlive: false })
  await eventually('there is traffic', () => traffic.sent > 100, LIMIT_MS)
  const beganMs = performance.now()
  const hung = ask(node)
  let tookMs = 0
  await eventually(
    'another one serves',
    async () => {
      const serving = (await node.workers()).filter(({ state }) => state === 'serving')
      tookMs = performance.now() - beganMs
      return serving.length === 2 && serving.some(({ pid }) => !before.includes(pid))
    },
    LIMIT_MS,
  )
  const during = traffic.sent
  assert.equal(await hung, 0)
  await eventually('there was traffic', () => traffic.sent >= during + MEANWHILE, LIMIT_MS)
  const { sent, failures } = await traffic.stop()
  t.diagnostic(
    `replaced after ${Math.round(tookMs)} ms; ${sent} other requests, ${failures.length} lost with the worker`,
  )
  assert.ok(tookMs < 2000 * slowness(), `${tookMs} ms`)
  // One for each lane at most: requests that the worker had accepted, and was kept from reading.
  assert.ok(failures.length <= 4, `${failures}`)
})
