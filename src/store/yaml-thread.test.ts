import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonToYaml, yamlToJson } from './yaml-thread.ts'

describe('YAML on a thread', () => {
  it('is read with anchors and merge keys', async () => {
    const text = 'parts: &parts\n  uri: /a\nroutes:\n  - <<: *parts\n    id: 1\n'
    assert.equal(await yamlToJson(text), '{"parts":{"uri":"/a"},"routes":[{"uri":"/a","id":1}]}')
  })

  it('is nothing when the text is not YAML or has no end of aliases', async () => {
    assert.equal(await yamlToJson('routes: [1'), undefined)
    const doubled = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)
    assert.equal(await yamlToJson(['a0: &a0 [x]', ...doubled].join('\n')), undefined)
  })

  it('is written so that it reads back the same, without marks of a document', async () => {
    const document = {
      routes: [{ id: '1', uri: '/a: b', desc: 'two\nlines', on: 'true' }],
      'X-Digest': '007',
    }
    const yaml = await jsonToYaml(JSON.stringify(document))
    assert.doesNotMatch(yaml, /^(---|\.\.\.)/m)
    assert.deepEqual(JSON.parse((await yamlToJson(yaml)) ?? ''), document)
  })
})
