import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

/** Says which process answers, and counts for the whole node. */
const WHO = `
export default {
  name: 'who', priority: 1, schema: { type: 'object' },
  nodeOperations: { count: () => { let count = 0; return (by) => (count += by) } },
  compile(_config, host) {
    const count = host.nodeOperation('count')
    const counter = host.metrics.counter({ name: 'who_total', help: 'Asked', labels: [] }).labels()
    return { access: async (context) => {
      counter.inc()
      return { status: 200, body: { pid: process.pid, count: await count(1) } }
    } }
  },
}`

/** Says what its process has sent to the primary so far. */
const SENT = `
let sent = 0
const send = process.send
process.send = (...message) => {
  sent++
  return send.apply(process, message)
}
export default {
  name: 'sent', priority: 1, schema: { type: 'object' },
  compile: () => ({ access: () => ({ status: 200, body: String(sent) }) }),
}`

/** Says by whom a request was answered, from a cache too. */
const BY = `
export default {
  name: 'by', priority: 1, schema: { type: 'object' },
  compile: () => ({ headerFilter: ({ response }) => response.headers.set('x-by', String(process.pid)) }),
}`

async function start(t: TestContext): Promise<SpawnedNode> {
  return spawnNode(t, { workers: 2, plugins: { who: WHO, sent: SENT, by: BY } })
}

/** Each on a connection of its own. */
async function ask(url: string): Promise<{ pid: number; count: number }> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  return (await response.json()) as { pid: number; count: number }
}

it('a node with two workers', async (t) => {
  const node = await start(t)
  await node.route('who', { uri: '/who', plugins: { who: {} } })

  await t.test('spreads connections evenly', async () => {
    const counts = new Map<number, number>()
    for (let i = 0; i < 20; i++) {
      const { pid } = await ask(`${node.proxyUrl}/who`)
      counts.set(pid, (counts.get(pid) ?? 0) + 1)
    }
    assert.deepEqual([...counts.values()], [10, 10])
  })

  await t.test('runs operations of plugins once for the whole node, many at once too', async () => {
    const before = (await ask(`${node.proxyUrl}/who`)).count
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(`${node.proxyUrl}/who`)))
    const counts = answers.map(({ count }) => count).sort((a, b) => a - b)
    assert.deepEqual(
      counts,
      Array.from({ length: 50 }, (_, index) => before + 1 + index),
    )
  })

  await t.test('adds up what its workers count', async () => {
    const { count } = await ask(`${node.proxyUrl}/who`)
    assert.match(await node.metrics(), new RegExp(`^who_total ${count}$`, 'm'))
    assert.match(await node.metrics(), /^gatewright_workers_serving 2$/m)
    const memory = (await node.metrics()).match(/^gatewright_memory_bytes\{.*owner="objects"\}/gm) ?? []
    assert.deepEqual(memory.map((line) => /worker="(.*?)"/.exec(line)![1]).sort(), ['', '1', '2'])
    assert.equal((await node.metrics()).match(/^apisix_node_info\{.*\} 1$/gm)?.length, 1)
  })

  for (const [strategy, zone] of [
    ['memory', 'memory_cache'],
    ['disk', 'disk_cache_one'],
  ]) {
    await t.test(`a PURGE forgets the answer in the ${strategy} of all workers`, async (t) => {
      let count = 0
      const upstream = await fakeUpstream(t, (_request, response) => response.end(String(++count)))
      await node.route('cached', {
        uri: `/${strategy}`,
        plugins: { by: {}, 'proxy-cache': { cache_strategy: strategy, cache_zone: zone } },
        upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
      })
      const say = async (method = 'GET') => {
        const headers = { connection: 'close' }
        const response = await fetch(`${node.proxyUrl}/${strategy}`, { method, headers })
        const text = await response.text()
        const word = response.headers.get('apisix-cache-status')
        return { status: response.status, text, word, by: response.headers.get('x-by')! }
      }
      const holders = new Set<string>()
      await eventually('both hold the answer', async () => {
        const { word, by } = await say()
        if (word === 'HIT') holders.add(by)
        return holders.size === 2
      })
      const old = count
      assert.equal((await say('PURGE')).status, 200)
      assert.equal((await say('PURGE')).status, 404)
      const askers = new Set<string>()
      await eventually('both were asked again', async () => {
        const { text, by } = await say()
        assert.ok(Number(text) > old, `answered from before the PURGE by ${by}`)
        askers.add(by)
        return askers.size === 2
      })
    })
  }

  await t.test('shows a change to all workers before the write is answered', async () => {
    for (let i = 0; i < 10; i++) {
      await node.route('change', { uri: `/v${i}`, plugins: { who: {} } })
      const statuses = await Promise.all(
        [0, 1, 2, 3].map(
          async () => (await fetch(`${node.proxyUrl}/v${i}`, { headers: { connection: 'close' } })).status,
        ),
      )
      assert.deepEqual(statuses, [200, 200, 200, 200])
    }
  })

  await t.test('limits exactly, whichever worker a request meets', async () => {
    const limits = { 'limit-count': { count: 10, time_window: 600, rejected_code: 429 } }
    await node.route('limited', { uri: '/limited', plugins: { ...limits, who: {} } })
    const statuses = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const init = { headers: { connection: 'close' } }
        return (await fetch(`${node.proxyUrl}/limited`, init)).status
      }),
    )
    assert.equal(statuses.filter((status) => status === 200).length, 10)
    assert.equal(statuses.filter((status) => status === 429).length, 20)
  })

  await t.test('tells the primary nothing of requests on connections that are kept', async (t) => {
    const upstream = await fakeUpstream(t)
    const checks = { passive: { unhealthy: { http_failures: 3 } }, active: { http_path: '/' } }
    await node.route('kept', { uri: '/kept', upstream: { nodes: { [upstream.address]: 1 }, checks } })
    await node.route('sent', { uri: '/sent', plugins: { sent: {} } })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const ask = async (path: string): Promise<string> => {
      const request = get(`${node.proxyUrl}${path}`, { agent })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return text(response)
    }
    await ask('/kept')
    const beganMs = performance.now()
    const before = Number(await ask('/sent'))
    for (let i = 0; i < 300; i++) await ask('/kept')
    const sent = Number(await ask('/sent')) - before
    // Signs of life, and little else.
    assert.ok(sent < 20 + (performance.now() - beganMs) / 100, `${sent} messages`)
  })

  await t.test('finds the timeline of a request in whichever worker has it', async () => {
    const control = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${node.controlUrl}/v1/${path}`, init)
      return (await response.json()) as Record<string, unknown>
    }
    await control('debug', { method: 'PUT', body: '{"timeline": 100}' })
    const ids = ['a', 'b', 'c', 'd']
    for (const id of ids) {
      await (
        await fetch(`${node.proxyUrl}/who`, { headers: { connection: 'close', 'x-request-id': id } })
      ).text()
    }
    for (const id of ids) {
      await eventually('it is found', async () => (await control(`timeline/${id}`))['request_id'] === id)
    }
    const { kept, requests } = await control('timeline')
    assert.equal(kept, 200)
    assert.deepEqual(
      (requests as { request_id: string }[]).map(({ request_id }) => request_id),
      ids.toReversed(),
    )
    await control('debug', { method: 'PUT', body: '{"timeline": 0}' })
  })

  await t.test('shows its workers', async () => {
    await eventually('there is a standby', async () => (await node.workers())[2]?.state === 'standby')
    const workers = await node.workers()
    assert.deepEqual(
      workers.map(({ place, state, restarts }) => [place, state, restarts]),
      [
        [1, 'serving', 0],
        [2, 'serving', 0],
        [0, 'standby', 0],
      ],
    )
    assert.equal(new Set(workers.map(({ revision }) => revision)).size, 1)
  })

  await t.test('enables and disables plugins in all workers', async () => {
    await node.route('plain', {
      uri: '/plain',
      plugins: { mocking: { response_status: 299, response_example: 'plain' } },
    })
    const path = `${node.directory}/config.yaml`
    const settings = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...settings, plugins: ['mocking'] }))
    assert.equal((await node.admin('PUT', 'plugins/reload')).status, 200)
    const statuses = await Promise.all(
      ['/who', '/who', '/who', '/plain', '/plain'].map(
        async (uri) => (await fetch(node.proxyUrl + uri, { headers: { connection: 'close' } })).status,
      ),
    )
    assert.deepEqual(statuses, [404, 404, 404, 299, 299])
    writeFileSync(path, JSON.stringify(settings))
    assert.equal((await node.admin('PUT', 'plugins/reload')).status, 200)
    assert.equal((await fetch(`${node.proxyUrl}/who`)).status, 200)
  })

  await t.test('stops in good order: what is under way ends, then all processes do', async (t) => {
    const held: (() => void)[] = []
    const upstream = await fakeUpstream(t, (_request, response) => void held.push(() => response.end('done')))
    await node.route('slow', { uri: '/slow', upstream: { nodes: { [upstream.address]: 1 } } })
    const pids = (await node.workers()).map(({ pid }) => pid!)
    const answers = [0, 1].map(() => fetch(`${node.proxyUrl}/slow`, { headers: { connection: 'close' } }))
    await eventually('both are under way', () => held.length === 2)
    node.signal('SIGTERM')
    await eventually('it says that it is not ready', async () => (await node.readiness()).status === 503)
    for (const answer of held) answer()
    for (const answer of answers) assert.equal(await (await answer).text(), 'done')
    assert.equal(await node.exited, 0)
    await eventually('all workers are gone', () => pids.every((pid) => !isAlive(pid)))
  })
})

it('workers whose primary process was killed end by themselves, after what is under way', async (t) => {
  const held: (() => void)[] = []
  const upstream = await fakeUpstream(t, (_request, response) => void held.push(() => response.end('done')))
  const node = await start(t)
  await node.route('slow', { uri: '/slow', upstream: { nodes: { [upstream.address]: 1 } } })
  const pids = (await node.workers()).map(({ pid }) => pid!)
  const answer = fetch(`${node.proxyUrl}/slow`)
  await eventually('it is under way', () => held.length === 1)
  node.signal('SIGKILL')
  await node.exited
  held[0]!()
  assert.equal(await (await answer).text(), 'done')
  await eventually('all workers are gone', () => pids.every((pid) => !isAlive(pid)))
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // No such process.
    return false
  }
}
