import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { SyncState } from '../../../src/control/sync-state.ts'
import { sendSteadily } from '../../support/bad-plugins.ts'
import { startEtcd } from '../../support/etcd.ts'
import { type SpawnedNode, spawnNode } from '../../support/spawn-node.ts'
import { eventually } from '../../support/watch-recording.ts'
import { writer } from './stage.ts'

/** A plugin that ends its process, when it is compiled or at a request. */
const DEADLY = `
export default {
  name: 'deadly', priority: 1,
  schema: { type: 'object', properties: { at: {}, how: {}, version: {} } },
  compile({ at, how, version }) {
    const end = () => {
      if (how === 'loop') for (;;) {}
      if (how === 'abort') process.abort()
      process.exit(7)
    }
    if (at === 'compile') end()
    if (at === 'refusal') throw new Error('no ' + version)
    return { access: () => {
      if (at === 'request') end()
      return { status: 200, body: String(version) }
    } }
  },
}`

const LIMIT_MS = 40_000

function start(
  t: Pick<TestContext, 'after'>,
  settings: Record<string, unknown> = {},
  gatewright = {},
): Promise<SpawnedNode> {
  // Of all others there is no need, and each process loads them.
  const only = { plugins: ['deadly', 'prometheus'], ...settings }
  return spawnNode(t, {
    ...{ workers: 2, plugins: { deadly: DEADLY }, settings: only, gatewright },
    // Three rounds of workers, and two that hang.
    startLimitMs: 150_000,
  })
}

function route(id: string, config: object): Readonly<Record<string, unknown>> {
  return { uri: `/${id}`, plugins: { deadly: config } }
}

/** What the route says, or nothing where the connection was cut. */
async function ask(node: SpawnedNode, id: string): Promise<string> {
  try {
    const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) }
    const answer = await fetch(`${node.proxyUrl}/${id}`, options)
    return answer.status === 200 ? await answer.text() : String(answer.status)
  } catch {
    // What a client sees of a process that ends.
    return ''
  }
}

async function quarantined(node: SpawnedNode): Promise<SyncState['quarantined']> {
  return ((await (await fetch(`${node.controlUrl}/v1/sync`)).json()) as SyncState).quarantined
}

async function isSetAside(node: SpawnedNode, id: string): Promise<boolean> {
  return (await quarantined(node)).some((one) => one.id === id)
}

/** Of all its workers, since its start. */
async function ends(node: SpawnedNode): Promise<number> {
  return (await node.workers()).reduce((sum, { restarts }) => sum + restarts, 0)
}

async function poison(node: SpawnedNode): Promise<number> {
  return Number(/^gatewright_config_poison_total (\d+)$/m.exec(await node.metrics())?.[1] ?? 0)
}

/** With a standby. */
async function settle(node: SpawnedNode): Promise<readonly (number | undefined)[]> {
  const isThere = async () => (await node.workers()).every(({ state }) => /serving|standby/.test(state))
  await eventually('all workers and a standby', isThere, LIMIT_MS)
  return (await node.serving()).map(({ pid }) => pid)
}

describe('C16: configuration that ends the worker that uses it', () => {
  // Each test has routes of its own, and compares with what it finds.
  let node: SpawnedNode
  const closing: (() => unknown)[] = []
  before(async () => {
    node = await start({ after: (close) => void closing.push(close as () => unknown) })
  })
  after(async () => {
    for (const close of closing) await close()
  })

  it('is set aside after two workers, none of those that serve, when it does so as it is compiled', async (t) => {
    const [endedBefore, poisonBefore] = [await ends(node), await poison(node)]
    await node.route('compiled', route('compiled', { version: 'good' }))
    await node.route('bystander', route('bystander', { version: 'bystander' }))
    const serving = await settle(node)
    const traffic = sendSteadily(`${node.proxyUrl}/bystander`)
    const { status } = await node.admin('PUT', 'routes/compiled', route('compiled', { at: 'compile' }))
    assert.equal(status, 200)
    await eventually('it is set aside', () => isSetAside(node, 'compiled'), LIMIT_MS)
    await settle(node)
    const { sent, failures } = await traffic.stop()
    t.diagnostic(`${sent} requests meanwhile`)
    assert.deepEqual(failures, [])
    assert.equal((await ends(node)) - endedBefore, 2)
    assert.deepEqual(
      (await node.serving()).map(({ pid }) => pid),
      serving,
    )
    const [one] = await quarantined(node)
    assert.match(one!.reason, /worker processes ended/)
    assert.equal(one!.older_version_serves, true)
    assert.equal(await ask(node, 'compiled'), 'good')
    assert.equal((await poison(node)) - poisonBefore, 1)

    await node.route('compiled', route('compiled', { version: 'better' }))
    for (let i = 0; i < 4; i++) assert.equal(await ask(node, 'compiled'), 'better')
    assert.deepEqual(await quarantined(node), [])
    assert.equal((await ends(node)) - endedBefore, 2)
  })

  it('is undone after two workers when it does so at its first requests, and again free when it changes', async () => {
    const endedBefore = await ends(node)
    await node.route('requested', route('requested', { version: 'good' }))
    await node.route('other', route('other', { version: 'other' }))
    await settle(node)
    await node.route('other', route('other', { version: 'changed' }))
    await node.route('requested', route('requested', { at: 'request', how: 'abort' }))
    for (const count of [1, 2]) {
      assert.equal(await ask(node, 'requested'), '')
      await eventually(
        'the end of a worker is noticed',
        async () => (await ends(node)) - endedBefore === count,
        LIMIT_MS,
      )
      await settle(node)
    }
    await eventually('it is set aside', () => isSetAside(node, 'requested'), LIMIT_MS)
    await eventually('the version before', async () => (await ask(node, 'requested')) === 'good', LIMIT_MS)
    assert.equal((await ends(node)) - endedBefore, 2)
    await settle(node)
    for (let i = 0; i < 4; i++) {
      assert.equal(await ask(node, 'requested'), 'good')
      assert.equal(await ask(node, 'other'), 'changed')
    }
    assert.equal((await ends(node)) - endedBefore, 2)
    await node.route('requested', route('requested', { version: 'better' }))
    for (let i = 0; i < 4; i++) assert.equal(await ask(node, 'requested'), 'better')
    assert.deepEqual(await quarantined(node), [])
  })

  it('is told apart from configuration that a plugin refuses, which workers say and the node shows', async () => {
    const endedBefore = await ends(node)
    await node.route('refused', route('refused', { version: 'good' }))
    const { body } = await node.admin(
      'PUT',
      'routes/refused?wait=applied',
      route('refused', { at: 'refusal', version: 'x' }),
    )
    assert.match(JSON.stringify(body), /no x/)
    await eventually('it is shown', () => isSetAside(node, 'refused'), LIMIT_MS)
    const [one] = await quarantined(node)
    assert.match(one!.reason, /no x/)
    assert.equal(one!.older_version_serves, true)
    for (let i = 0; i < 4; i++) assert.equal(await ask(node, 'refused'), 'good')
    assert.equal(await ends(node), endedBefore)
    await node.route('refused', route('refused', { version: 'better' }))
    assert.equal(await ask(node, 'refused'), 'better')
    await eventually('it is free', async () => !(await isSetAside(node, 'refused')), LIMIT_MS)
  })

  it('keeps no node from its start, whether workers end of it or hang', async (t) => {
    const etcd = await startEtcd(t)
    const hand = writer(t, [etcd.endpoint])
    await hand.put('/apisix/routes/victim', JSON.stringify(route('victim', { at: 'compile' })))
    await hand.put('/apisix/routes/endless', JSON.stringify(route('endless', { at: 'compile', how: 'loop' })))
    await hand.put('/apisix/routes/other', JSON.stringify(route('other', { version: 'other' })))
    const { admin } = { admin: { admin_listen: { ip: '127.0.0.1', port: 0 } } }
    const deployment = { etcd: { host: [etcd.endpoint] }, admin: { ...admin, admin_key_required: false } }
    const node = await start(t, { deployment }, { store: 'etcd', upgrade: { ready_timeout_ms: 15_000 } })
    await settle(node)
    assert.equal(await ask(node, 'other'), 'other')
    assert.deepEqual((await quarantined(node)).map(({ id }) => id).sort(), ['endless', 'victim'])
    for (const id of ['endless', 'victim']) {
      assert.equal(await ask(node, id), '404')
      await hand.put(`/apisix/routes/${id}`, JSON.stringify(route(id, { version: 'cured' })))
      await eventually('the cure', async () => (await ask(node, id)) === 'cured', LIMIT_MS)
    }
    assert.deepEqual(await quarantined(node), [])
  })
})
