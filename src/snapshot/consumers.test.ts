import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileWorld } from '../../test/support/compile-world.ts'
import { definePlugin } from '../plugin/definition.ts'
import type { ConsumerEntry } from './plan.ts'

const upstream = { nodes: { '127.0.0.1:1980': 1 } }

const auth = definePlugin<Record<string, never>>({
  name: 'test-auth',
  type: 'auth',
  priority: 2500,
  schema: { type: 'object' },
  consumerSchema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
  consumerKey: 'key',
  compile: () => ({ rewrite: () => undefined }),
})

const plain = (name: string, priority: number) =>
  definePlugin<Record<string, never>>({
    name,
    priority,
    schema: { type: 'object' },
    compile: () => ({ rewrite: () => undefined, access: () => undefined }),
  })

const world = () => compileWorld([auth, plain('limit', 100), plain('add', 50)])

function found(one: ReturnType<typeof world>, key: string): ConsumerEntry | undefined {
  return one.publisher.current.consumers.findConsumer('test-auth', key) as ConsumerEntry | undefined
}

describe('consumers', () => {
  it('are found by the key of their plugin, and not any more once it changes', async () => {
    const one = world()
    await one.write({ 'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k1' } } } })
    assert.equal(found(one, 'k1')?.view.name, 'jack')
    await one.write({ 'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k2' } } } })
    assert.equal(found(one, 'k1'), undefined)
    assert.equal(found(one, 'k2')?.view.name, 'jack')
    assert.equal(one.publisher.current.consumers.findConsumerByName('jack')?.view.name, 'jack')
    await one.write({ 'consumers/jack': undefined })
    assert.equal(found(one, 'k2'), undefined)
    assert.equal(one.publisher.current.consumers.findConsumerByName('jack'), undefined)
  })

  it('stay as they were for a request that began before an edit', async () => {
    const one = world()
    await one.write({ 'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k1' } } } })
    const before = one.publisher.current
    await one.write({ 'consumers/jack': undefined })
    assert.equal(before.consumers.findConsumer('test-auth', 'k1')?.view.name, 'jack')
  })

  it('give way to each other in the order they came when two have one key', async () => {
    const one = world()
    const config = { plugins: { 'test-auth': { key: 'same' } } }
    await one.write({ 'consumers/first': { username: 'first', ...config } })
    await one.write({ 'consumers/second': { username: 'second', ...config } })
    assert.equal(found(one, 'same')?.view.name, 'first')
    await one.write({ 'consumers/first': undefined })
    assert.equal(found(one, 'same')?.view.name, 'second')
  })

  it('replace plugins of the route by name and add their own, in order of priority', async () => {
    const one = world()
    await one.write({
      'routes/1': { uri: '/a', upstream, plugins: { 'test-auth': {}, limit: {} } },
      'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k' }, limit: {}, add: {} } },
    })
    const plan = one.match('/a')!
    const { chain, added } = plan.chainFor(found(one, 'k')!)
    const owners = (steps: typeof chain) =>
      steps.instances.map(({ plugin, owner }) => `${plugin.name}@${owner.kind}`)
    assert.deepEqual(owners(chain), ['test-auth@routes', 'limit@consumers', 'add@consumers'])
    assert.deepEqual(owners(added), ['add@consumers'])
    assert.equal(plan.chainFor(found(one, 'k')!).chain, chain)
  })

  it('leave the route as it is when they bring no plugin of their own', async () => {
    const one = world()
    await one.write({
      'routes/1': { uri: '/a', upstream, plugins: { 'test-auth': {} } },
      'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k' } } },
    })
    const plan = one.match('/a')!
    assert.equal(plan.chainFor(found(one, 'k')!).chain, plan.chain)
  })

  it('are found by their credentials, which say which one it was and bring no plugins', async () => {
    const one = world()
    const credential = { plugins: { 'test-auth': { key: 'c' } } }
    await one.write({ 'consumers/jack/credentials/one': credential })
    assert.equal(found(one, 'c'), undefined, 'without its consumer')
    await one.write({ 'consumers/jack': { username: 'jack', plugins: { limit: {} } } })
    assert.equal(found(one, 'c')?.view.name, 'jack')
    assert.equal(found(one, 'c')?.view.credentialId, 'one')
    assert.deepEqual([...found(one, 'c')!.instances.keys()], ['limit'])
    await one.write({ 'consumers/jack/credentials/one': { plugins: { 'test-auth': { key: 'd' } } } })
    assert.equal(found(one, 'c'), undefined)
    assert.equal(found(one, 'd')?.config['key'], 'd')
    await one.write({ 'consumers/jack/credentials/one': undefined })
    assert.equal(found(one, 'd'), undefined)
  })

  it('share one chain between all their credentials', async () => {
    const one = world()
    await one.write({
      'routes/1': { uri: '/a', upstream, plugins: { 'test-auth': {} } },
      'consumers/jack': { username: 'jack', plugins: { limit: {} } },
      'consumers/jack/credentials/one': { plugins: { 'test-auth': { key: 'c' } } },
      'consumers/jack/credentials/two': { plugins: { 'test-auth': { key: 'd' } } },
    })
    const plan = one.match('/a')!
    assert.equal(plan.chainFor(found(one, 'c')!), plan.chainFor(found(one, 'd')!))
  })

  it('bring the plugins of their group too, their own first', async () => {
    const one = world()
    await one.write({
      'consumer_groups/g': { id: 'g', plugins: { limit: { from: 'group' }, add: {} } },
      'consumers/jack': {
        username: 'jack',
        group_id: 'g',
        plugins: { 'test-auth': { key: 'k' }, limit: { from: 'consumer' } },
      },
    })
    const { instances } = found(one, 'k')!
    assert.equal(instances.get('limit')?.config['from'], 'consumer')
    assert.equal(instances.get('add')?.owner.kind, 'consumer_groups')
    await one.write({ 'consumer_groups/g': { id: 'g', plugins: {} } })
    assert.deepEqual([...found(one, 'k')!.instances.keys()], ['limit'])
  })

  it('are refused while their group is not there', async () => {
    const one = world()
    await one.write({
      'consumers/jack': { username: 'jack', group_id: 'g', plugins: { 'test-auth': { key: 'k' } } },
    })
    assert.equal(found(one, 'k')?.refusal?.status, 503)
    await one.write({ 'consumer_groups/g': { id: 'g', plugins: {} } })
    assert.equal(found(one, 'k')?.refusal, undefined)
    await one.write({ 'consumer_groups/g': undefined })
    assert.equal(found(one, 'k')?.refusal?.status, 503)
  })
})
