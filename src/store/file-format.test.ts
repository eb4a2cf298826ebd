import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { type FileRules, readFileContent } from './file-format.ts'

function rules(format: FileRules['format'], env: FileRules['env'] = {}): FileRules {
  return { format, env, prefix: '/apisix', parseYaml: (text) => parse(text) }
}

function yaml(text: string, env: FileRules['env'] = {}) {
  return readFileContent(`${text}\n#END\n`, rules('yaml', env))
}

function json(document: unknown, env: FileRules['env'] = {}) {
  return readFileContent(JSON.stringify(document), rules('json', env))
}

function parsed(content: { readonly values: ReadonlyMap<string, string> }): Record<string, unknown> {
  return Object.fromEntries([...content.values].map(([key, value]) => [key, JSON.parse(value)]))
}

describe('readFileContent', () => {
  it('names items after their id, else their username, else their place counted from 1', async () => {
    const content = await yaml(`
routes:
  - uri: /first
  - id: 7
    uri: /seventh
  - id: ""
    uri: /third
consumers:
  - username: jack
  - id: jack/credentials/cred-1
`)
    assert.deepEqual(parsed(content), {
      '/apisix/routes/arr_1': { uri: '/first' },
      '/apisix/routes/7': { id: 7, uri: '/seventh' },
      '/apisix/routes/arr_3': { id: '', uri: '/third' },
      '/apisix/consumers/jack': { username: 'jack' },
      '/apisix/consumers/jack/credentials/cred-1': { id: 'jack/credentials/cred-1' },
    })
  })

  it('keeps the list of plugins as one item', async () => {
    assert.deepEqual(parsed(await yaml('plugins:\n  - name: key-auth\n')), {
      '/apisix/plugins': [{ name: 'key-auth' }],
    })
  })

  it('takes items that make no sense as they are: judging them is not its task', async () => {
    assert.deepEqual(parsed(await json({ routes: ['text', null, 5] })), {
      '/apisix/routes/arr_1': 'text',
      '/apisix/routes/arr_2': null,
      '/apisix/routes/arr_3': 5,
    })
  })

  it('passes over what holds anchors and over empty kinds', async () => {
    const content = await yaml('x-parts: &parts\n  uri: /a\nroutes:\n  - *parts\nservices:\n')
    assert.deepEqual(parsed(content), { '/apisix/routes/arr_1': { uri: '/a' } })
  })

  it('accepts an end mark followed by blanks, and nothing else as an end', async () => {
    for (const end of ['#END', '#END\n', '#END  \r\n\n']) {
      assert.equal((await readFileContent(`routes: []\n${end}`, rules('yaml'))).values.size, 0)
    }
    for (const text of [
      'routes: []\n',
      'routes: []\n#END\nservices: []',
      '#END\nroutes: [] # long enough',
      '',
    ]) {
      await assert.rejects(readFileContent(text, rules('yaml')), /#END/)
    }
  })

  it('refuses a file without content, but takes one that says it is empty', async () => {
    await assert.rejects(yaml('# only a comment'), /nothing before #END/)
    await assert.rejects(readFileContent('', rules('json')), /not valid JSON/)
    await assert.rejects(yaml('- a list'), /no mapping/)
    assert.equal((await yaml('{}')).values.size, 0)
    assert.equal((await json({})).values.size, 0)
  })

  it('refuses a kind that is no list', async () => {
    await assert.rejects(yaml('routes:\n  id: 1'), /"routes" is not a list/)
    await assert.rejects(json({ plugins: 'key-auth' }), /"plugins" is not a list/)
  })

  it('lets the last of several items with one id count, and says so', async () => {
    const content = await json({
      routes: [
        { id: 1, uri: '/a' },
        { id: '1', uri: '/b' },
      ],
    })
    assert.deepEqual(parsed(content), { '/apisix/routes/1': { id: '1', uri: '/b' } })
    assert.match(content.warnings.join(), /routes\/1 is there more than once/)
  })

  it('leaves out an item whose id cannot be a key, and says so', async () => {
    const content = await json({ routes: [{ id: 'x'.repeat(2000) }, { id: 'ok' }] })
    assert.deepEqual([...content.values.keys()], ['/apisix/routes/ok'])
    assert.match(content.warnings.join(), /item 1 of \/apisix\/routes was left out/)
  })

  it('keeps keys that mean something to JavaScript', async () => {
    const content = await readFileContent(
      '{"routes":[{"id":"__proto__","__proto__":{"a":1}}]}',
      rules('json'),
    )
    assert.equal(content.values.get('/apisix/routes/__proto__'), '{"id":"__proto__","__proto__":{"a":1}}')
  })

  it('replaces variables in the text of YAML, where quoting decides the type', async () => {
    const text =
      'routes:\n  - id: ${{ID}}\n    priority: ${{PRIORITY:= 5 }}\n    name: "${{ID}}"\n    uri: /${{EMPTY}}x'
    assert.deepEqual(parsed(await yaml(text, { ID: '12', EMPTY: '' })), {
      '/apisix/routes/12': { id: 12, priority: 5, name: '12', uri: '/x' },
    })
  })

  it('replaces variables in the values and keys of JSON, where their look decides the type', async () => {
    const route = {
      id: 'r',
      '${{KEY}}': 'v',
      priority: '${{PRIORITY}}',
      on: '${{ON:=true}}',
      uri: '/${{PRIORITY}}',
      quote: '${{QUOTE}}',
      plain: '12',
    }
    const env = { KEY: 'name', PRIORITY: '7', QUOTE: '"},{"' }
    assert.deepEqual(parsed(await json({ routes: [route] }, env)), {
      '/apisix/routes/r': {
        id: 'r',
        name: 'v',
        priority: 7,
        on: true,
        uri: '/7',
        quote: '"},{"',
        plain: '12',
      },
    })
  })

  it('refuses a variable that is not set and has no default, by name', async () => {
    await assert.rejects(yaml('routes:\n  - uri: ${{NOWHERE}}'), /can't find environment variable NOWHERE/)
    await assert.rejects(
      json({ routes: [{ uri: '${{toString}}' }] }),
      /can't find environment variable toString/,
    )
  })

  it('does not quote the text of broken JSON', async () => {
    const text = '{"consumers":[\n{"username":"jack","key":"sesame" oops}]}'
    await assert.rejects(
      readFileContent(text, rules('json')),
      (error: Error) => /not valid JSON/.test(error.message) && !/sesame|oops/.test(error.message),
    )
  })
})
