import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fakeSecretServer } from '../support/fake-secret-server.ts'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

const ANY = { ip: '127.0.0.1', port: 0 }
const WORKERS = 3
const RESTLESS = { status: ANY, control: ANY, node_listen: [ANY], ssl: { enable: false } }

async function statuses({ proxyUrl }: SpawnedNode, key: string): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < 2 * WORKERS; i++) {
    const response = await fetch(proxyUrl, { headers: { connection: 'close', apikey: key } })
    await response.arrayBuffer()
    found.push(response.status)
  }
  return [...new Set(found)]
}

it('a secret manager is asked once per node, and all workers have what it says', async (t) => {
  let value = 'first-value'
  const vault = await fakeSecretServer(t, () => ({ json: { data: { key: value } } }))
  const node = await spawnNode(t, {
    workers: WORKERS,
    settings: { apisix: { ...RESTLESS, lru: { secret: { ttl: 3, neg_ttl: 1 } } } },
  })
  const put = async (path: string, document: object) => {
    const { status, body } = await node.admin('PUT', `${path}?wait=applied`, document)
    assert.ok(status < 300, JSON.stringify(body))
  }
  await put('routes/1', {
    uri: '/*',
    plugins: { 'key-auth': {}, mocking: { response_status: 200, response_example: 'fine' } },
  })
  const secrets = (id: string) => ({ uri: vault.url, prefix: 'kv', token: `token-${id}` })
  // Manager and use at once: no worker may be ahead of what the primary knows.
  await Promise.all([
    put('secrets/vault/1', secrets('1')),
    put('consumers', { username: 'jack', plugins: { 'key-auth': { key: '$secret://vault/1/jack/key' } } }),
  ])
  const beganMs = performance.now()
  await eventually('all workers know it', async () => (await statuses(node, 'first-value')).join() === '200')
  const { length } = vault.calls
  // Once at the start, and once more for each refresh that has been due.
  const most = 2 + Math.ceil((performance.now() - beganMs) / 2400)
  assert.ok(length >= 1 && length <= most, `${length} calls`)

  value = 'second-value'
  await eventually(
    'the new value reaches all workers',
    async () => (await statuses(node, 'second-value')).join() === '200',
    20_000,
  )
  assert.deepEqual(await statuses(node, 'first-value'), [401])

  // A worker that comes later has it without a call.
  const [victim] = await node.serving()
  process.kill(victim!.pid!, 'SIGKILL')
  await node.servingWithout([victim!])
  assert.deepEqual(await statuses(node, 'second-value'), [200])

  const shown = (await (await fetch(`${node.controlUrl}/v1/secrets`)).json()) as { state: string }[]
  assert.deepEqual(
    shown.map(({ state }) => state),
    ['ok'],
  )
  assert.doesNotMatch(node.output(), /first-value|second-value|token-1/)
})
