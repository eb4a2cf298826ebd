import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonToYaml, yamlToJson } from './yaml-thread.ts'

describe('YAML on a thread', () => {
  it('is read with anchors and merge keys', async () => {
    const text = 'parts: &parts\n  uri: /a\nroutes:\n  - <<: *parts\n    id: 1\n'
    assert.equal(await yamlToJson(text), '{"parts":{"uri":"/a"},"routes":[{"uri":"/a","id":1}]}')
  })

  it('is refused when it is not YAML, with the line and without the text', async () => {
    await assert.rejects(yamlToJson('a: 1\nroutes: {sesame: [}'), (error: Error) => {
      assert.match(error.message, /^it is not valid YAML \(line 2\): /)
      assert.doesNotMatch(error.message, /sesame/)
      return true
    })
  })

  it('is refused when its aliases have no end', async () => {
    const doubled = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)
    await assert.rejects(yamlToJson(['a0: &a0 [x]', ...doubled].join('\n')), /it is not valid YAML: /)
  })

  it('is written so that it reads back the same, without marks of a document', async () => {
    const document = {
      routes: [{ id: '1', uri: '/a: b', desc: 'two\nlines', on: 'true' }],
      'X-Digest': '007',
    }
    const yaml = await jsonToYaml(JSON.stringify(document))
    assert.doesNotMatch(yaml, /^(---|\.\.\.)/m)
    assert.deepEqual(JSON.parse(await yamlToJson(yaml)), document)
  })
})
