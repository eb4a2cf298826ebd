import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { catalogue } from '../plugins/catalogue.ts'
import { attributeTable, tableIn, unaligned, withTable } from './support/attribute-table.ts'

const PLUGINS = new URL('../plugins/', import.meta.url)
/** `UPDATE_DOCS=1` writes the tables in place of comparing them. */
const isUpdate = process.env['UPDATE_DOCS'] === '1'
const COMMAND = 'UPDATE_DOCS=1 node --import tsx --test test/docs.test.ts'
const SECTIONS = ['When it runs', 'Attributes', 'Example', 'When it fails', 'Differences from APISIX']

describe('the README of each plugin', () => {
  for (const [name, load] of Object.entries(catalogue)) {
    it(`of ${name} has the attributes of its schema`, async () => {
      const { default: plugin } = await load()
      const file = new URL(`${name}/README.md`, PLUGINS)
      const readme = readFileSync(file, 'utf8')
      const tables = [plugin.schema, plugin.consumerSchema, plugin.metadataSchema, plugin.attrSchema]
        .map((schema, i) => schema && `${TITLES[i]}${attributeTable(schema)}`)
        .filter(Boolean)
      const expected = tables.join('\n\n')
      if (isUpdate) writeFileSync(file, withTable(readme, expected))
      const shown = tableIn(readFileSync(file, 'utf8')) ?? ''
      assert.equal(unaligned(shown), unaligned(expected), `to write the tables anew: ${COMMAND}`)
    })

    it(`of ${name} says what every README of a plugin says`, () => {
      const readme = readFileSync(new URL(`${name}/README.md`, PLUGINS), 'utf8')
      assert.ok(readme.startsWith(`# ${name}\n`))
      const sections = [...readme.matchAll(/^## (.+)$/gm)].map((match) => match[1])
      assert.deepEqual(sections, SECTIONS)
      assert.match(readme, /```sh\ncurl /)
    })
  }
})

const TITLES = [
  '',
  'On a consumer:\n\n',
  'Metadata (`/apisix/admin/plugin_metadata/…`):\n\n',
  'Settings (`plugin_attr`):\n\n',
]

describe('the catalogue', () => {
  it('lists every plugin folder, in alphabetical order', () => {
    const folders = readdirSync(PLUGINS, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('_'))
      .map((entry) => entry.name)
    assert.deepEqual(Object.keys(catalogue), folders.sort())
  })

  it('loads each plugin under its own name', async () => {
    for (const [name, load] of Object.entries(catalogue)) assert.equal((await load()).default.name, name)
  })
})
