import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { catalogue } from '../../../plugins/catalogue.ts'
import { makeValue } from '../../fuzz/configuration-values.ts'
import { seeded } from '../../fuzz/mutations.ts'
import { type RunningEtcd, startEtcd } from '../../support/etcd.ts'
import { eventually } from '../../support/watch-recording.ts'
import { dataFolder, load, routeText, startNode, startOnEtcd, syncOf, versionOf } from './stage.ts'

const UPSTREAM = '"upstream":{"nodes":{"127.0.0.1:1":1}}'

function deep(depth: number): string {
  return `{"uri":"/x",${UPSTREAM},"vars":${'['.repeat(depth)}${']'.repeat(depth)}}`
}

/** Another one for a longer hunt: FUZZ_SEED=7. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)

/** What somebody wrote into etcd past every check. */
const POISONS: Readonly<Record<string, string>> = {
  'no JSON': '{"uri":',
  'an empty text': '',
  'not an object': '[1,2,3]',
  null: 'null',
  '10 MB of one field': `{"uri":"/x",${UPSTREAM},"desc":"${'x'.repeat(10 * 1024 * 1024)}"}`,
  'an unknown plugin': `{"uri":"/x",${UPSTREAM},"plugins":{"no-such-plugin":{}}}`,
  'a __proto__': `{"uri":"/x",${UPSTREAM},"__proto__":{"polluted":true}}`,
  'a plugin called __proto__': `{"uri":"/x",${UPSTREAM},"plugins":{"__proto__":{"polluted":true}}}`,
  'a plugin called constructor': `{"uri":"/x",${UPSTREAM},"plugins":{"constructor":{}}}`,
  'lists 10,000 deep': deep(10_000),
  'a bad regex': `{"uri":"/x",${UPSTREAM},"plugins":{"uri-blocker":{"block_rules":["("]}}}`,
  'a regex that never ends': `{"uri":"/x",${UPSTREAM},"plugins":{"uri-blocker":{"block_rules":["(a+)+(?=b)\\\\1$"]}}}`,
  'a bad expression': `{"uri":"/x",${UPSTREAM},"vars":[["uri","no-such-operator","x"]]}`,
  'a wrong type': `{"uri":42,${UPSTREAM}}`,
  'a node without a port': '{"uri":"/x","upstream":{"nodes":{"no host at all!:99999":1}}}',
  'a unknown balancer': '{"uri":"/x","upstream":{"type":"no-such","nodes":{"127.0.0.1:1":1}}}',
}

/** Written as it is: byte for byte, by nobody who checks. */
async function write(etcd: RunningEtcd, key: string, value: string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  await etcd.post('/v3/kv/put', { key: base64(key), value: base64(value) })
}

describe('C15: poison straight into etcd', () => {
  it('sets exactly that one route aside, keeps its last good version, and lets all others live', async (t) => {
    const etcd = await startEtcd(t, { args: [`--max-request-bytes=${16 * 1024 * 1024}`] })
    const node = await startNode(t)
    for (const id of ['victim', 'other']) await write(etcd, `/apisix/routes/${id}`, routeText(id, 0, node))
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) })
    const done = load(t, gateway, ['victim', 'other'])
    let version = 0
    for (const [what, poison] of Object.entries(POISONS)) {
      await write(etcd, '/apisix/routes/victim', poison)
      const text = String(++version)
      await write(etcd, '/apisix/routes/other', routeText('other', text, node))
      await eventually(`a change beside ${what}`, async () => (await versionOf(gateway, 'other')) === text)
      const { quarantined } = await syncOf(gateway)
      assert.deepEqual(
        quarantined.map(({ id, older_version_serves }) => [id, older_version_serves]),
        [['victim', true]],
        what,
      )
      assert.ok(quarantined[0]!.reason.length < 1000, what)
      assert.equal(await versionOf(gateway, 'victim'), '0', what)
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
    await write(etcd, '/apisix/routes/victim', routeText('victim', 'healed', node))
    await eventually('the cure', async () => (await versionOf(gateway, 'victim')) === 'healed')
    assert.deepEqual((await syncOf(gateway)).quarantined, [])
    await done(50)
  })

  it('is survived in 600 mutated forms, and each concerns itself alone', async (t) => {
    const etcd = await startEtcd(t)
    const node = await startNode(t)
    await write(etcd, '/apisix/routes/other', routeText('other', 0, node))
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) })
    const plugins = await Promise.all(Object.values(catalogue).map(async (load) => (await load()).default))
    const done = load(t, gateway, ['other'])
    const random = seeded(SEED)
    for (let round = 1; round <= 6; round++) {
      const written = new Map<string, string>()
      while (written.size < 100) {
        const { path, text } = makeValue(plugins, `f${written.size}`, random)
        // A rule for all requests, and what consumers may, is not other routes' own.
        if (!/^(global_rules|plugin_metadata)/.test(path)) written.set(path, text)
      }
      const base64 = (text: string) => Buffer.from(text).toString('base64')
      const puts = [...written].map(([path, text]) => ({
        requestPut: { key: base64(`/apisix/${path}`), value: base64(text) },
      }))
      await etcd.post('/v3/kv/txn', { success: puts })
      await write(etcd, '/apisix/routes/other', routeText('other', round, node))
      const isServed = async () => (await versionOf(gateway, 'other')) === String(round)
      await eventually(`round ${round}, seed ${SEED}`, isServed, 40_000)
      const { quarantined } = await syncOf(gateway)
      assert.ok(quarantined.length > 10)
      for (const { kind, id } of quarantined) assert.ok(written.has(`${kind}/${id}`), `${kind}/${id}`)
      const success = [...written.keys()].map((path) => ({
        requestDeleteRange: { key: base64(`/apisix/${path}`) },
      }))
      await etcd.post('/v3/kv/txn', { success })
    }
    await done(50)
  })

  it('answers for a route whose upstream is not there, and only for that, until it comes', async (t) => {
    const etcd = await startEtcd(t)
    const node = await startNode(t)
    await write(etcd, '/apisix/routes/other', routeText('other', 0, node))
    await write(etcd, '/apisix/routes/dangling', '{"uri":"/dangling","upstream_id":"nowhere"}')
    const gateway = await startOnEtcd(t, { endpoints: [etcd.endpoint], dataDir: dataFolder(t) })
    assert.equal(await versionOf(gateway, 'other'), '0')
    const status = async () => (await fetch(`${gateway.proxyUrl}/dangling`)).status
    assert.ok((await status()) >= 500)
    await write(etcd, '/apisix/upstreams/nowhere', JSON.stringify({ nodes: { [node]: 1 } }))
    await eventually('the upstream', async () => (await status()) === 200)
  })

  it('is no reason not to start, from etcd or from disk', async (t) => {
    const etcd = await startEtcd(t, { args: [`--max-request-bytes=${16 * 1024 * 1024}`] })
    const node = await startNode(t)
    await write(etcd, '/apisix/routes/other', routeText('other', 0, node))
    for (const [i, poison] of Object.values(POISONS).entries())
      await write(etcd, `/apisix/routes/p${i}`, poison)
    const options = { endpoints: [etcd.endpoint], dataDir: dataFolder(t) }
    for (const isAway of [false, true]) {
      if (isAway) await etcd.kill9()
      const gateway = await startOnEtcd(t, options)
      assert.equal(await versionOf(gateway, 'other'), '0')
      const { quarantined, from_disk } = await syncOf(gateway)
      assert.equal(quarantined.length, Object.keys(POISONS).length)
      assert.equal(from_disk !== undefined, isAway)
      await gateway.stop()
    }
  })
})
