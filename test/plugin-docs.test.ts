import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { catalogue } from '../plugins/catalogue.ts'
import type { PhaseName } from '../src/plugin/definition.ts'
import { documentedTypes, renderTypes } from './support/type-reference.ts'

const ROOT = new URL('../', import.meta.url)
/** `UPDATE_DOCS=1` writes what is generated in place of comparing it. */
const isUpdate = process.env['UPDATE_DOCS'] === '1'
const COMMAND = 'UPDATE_DOCS=1 node --import tsx --test test/plugin-docs.test.ts'

const HEAD = `# What a plugin may use

All of it is exported by \`gatewright/plugin\`. This page is made from the types and their comments: \`${COMMAND}\`. Beside them: \`definePlugin\`, \`requestSlot\`, \`ConfigError\`, \`compileExpression\` (the language of \`vars\`), \`compileTemplate\` (\`$name\` in texts), \`compilePattern\` and \`compilePcre\` (patterns in bounded time), \`compileValidator\` (JSON schemas), \`FromSchema\`.`

const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'src/plugin/context/request-context.ts': [
    ...['RequestContext', 'Headers', 'UpstreamRequest', 'ResponseView', 'RequestStats', 'RouteView'],
    ...['ConsumerView', 'FoundConsumer'],
  ],
  'src/plugin/definition.ts': [
    ...['PluginInstance', 'Reply', 'BodyFilter', 'BodyStream', 'BodyTap', 'InstanceHost', 'PluginHost'],
    ...['PublicApi', 'UpstreamHandle', 'PluginDefinition', 'CheckTools'],
  ],
  'src/plugin/http-client.ts': ['HttpCall', 'HttpAnswer'],
  'src/observe/metrics.ts': ['MetricRegistry', 'MetricOptions', 'Family'],
}

function check(page: string, expected: string): void {
  const file = new URL(page, ROOT)
  if (isUpdate) writeFileSync(file, expected)
  assert.equal(readFileSync(file, 'utf8'), expected, `to write it anew: ${COMMAND}`)
}

describe('docs/plugins', () => {
  it('has a reference of what plugins may use, made from the types', () => {
    const types = Object.entries(SHOWN).flatMap(([file, names]) => {
      const found = documentedTypes(new URL(file, ROOT).pathname)
      return names.map(
        (name) => found.find((type) => type.name === name) ?? assert.fail(`${file} has no ${name}`),
      )
    })
    check('docs/plugins/context.md', `${HEAD}\n\n${renderTypes(types)}\n`)
  })

  it('has an index of all plugins, made from their folders', async () => {
    const names = Object.keys(catalogue)
    const rows = await Promise.all(names.map(indexRow))
    const index = readFileSync(new URL('docs/plugins/README.md', ROOT), 'utf8')
    const [before, rest] = index.split('<!-- plugins -->')
    const [, after] = rest?.split('<!-- /plugins -->') ?? []
    assert.ok(before !== undefined && after !== undefined, 'the markers of the table are gone')
    const table = ['| plugin | priority | phases | does |', '|---|---|---|---|', ...rows].join('\n')
    check('docs/plugins/README.md', `${before}<!-- plugins -->\n${table}\n<!-- /plugins -->${after}`)
  })
})

describe('the page of a plugin', () => {
  for (const [name, load] of Object.entries(catalogue)) {
    it(`says of ${name} when it runs: its phases, all of them, and its priority`, async () => {
      const { default: plugin } = await load()
      const readme = readFileSync(new URL(`plugins/${name}/README.md`, ROOT), 'utf8')
      const section = readme.split('## When it runs\n')[1]?.split('\n## ')[0] ?? ''
      const told = PHASES.filter((phase) => section.includes(`\`${phase}\``))
      assert.deepEqual(told, inOrder(plugin.phases ?? []))
      assert.match(section.replace('−', '-'), new RegExp(`[Pp]riority ${plugin.priority}\\b`))
    })
  }
})

const PHASES: readonly PhaseName[] = [
  ...(['rewrite', 'access', 'beforeProxy', 'tapBody'] as const),
  ...(['headerFilter', 'bodyFilter', 'packBody', 'log'] as const),
]

function inOrder(phases: readonly PhaseName[]): readonly PhaseName[] {
  return [...phases].sort((a, b) => PHASES.indexOf(a) - PHASES.indexOf(b))
}

async function indexRow(name: string): Promise<string> {
  const { default: plugin } = await catalogue[name]!()
  assert.ok(plugin.phases?.length, `${name} does not say which phases it has`)
  const phases = plugin.phases.map((phase) => `\`${phase}\``).join(' ')
  const readme = readFileSync(new URL(`plugins/${name}/README.md`, ROOT), 'utf8')
  const [, paragraph = ''] = readme.split('\n\n')
  // Up to the first full stop that ends a sentence; links would not lead from here.
  const sentence = /^[\s\S]*?\.(?=\s|$)/.exec(paragraph)?.[0] ?? paragraph
  const text = sentence.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll(/\s+/g, ' ')
  return `| [${name}](../../plugins/${name}/README.md) | ${plugin.priority} | ${phases} | ${text} |`
}
