import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileWorld } from '../../test/support/compile-world.ts'
import type { StoredItem } from '../store/config-store.ts'

const upstream = { nodes: { '127.0.0.1:1980': 1 } }

function versionOf(modRevision: number, uri: string): StoredItem {
  return {
    key: '/apisix/routes/1',
    value: JSON.stringify({ uri, upstream }),
    createRevision: 1,
    modRevision,
  }
}

/** A route at `/a`, then at `/b`, which is revision 2. */
async function world() {
  const made = compileWorld()
  await made.write({ 'routes/1': { uri: '/a', upstream } })
  await made.write({ 'routes/1': { uri: '/b', upstream } })
  const serves = () => ['/a', '/b', '/c'].filter((path) => made.match(path))
  return { ...made, serves, quarantined: () => made.publisher.status.quarantined }
}

describe('a version that is barred', () => {
  it('gives way to the one before, and says why, until the resource changes', async () => {
    const { publisher, serves, quarantined, write } = await world()
    publisher.bar({ item: versionOf(2, '/b'), before: versionOf(1, '/a'), reason: 'it kills' })
    await publisher.settled()
    assert.deepEqual(serves(), ['/a'])
    assert.deepEqual(
      quarantined().map(({ id, reason, isServing }) => [id, reason, isServing]),
      [['1', 'it kills', true]],
    )
    await write({ 'routes/1': { uri: '/c', upstream } })
    assert.deepEqual([serves(), quarantined()], [['/c'], []])
  })

  it('leaves nothing when there was none before, or that may not serve either', async () => {
    for (const before of [undefined, null]) {
      const { publisher, serves, quarantined } = await world()
      publisher.bar({ item: versionOf(2, '/b'), reason: 'it kills', ...(before === null && { before }) })
      await publisher.settled()
      assert.deepEqual(serves(), [])
      assert.equal(quarantined()[0]!.isServing, false)
    }
  })

  it('ends what serves in its place when that is barred too', async () => {
    const { publisher, serves } = await world()
    publisher.bar({ item: versionOf(2, '/b'), before: versionOf(1, '/a'), reason: 'it kills' })
    await publisher.settled()
    publisher.bar({ item: versionOf(2, '/b'), before: null, reason: 'it kills' })
    await publisher.settled()
    assert.deepEqual(serves(), [])
  })

  it('is not compiled at all when that is known before it comes', async () => {
    const compiled: string[] = []
    const made = compileWorld([], { onCompile: (key) => compiled.push(key) })
    made.publisher.bar({ item: versionOf(2, '/b'), before: versionOf(1, '/a'), reason: 'it kills' })
    made.publisher.onState({ items: [versionOf(2, '/b')], revision: 2 })
    await made.publisher.settled()
    assert.ok(made.match('/a'))
    assert.deepEqual(compiled, ['/apisix/routes/1'])
    assert.equal(made.publisher.status.quarantined.length, 1)
  })

  it('serves again when it no longer is', async () => {
    const { publisher, serves, quarantined } = await world()
    publisher.bar({ item: versionOf(2, '/b'), before: versionOf(1, '/a'), reason: 'it kills' })
    await publisher.settled()
    publisher.unbar(versionOf(2, '/b'))
    await publisher.settled()
    assert.deepEqual([serves(), quarantined()], [['/b'], []])
  })
})
