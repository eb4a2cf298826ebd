import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { renderDefaultFile, renderKeyTable, settingsKeys } from '../../test/support/settings-reference.ts'
import { DEFAULTS } from './defaults.ts'
import { isMap } from './key-spec.ts'
import { type LoadedSettings, loadSettings } from './load.ts'
import { childPath } from './path.ts'

const ROOT_FOLDER = new URL('../../', import.meta.url)
const TABLE = /(?<=<!-- keys -->\n)[\s\S]*?(?=\n<!-- \/keys -->)/

/** Compares a generated part of a file, or writes it when UPDATE_DOCS is set. */
function assertGenerated(file: string, part: RegExp, wanted: string): void {
  const url = new URL(file, ROOT_FOLDER)
  const text = readFileSync(url, 'utf8')
  if (process.env['UPDATE_DOCS'])
    writeFileSync(
      url,
      text.replace(part, () => wanted),
    )
  else
    assert.equal(
      text.match(part)?.[0],
      wanted,
      `${file} is behind the code; run this test with UPDATE_DOCS=1`,
    )
}

function loadText(t: TestContext, text: string): LoadedSettings {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-reference-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  writeFileSync(join(workingDirectory, 'config.yaml'), text)
  return loadSettings({ file: 'config.yaml', env: {}, workingDirectory })
}

describe('the default file', () => {
  it('is what the list of keys says', () => assertGenerated('config.yaml', /^[\s\S]*$/, renderDefaultFile()))

  it('changes nothing as it is', (t) => {
    const { sources } = loadText(t, readFileSync(new URL('config.yaml', ROOT_FOLDER), 'utf8'))
    assert.equal(sources.size, 0)
  })

  it('with every key uncommented equals the defaults', (t) => {
    const text = readFileSync(new URL('config.yaml', ROOT_FOLDER), 'utf8')
    const { settings, ignored } = loadText(t, text.replace(/^#(?=[ \w-]*:)(?! )|^#(?= {2})/gm, ''))
    const { settings: defaults } = loadText(t, '')
    const { store: _store, gatewright, ...others } = settings
    const { store: _defaultStore, gatewright: own, ...defaultOthers } = defaults
    // Folders are resolved: each of the two was loaded in a directory of its own.
    const uncommented = JSON.stringify(others).replaceAll(gatewright.data_dir, '')
    const byDefault = JSON.stringify(defaultOthers).replaceAll(own.data_dir, '')
    assert.deepEqual(JSON.parse(uncommented), JSON.parse(byDefault))
    const here = { data_dir: '', plugin_paths: [] }
    assert.deepEqual({ ...gatewright, ...here }, { ...own, ...here })
    assert.equal(settings.store.type, 'embedded')
    assert.deepEqual(ignored, [])
  })

  it('with deployment.etcd uncommented too selects etcd with its defaults', (t) => {
    const text = readFileSync(new URL('config.yaml', ROOT_FOLDER), 'utf8')
    const etcd = text.replace(/^##(?= )/gm, '').replace(/^#(?=deployment:)/m, '')
    const { settings } = loadText(t, etcd)
    assert.equal(settings.store.type, 'etcd')
    assert.deepEqual(settings.deployment.etcd, loadText(t, '').settings.deployment.etcd)
  })
})

describe('the reference of settings', () => {
  it('has one row for each key', () => assertGenerated('docs/reference/config.md', TABLE, renderKeyTable()))

  it('explains every key and has a default for nothing unknown', () => {
    const keys = settingsKeys()
    for (const { path, spec } of keys) assert.notEqual(spec.doc, '', path)
    const known = new Set(keys.map(({ path }) => path))
    const check = (value: unknown, path: string): void => {
      if (path !== '') assert.ok(known.has(path), `${path} has a default and no key`)
      if (isMap(value)) for (const [name, child] of Object.entries(value)) check(child, childPath(path, name))
    }
    check(DEFAULTS, '')
  })
})
