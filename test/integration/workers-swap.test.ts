import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

const CONNECTIONS = 8

/** Sends requests one after the other on each of some keep-alive connections, until it is stopped; every failure is kept. */
function load(t: TestContext, node: SpawnedNode): { stop(): Promise<{ sent: number; failures: string[] }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const failures: string[] = []
  let sent = 0
  let isOver = false
  // A test that failed elsewhere must not leave it running.
  t.after(() => {
    isOver = true
    agent.destroy()
  })
  const one = () =>
    new Promise<void>((resolve) => {
      const outgoing = request(`${node.proxyUrl}/x`, { agent }, (response) => {
        if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`)
        response.resume().on('end', resolve)
        response.on('error', (error) => failures.push(error.message))
      })
      outgoing.on('error', (error) => {
        failures.push(error.message)
        resolve()
      })
      outgoing.end()
      sent++
    })
  const run = async () => {
    while (!isOver && failures.length < 100) await one()
  }
  const all = Promise.all(Array.from({ length: CONNECTIONS }, run))
  return {
    stop: async () => {
      isOver = true
      await all
      agent.destroy()
      return { sent, failures }
    },
  }
}

const BROKEN = `
export default { name: 'broken', priority: 1, schema: { type: 'object' }, compile: () => ({}) }
import { existsSync } from 'node:fs'
if (existsSync('break-workers')) {
  setTimeout(() => { throw new Error('the plugin misses its parts') })
  await new Promise(() => {})
}
`

async function swap(node: SpawnedNode, generation: number): Promise<void> {
  node.signal('SIGUSR2')
  await eventually(
    'all workers are new',
    async () => {
      const serving = (await node.workers()).filter(({ state }) => state === 'serving')
      return serving.length === 2 && serving.every((worker) => worker.generation === generation)
    },
    60_000,
  )
}

it('workers are swapped under load without a failed request, and what is under way ends', async (t) => {
  const held: (() => void)[] = []
  const upstream = await fakeUpstream(t, ({ url }, response) => {
    if (url === '/held') held.push(() => response.end('done'))
    else response.end('ok')
  })
  // What is held lives as long as two swaps take, on a slow machine too.
  const node = await spawnNode(t, { workers: 2, gatewright: { shutdown: { max_drain_ms: 120_000 } } })
  await node.route('1', { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } })
  const long = fetch(`${node.proxyUrl}/held`)
  await eventually('it is under way', () => held.length === 1)
  const traffic = load(t, node)
  await swap(node, 2)
  await swap(node, 3)
  assert.equal((await node.readiness()).status, 200)
  const { sent, failures } = await traffic.stop()
  t.diagnostic(`${sent} requests during two swaps`)
  assert.deepEqual(failures, [])
  held[0]!()
  assert.equal(await (await long).text(), 'done')
  await eventually(
    'those that were replaced are gone',
    async () => (await node.workers()).length === 3,
    20_000,
  )
})

it('a swap to workers that end as they load is given up with the reason, and those that serve stay', async (t) => {
  const node = await spawnNode(t, { workers: 2, plugins: { broken: BROKEN } })
  const before = (await node.serving()).map(({ pid }) => pid)
  writeFileSync(`${node.directory}/break-workers`, '')
  node.signal('SIGUSR2')
  await eventually('it says so', () => node.output().includes('the workers were not replaced'), 30_000)
  assert.match(node.output(), /the plugin misses its parts/)
  assert.deepEqual(
    (await node.serving()).map(({ pid }) => pid),
    before,
  )
  assert.equal((await node.readiness()).status, 200)
  rmSync(`${node.directory}/break-workers`)
})
