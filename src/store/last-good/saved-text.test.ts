import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Configs } from '../configs-store.ts'
import { linesOfConfigs, linesOfItems, readConfigs, readItems } from './saved-text.ts'

const ITEMS = [
  { key: '/apisix/routes/1', value: '{"uri":"/é\\n"}\n', createRevision: 1, modRevision: 2 },
  { key: '/apisix/routes/2', value: '', createRevision: 3, modRevision: 3 },
]

describe('a saved configuration', () => {
  it('is the listing that it was made of', async () => {
    const lines = [...linesOfItems(ITEMS)]
    assert.ok(lines.every((line) => !line.includes('\n')))
    assert.deepEqual(await readItems({ revision: 4, source: 'one' }, lines), {
      items: ITEMS,
      revision: 4,
      source: 'one',
    })
  })

  it('is the whole configuration that it was made of, with its marks and versions', async () => {
    const entry = { key: '/routes/1', value: '{}', index: 4, isIndexed: true }
    const configs: Configs = {
      lists: new Map([
        ['routes', { version: 4, entries: [entry, { ...entry, key: '/routes/2', isIndexed: false }] }],
        ['services', { version: 1, entries: [] }],
      ]),
      digest: 'd',
      lastModified: 17,
    }
    assert.deepEqual(await readConfigs([...linesOfConfigs(configs)]), configs)
    const nothing: Configs = { lists: new Map() }
    assert.deepEqual(await readConfigs([...linesOfConfigs(nothing)]), nothing)
  })

  it('is refused without a word of it when a line is something else', async () => {
    await assert.rejects(readItems({ revision: 1 }, ['secret']), (error: Error) => {
      assert.ok(!error.message.includes('secret'))
      return true
    })
    await assert.rejects(readConfigs([]), /not what was saved/)
  })
})
