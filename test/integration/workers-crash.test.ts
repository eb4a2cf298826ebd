import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { slowness } from '../support/slowness.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

/** A plugin that does what a path says to the process it runs in. */
const TROUBLE = `
import { writeFileSync } from 'node:fs'
export default {
  name: 'trouble', priority: 1, schema: { type: 'object' },
  compile(_config, host) {
    const counter = host.metrics.counter({ name: 'trouble_total', help: 'Asked', labels: [] }).labels()
    return { access: ({ path }) => {
      counter.inc()
      if (path === '/hang') {
        writeFileSync('hangs', '')
        for (;;) {}
      }
      return { status: 200, body: 'fine' }
    } }
  },
}`

async function start(t: Parameters<typeof spawnNode>[0]): Promise<SpawnedNode> {
  const node = await spawnNode(t, { workers: 2, plugins: { trouble: TROUBLE } })
  await node.route('1', { uri: '/*', plugins: { trouble: {} } })
  await standby(node)
  return node
}

/** There is one as soon as the process before it was used. */
function standby(node: SpawnedNode): Promise<void> {
  return eventually(
    'there is a standby',
    async () => (await node.workers()).some(({ place, state }) => place === 0 && state === 'standby'),
    30_000,
  )
}

/** The status, or 0 where the connection was cut or refused. */
async function ask(url: string): Promise<number> {
  try {
    const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(8000) })
    await response.text()
    return response.status
  } catch {
    // What a client sees of a process that ends.
    return 0
  }
}

it('a node whose workers end', async (t) => {
  const node = await start(t)

  await t.test('has a killed worker back within half a second', async () => {
    const [victim] = await node.serving()
    const beganMs = performance.now()
    process.kill(victim!.pid!, 'SIGKILL')
    await node.servingWithout([victim!])
    const tookMs = performance.now() - beganMs
    t.diagnostic(`back after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs < 500 * slowness(), `${tookMs} ms`)
    await standby(node)
  })

  await t.test('answers what nobody had begun to answer when a worker died', async () => {
    const [victim] = await node.serving()
    const answers = Array.from({ length: 40 }, () => ask(`${node.proxyUrl}/`))
    process.kill(victim!.pid!, 'SIGKILL')
    answers.push(...Array.from({ length: 40 }, () => ask(`${node.proxyUrl}/`)))
    // A request that the dead one had read is lost; nobody waits for ever.
    const statuses = await Promise.all(answers)
    assert.ok(statuses.filter((status) => status === 200).length >= 50, `${statuses}`)
    await node.servingWithout([victim!])
    await standby(node)
  })

  await t.test('never counts backwards', async () => {
    const count = async () => Number(/^trouble_total (\d+)$/m.exec(await node.metrics())?.[1])
    const before = await count()
    assert.ok(before > 0)
    const victims = await node.serving()
    for (const { pid } of victims) process.kill(pid!, 'SIGKILL')
    assert.equal(await count(), before)
    await node.servingWithout(victims)
    assert.equal(await count(), before)
    // What is not answered is not counted.
    await eventually('they are back', async () => (await ask(`${node.proxyUrl}/`)) === 200)
    assert.equal(await count(), before + 1)
    await standby(node)
  })

  await t.test('serves admin, status, control and metrics without any worker', async () => {
    // The standby too, so that there is nobody for as long as a process takes to start.
    const victims = await node.workers()
    for (const { pid } of victims) process.kill(pid!, 'SIGKILL')
    await node.servingWithout(victims, 0)
    const { status, text } = await node.readiness()
    assert.equal(status, 503)
    assert.match(text, /proxy/)
    const statuses = await Promise.all([
      ask(`${node.statusUrl}/status`),
      ask(`${node.controlUrl}/v1/schema`),
      ask(node.metricsUrl),
      node.admin('GET', 'routes/1').then(({ status }) => status),
    ])
    assert.deepEqual(statuses, [200, 200, 200, 200])
    await node.servingWithout(victims)
    assert.equal((await node.readiness()).status, 200)
  })
})

it('a worker that hangs is killed and replaced within two seconds, and the others serve on', async (t) => {
  const node = await start(t)
  const before = await node.serving()
  const hung = ask(`${node.proxyUrl}/hang`)
  await eventually('it hangs', () => existsSync(`${node.directory}/hangs`))
  const beganMs = performance.now()
  // One of them is handed to the one that hangs, and to another when that is gone.
  const statuses = await Promise.all(Array.from({ length: 10 }, () => ask(`${node.proxyUrl}/`)))
  assert.deepEqual(new Set(statuses), new Set([200]))
  assert.equal(await hung, 0)
  await eventually('another one serves', async () => {
    const serving = await node.serving()
    return serving.filter(({ pid }) => before.every((one) => one.pid !== pid)).length === 1
  })
  const tookMs = performance.now() - beganMs
  t.diagnostic(`replaced after ${Math.round(tookMs)} ms`)
  assert.ok(tookMs < 2000 * slowness(), `${tookMs} ms`)
})

it('a worker that hangs when its primary process is killed is ended by another one, once no worker may take longer', async (t) => {
  const gatewright = { shutdown: { max_drain_ms: 1500 } }
  const node = await spawnNode(t, { workers: 2, plugins: { trouble: TROUBLE }, gatewright })
  await node.route('1', { uri: '/*', plugins: { trouble: {} } })
  await standby(node)
  const pids = (await node.workers()).map(({ pid }) => pid!)
  const hung = ask(`${node.proxyUrl}/hang`)
  await eventually('it hangs', () => existsSync(`${node.directory}/hangs`))
  node.signal('SIGKILL')
  await node.exited
  const beganMs = performance.now()
  assert.equal(await hung, 0)
  await eventually('all workers are gone', () => pids.every((pid) => !isAlive(pid)), 40_000)
  t.diagnostic(`all gone after ${Math.round(performance.now() - beganMs)} ms`)
})

it('workers that keep crashing are started later each time, which readiness names', async (t) => {
  const node = await start(t)
  await eventually(
    'it is a loop',
    async () => {
      const workers = await node.workers()
      // Even before they serve: six have to end in one place within 30 s, and a busy machine is slow to start another.
      for (const { pid, place } of workers) if (pid && place) kill(pid)
      return workers.some(({ crash_loop }) => crash_loop)
    },
    60_000,
  )
  const { status, text } = await node.readiness()
  assert.equal(status, 503)
  assert.match(text, /worker_crash_loop/)
  const restarts = (await node.workers()).map((worker) => worker.restarts)
  assert.ok(Math.max(...restarts) >= 6, `${restarts}`)
})

it('a node is checked once, whatever its workers, and all of them leave out what is unhealthy', async (t) => {
  let probes = 0
  let isWell = true
  const upstream = await fakeUpstream(t, ({ url }, response) => {
    if (url === '/probe') probes++
    response.statusCode = isWell ? 200 : 500
    response.end()
  })
  const good = await fakeUpstream(t)
  const node = await spawnNode(t, { workers: 2 })
  const checks = {
    active: {
      http_path: '/probe',
      healthy: { interval: 1, successes: 1 },
      unhealthy: { interval: 1, http_failures: 1 },
    },
    passive: { type: 'http', unhealthy: { http_statuses: [500], http_failures: 3 } },
  }
  await node.route('1', {
    uri: '/*',
    upstream: { nodes: { [upstream.address]: 1, [good.address]: 1 }, checks },
  })
  await eventually('there are probes', () => probes >= 3)
  const [beganAt, beganMs] = [probes, performance.now()]
  await eventually('there are more probes', () => probes >= beganAt + 3)
  // One a second, from one process; three processes would have made them in one.
  assert.ok(performance.now() - beganMs > 1800)
  isWell = false
  const answers = async () => {
    const statuses = await Promise.all(Array.from({ length: 8 }, () => ask(`${node.proxyUrl}/x`)))
    return statuses.every((status) => status === 200)
  }
  await eventually('all workers leave it out', answers)
  for (let i = 0; i < 5; i++) assert.ok(await answers())
  isWell = true
  const before = upstream.requests.filter(({ url }) => url === '/x').length
  await eventually('it is used again', async () => {
    await answers()
    return upstream.requests.filter(({ url }) => url === '/x').length > before
  })
})

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended since it was listed.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // No such process.
    return false
  }
}
