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
})
