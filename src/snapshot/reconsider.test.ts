import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CompileWorld, compileWorld } from '../../test/support/compile-world.ts'
import { definePlugin } from '../plugin/definition.ts'

const plugin = (name: string) =>
  definePlugin<object>({ name, priority: 1, schema: { type: 'object' }, compile: () => ({}) })
const upstream = { nodes: { '127.0.0.1:1': 1 } }
const routeWith = (uri: string, ...plugins: string[]) => ({
  uri,
  upstream,
  plugins: Object.fromEntries(plugins.map((name) => [name, {}])),
})
const all = () => true

/** Compiling it takes longer than a round may hold the event loop, so that others get their turn in the middle of the round. */
function slow(onCompile: () => void) {
  return definePlugin<object>({
    name: 'slow',
    priority: 1,
    schema: { type: 'object' },
    compile: () => {
      onCompile()
      const end = performance.now() + 20
      while (performance.now() < end);
      return {}
    },
  })
}

function world(): CompileWorld {
  return compileWorld([plugin('a'), plugin('b'), plugin('zipkin')])
}

/** The plugins that a request for `path` meets; `undefined` when it meets no route. */
function pluginsAt({ match }: CompileWorld, path: string): string[] | undefined {
  return match(path)?.chain.instances.map((instance) => instance.plugin.name)
}

function quarantined({ publisher }: CompileWorld): string[] {
  return publisher.status.quarantined.map(({ kind, id }) => `${kind}/${id}`)
}

describe('compiling again what has not changed', () => {
  it('lets the last good version serve on, or ends it where it may not', async () => {
    const at = world()
    await at.write({ 'routes/1': routeWith('/1', 'a') })
    at.plugins.setEnabled(['b'])
    await at.publisher.reconsider(all)
    assert.deepEqual(pluginsAt(at, '/1'), ['a'])
    assert.equal(at.publisher.status.quarantined[0]!.isServing, true)
    await at.publisher.reconsider(all, { keepsLastGood: false })
    assert.equal(pluginsAt(at, '/1'), undefined)
    assert.equal(at.publisher.status.quarantined[0]!.isServing, false)
    at.plugins.setEnabled(['a', 'b'])
    await at.publisher.reconsider(all)
    assert.deepEqual(pluginsAt(at, '/1'), ['a'])
    assert.deepEqual(quarantined(at), [])
  })

  it('keeps instances whose configuration is the same', async () => {
    const at = world()
    await at.write({ 'routes/1': routeWith('/1', 'a') })
    const before = at.match('/1')!.chain.instances[0]
    await at.publisher.reconsider(all)
    assert.equal(at.match('/1')!.chain.instances[0], before)
    assert.equal(at.instances.size, 1)
  })

  it('asks by what stands in the store, also of what was left out of it and of what is quarantined', async () => {
    const at = world()
    at.plugins.setEnabled(['a'])
    await at.write({ 'routes/1': routeWith('/1', 'a', 'zipkin'), 'routes/2': routeWith('/2', 'b') })
    const asked = new Map<string, unknown>()
    await at.publisher.reconsider(({ id }, { plugins }) => {
      asked.set(id, plugins)
      return false
    })
    assert.deepEqual(
      [...asked],
      [
        ['1', { a: {}, zipkin: {} }],
        ['2', { b: {} }],
      ],
    )
    at.plugins.setEnabled(['a', 'b', 'zipkin'])
    await at.publisher.reconsider(all)
    assert.deepEqual(pluginsAt(at, '/1'), ['a', 'zipkin'])
    assert.deepEqual(pluginsAt(at, '/2'), ['b'])
  })

  it('takes the newest of what is quarantined', async () => {
    const at = world()
    at.plugins.setEnabled(['a'])
    await at.write({ 'routes/1': routeWith('/1', 'a') })
    await at.write({ 'routes/1': routeWith('/1', 'b') })
    assert.deepEqual(pluginsAt(at, '/1'), ['a'])
    at.plugins.setEnabled(['a', 'b'])
    await at.publisher.reconsider(all)
    assert.deepEqual(pluginsAt(at, '/1'), ['b'])
  })

  it('does not bring back what is changed or deleted in the round under way', async () => {
    const at = world()
    await at.write({ 'routes/1': routeWith('/1', 'a'), 'routes/2': routeWith('/2', 'a') })
    let again: Promise<void> | undefined
    at.plugins.register(slow(() => setImmediate(() => (again = at.publisher.reconsider(all)))))
    await at.write({
      'routes/0': routeWith('/0', 'slow'),
      'routes/1': routeWith('/1', 'b'),
      'routes/2': undefined,
    })
    await again
    assert.deepEqual(pluginsAt(at, '/1'), ['b'])
    assert.equal(pluginsAt(at, '/2'), undefined)
  })

  it('counts as something newer than what is served, until it is', async () => {
    const at = world()
    assert.equal(at.publisher.status.behindSinceMs, undefined)
    const seen: (number | undefined)[] = []
    at.plugins.register(slow(() => seen.push(at.publisher.status.behindSinceMs)))
    await at.write({ 'routes/1': routeWith('/1', 'slow') })
    // The world's clock stands at 0.
    assert.deepEqual([...seen, at.publisher.status.behindSinceMs], [0, undefined])
    const again = at.publisher.reconsider(all)
    assert.equal(at.publisher.status.behindSinceMs, 0)
    await again
    assert.equal(at.publisher.status.behindSinceMs, undefined)
  })

  it('is not forgotten when the same version is listed meanwhile', async () => {
    const at = world()
    at.plugins.setEnabled(['a'])
    await at.write({ 'routes/1': routeWith('/1', 'b') })
    at.plugins.setEnabled(['a', 'b'])
    const again = at.publisher.reconsider(all)
    const value = JSON.stringify(routeWith('/1', 'b'))
    const item = { key: '/apisix/routes/1', value, createRevision: 1, modRevision: 1 }
    at.publisher.onState({ items: [item], revision: 1 })
    await again
    assert.deepEqual(pluginsAt(at, '/1'), ['b'])
  })

  it('shows nothing before the first state is known', async () => {
    const at = world()
    await at.publisher.reconsider(all)
    assert.equal(at.publisher.status.lastPublishedAtMs, undefined)
  })

  it('ends the wait when the publisher is closed', async () => {
    const at = world()
    await at.write({ 'routes/1': routeWith('/1', 'a') })
    const again = at.publisher.reconsider(all)
    at.publisher.close()
    await again
    await at.publisher.reconsider(all)
  })
})
