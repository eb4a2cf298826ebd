import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileWorld } from '../../test/support/compile-world.ts'
import { type AnyPlugin, ConfigError, definePlugin } from '../plugin/definition.ts'

const upstream = { nodes: { '127.0.0.1:1980': 1 } }

/** A plugin that says what became of its instances. */
function observed(name: string, priority = 100) {
  const compiled: unknown[] = []
  const released: unknown[] = []
  const plugin: AnyPlugin = definePlugin<{ value?: unknown }>({
    name,
    priority,
    schema: { type: 'object', properties: { value: {}, fail: { type: 'boolean' } } },
    compile(config, host) {
      compiled.push(config.value)
      host.own(() => void released.push(config.value))
      if (Object.hasOwn(config, 'fail')) throw new ConfigError('told to fail')
      return { rewrite: () => undefined }
    },
  })
  return { plugin, compiled, released }
}

const namesOf = (plan: ReturnType<ReturnType<typeof compileWorld>['match']>) =>
  plan?.chain.instances.map((instance) => `${instance.plugin.name}@${instance.owner.kind}`)

describe('Publisher', () => {
  it('publishes a route, an edit of it and its end', async () => {
    const world = compileWorld()
    await world.write({ 'routes/1': { uri: '/a', upstream } })
    assert.equal(world.match('/a')?.route.id, '1')
    await world.write({ 'routes/1': { uri: '/b', upstream } })
    assert.equal(world.match('/a'), undefined)
    assert.equal(world.match('/b')?.route.id, '1')
    await world.write({ 'routes/1': undefined })
    assert.equal(world.match('/b'), undefined)
    assert.equal(world.publisher.status.published, 3)
    assert.equal(world.pools.size, 0)
  })

  it('serves on with what served when a round cannot be shown, and with the next one that can', async () => {
    const world = compileWorld()
    await world.write({ 'routes/1': { uri: '/a', upstream } })
    const prepare = world.router.prepare
    world.router.prepare = () => Promise.reject(new Error('a fault of ours'))
    await world.write({ 'routes/2': { uri: '/b', upstream } })
    assert.equal(world.match('/a')?.route.id, '1')
    assert.equal(world.publisher.status.published, 1)
    world.router.prepare = prepare
    await world.write({ 'routes/3': { uri: '/c', upstream } })
    assert.deepEqual([world.match('/a')?.route.id, world.match('/c')?.route.id], ['1', '3'])
  })

  it('keeps an instance over edits that leave its configuration as it was, and replaces it when that changes', async () => {
    const { plugin, compiled, released } = observed('p')
    const world = compileWorld([plugin])
    await world.write({ 'routes/1': { uri: '/a', plugins: { p: { value: 1 } }, upstream } })
    const before = world.match('/a')?.chain.instances[0]
    await world.write({ 'routes/1': { uri: '/a', desc: 'edited', plugins: { p: { value: 1 } }, upstream } })
    assert.equal(world.match('/a')?.chain.instances[0], before)
    await world.write({ 'routes/1': { uri: '/a', plugins: { p: { value: 2 } }, upstream } })
    assert.deepEqual(compiled, [1, 2])
    assert.deepEqual(released, [1])
    assert.equal(world.instances.size, 1)
  })

  it('keeps balancer state and nodes over an unrelated edit of an upstream', async () => {
    const world = compileWorld()
    await world.write({ 'upstreams/u': upstream, 'routes/1': { uri: '/a', upstream_id: 'u' } })
    const target = world.match('/a')!.upstream
    assert.ok(target)
    const { balancer, nodes } = target.state
    await world.write({ 'upstreams/u': { ...upstream, retries: 3 } })
    assert.equal(world.match('/a')!.upstream, target)
    assert.equal(target.state.balancer, balancer)
    assert.equal(target.state.nodes[0], nodes[0])
    assert.equal(target.state.spec.retries, 3)
    assert.equal(world.pools.size, 1)
  })

  it('merges route over plugin config over service, and follows edits of each', async () => {
    const world = compileWorld(['a', 'b', 'c'].map((name) => observed(name).plugin))
    await world.write({
      'services/s': { plugins: { a: {}, b: {}, c: {} }, upstream, hosts: ['svc.test'] },
      'plugin_configs/p': { id: 'p', plugins: { b: {}, c: {} } },
      'routes/1': { uri: '/x', service_id: 's', plugin_config_id: 'p', plugins: { c: {} } },
    })
    assert.deepEqual(namesOf(world.match('/x', 'svc.test')), ['a@services', 'b@plugin_configs', 'c@routes'])
    assert.equal(world.match('/x', 'other.test'), undefined)
    await world.write({ 'plugin_configs/p': { id: 'p', plugins: { a: {} } } })
    assert.deepEqual(namesOf(world.match('/x', 'svc.test')), ['a@plugin_configs', 'b@services', 'c@routes'])
  })

  it('hides a weaker configuration behind a disabled one', async () => {
    const world = compileWorld([observed('a').plugin])
    await world.write({
      'services/s': { plugins: { a: {} }, upstream },
      'routes/1': { uri: '/x', service_id: 's', plugins: { a: { _meta: { disable: true } } } },
    })
    assert.deepEqual(namesOf(world.match('/x')), [])
  })

  it('answers for what a route refers to and is not there, and recovers when it comes', async () => {
    const world = compileWorld()
    await world.write({
      'routes/1': { uri: '/s', service_id: 'gone' },
      'routes/2': { uri: '/p', plugin_config_id: 'gone', upstream },
      'routes/3': { uri: '/u', upstream_id: 'gone' },
    })
    assert.equal(world.match('/s')?.refusal?.status, 404)
    assert.equal(world.match('/p')?.refusal?.status, 503)
    assert.equal(world.match('/u')?.upstream, undefined)
    assert.equal(world.match('/u')?.noUpstream.status, 502)
    await world.write({
      'services/gone': { upstream },
      'plugin_configs/gone': { id: 'gone', plugins: {} },
      'upstreams/gone': upstream,
    })
    assert.equal(world.match('/s')?.refusal, undefined)
    assert.equal(world.match('/p')?.refusal, undefined)
    assert.ok(world.match('/u')!.upstream)
  })

  it('takes another version of the same revision when the store tells it as a change, as after a restore', async () => {
    const world = compileWorld()
    await world.write({ 'routes/1': { uri: '/a', upstream } })
    const { key, createRevision, modRevision } = world.publisher.graph.get('routes', '1')!
    const value = JSON.stringify({ uri: '/restored', upstream })
    const item = { key, value, createRevision, modRevision }
    world.publisher.onEvents([{ type: 'put', item }], modRevision)
    await world.publisher.settled()
    assert.equal(world.match('/a'), undefined)
    assert.equal(world.match('/restored')?.route.id, '1')
  })

  it('sets aside what cannot be used, keeps its last good version and lets the others live', async () => {
    const { plugin, released } = observed('p')
    const world = compileWorld([plugin])
    await world.write({ 'routes/1': { uri: '/a', upstream, plugins: { p: { value: 'good' } } } })
    await world.write({
      'routes/1': { uri: '/a', upstream, plugins: { p: { value: 'bad', fail: true } } },
      'routes/2': 'no json',
      'routes/3': { uri: '/c', upstream },
    })
    const { quarantined } = world.publisher.status
    assert.deepEqual(
      quarantined.map(({ id, isServing }) => [id, isServing]),
      [
        ['1', true],
        ['2', false],
      ],
    )
    assert.match(quarantined[0]!.reason, /told to fail/)
    assert.match(quarantined[1]!.reason, /not JSON/)
    assert.equal(world.match('/a')?.route.id, '1')
    assert.equal(world.match('/c')?.route.id, '3')
    assert.deepEqual(released, ['bad'])
    await world.write({ 'routes/1': { uri: '/a', upstream }, 'routes/2': undefined })
    assert.deepEqual(world.publisher.status.quarantined, [])
  })

  const ODD: readonly Record<string, unknown>[] = [
    { remote_addr: '1.2.3.4/08' },
    { remote_addr: '::1/129' },
    { remote_addrs: ['fe80::1%eth0'] },
    { uri: '/a/**/(b' },
    { uri: 'nopath' },
    { host: '*[' },
    { vars: [['arg_a', '~~', '(']] },
    { filter_func: 'function (' },
  ]
  for (const odd of ODD) {
    it(`publishes what comes with a route such as ${JSON.stringify(odd)}, whether that can be used or not`, async () => {
      const world = compileWorld()
      await world.write({ 'routes/1': { uri: '/a', upstream, ...odd }, 'routes/2': { uri: '/ok', upstream } })
      assert.equal(world.match('/ok')?.route.id, '2')
      assert.equal(world.publisher.status.published, 1)
    })
  }

  it('skips a logger it does not have and quarantines any other unknown plugin', async () => {
    const world = compileWorld()
    await world.write({
      'routes/1': { uri: '/log', upstream, plugins: { 'kafka-logger': { any: 1 } } },
      'routes/2': { uri: '/guard', upstream, plugins: { 'ip-restrictoin': {} } },
    })
    assert.equal(world.match('/log')?.route.id, '1')
    assert.equal(world.match('/guard'), undefined)
    assert.match(world.publisher.status.quarantined[0]!.reason, /unknown plugin \[ip-restrictoin\]/)
  })

  it('ignores markers and keys that carry no resource', async () => {
    const world = compileWorld()
    await world.write({
      'routes/': 'init_dir',
      gen_id: '1',
      'unknown/1': '{}',
      'consumers/a/credentials/b': '{}',
    })
    assert.deepEqual(world.publisher.status.quarantined, [])
  })

  it('removes what a complete state does not hold, quarantined things too', async () => {
    const world = compileWorld()
    await world.write({ 'routes/1': { uri: '/a', upstream }, 'routes/2': 'no json' })
    const value = JSON.stringify({ uri: '/b', upstream })
    const item = { key: '/apisix/routes/3', value, createRevision: 9, modRevision: 9 }
    world.publisher.onState({ items: [item], revision: 9 })
    await world.publisher.settled()
    assert.equal(world.match('/a'), undefined)
    assert.equal(world.match('/b')?.route.id, '3')
    assert.deepEqual(world.publisher.status.quarantined, [])
  })

  it('does not dispose an instance before the requests that may run it have ended', async () => {
    const { plugin, released } = observed('p')
    const world = compileWorld([plugin])
    await world.write({ 'routes/1': { uri: '/a', upstream, plugins: { p: { value: 1 } } } })
    const pin = world.publisher.pin()
    await world.write({ 'routes/1': undefined })
    assert.deepEqual(released, [])
    pin.release()
    assert.deepEqual(released, [1])
  })

  it('drops a plugin that stands in two global rules from both', async () => {
    const world = compileWorld([observed('a').plugin, observed('b').plugin])
    await world.write({
      'global_rules/1': { id: '1', plugins: { a: {}, b: {} } },
      'global_rules/2': { id: '2', plugins: { b: {} } },
    })
    const names = world.publisher.current.global.for(undefined).instances.map((one) => one.plugin.name)
    assert.deepEqual(names, ['a'])
  })

  it('shows plugin metadata with its defaults and takes it away again', async () => {
    const { plugin } = observed('p')
    const withMetadata = {
      ...plugin,
      metadataSchema: { type: 'object', properties: { header: { type: 'string', default: 'X-P' } } },
    }
    const world = compileWorld([withMetadata])
    await world.write({ 'plugin_metadata/p': { id: 'p' } })
    assert.deepEqual(world.metadata.get('p'), { header: 'X-P' })
    await world.write({ 'plugin_metadata/p': undefined })
    assert.equal(world.metadata.get('p'), undefined)
  })

  it('is back at its start once everything has been deleted', async () => {
    const { plugin } = observed('p')
    const world = compileWorld([plugin])
    const documents = {
      'upstreams/u': upstream,
      'services/s': { upstream, plugins: { p: {} } },
      'routes/1': { uri: '/a', service_id: 's', plugins: { p: { value: 1 } } },
      'consumers/c': { username: 'c', plugins: { p: { value: 2 } } },
      'global_rules/g': { id: 'g', plugins: { p: { value: 3 } } },
    }
    await world.write(documents)
    assert.equal(world.instances.size, 4)
    await world.write(Object.fromEntries(Object.keys(documents).map((name) => [name, undefined])))
    assert.equal(world.instances.size, 0)
    assert.equal(world.pools.size, 0)
    assert.equal(world.router.size, 0)
  })
})
