import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { resolveAdminKey } from './admin-key.ts'
import { loadSettings } from './load.ts'
import type { Settings } from './settings.ts'

function settingsIn(t: TestContext, flags: Record<string, unknown> = {}): Settings {
  const path = mkdtempSync(join(tmpdir(), 'gatewright-key-'))
  t.after(() => rmSync(path, { recursive: true }))
  return loadSettings({ env: {}, workingDirectory: path, flags }).settings
}

describe('the admin key', () => {
  it('is generated at the first start, kept for the owner alone, and the same at the next', (t) => {
    const settings = settingsIn(t)
    const first = resolveAdminKey(settings)
    assert.match(first.generated!.key, /^[0-9a-f]{48}$/)
    assert.equal(first.generated!.isNew, true)
    assert.deepEqual(first.settings.deployment.admin.admin_key, [
      { name: 'generated', key: first.generated!.key, role: 'admin' },
    ])
    const path = join(settings.gatewright.data_dir, 'admin.key')
    assert.equal(readFileSync(path, 'utf8'), `${first.generated!.key}\n`)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(settings.gatewright.data_dir).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(settings.gatewright.data_dir), ['admin.key'])

    const second = resolveAdminKey(settings)
    assert.deepEqual(second.generated, { ...first.generated, isNew: false })
  })

  it('is different for each installation', (t) => {
    const keys = [settingsIn(t), settingsIn(t)].map((settings) => resolveAdminKey(settings).generated?.key)
    assert.notEqual(keys[0], keys[1])
  })

  it('is left alone when one is configured, none is required, or the admin API is off', (t) => {
    const own = { 'deployment.admin.admin_key': [{ name: 'a', key: 'mine', role: 'admin' }] }
    const cases = [own, { 'deployment.admin.admin_key_required': false }, { 'apisix.enable_admin': false }]
    for (const flags of cases) {
      const settings = settingsIn(t, flags)
      assert.deepEqual(resolveAdminKey(settings), { settings })
    }
  })

  it('loses rights that a copy gave to others', (t) => {
    const settings = settingsIn(t)
    const { path } = resolveAdminKey(settings).generated!
    chmodSync(path, 0o644)
    resolveAdminKey(settings)
    assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  it('is refused when its file is damaged, with the way out', (t) => {
    const settings = settingsIn(t)
    const { path } = resolveAdminKey(settings).generated!
    writeFileSync(path, 'short\n')
    assert.throws(() => resolveAdminKey(settings), /holds no key of 32 or more characters; delete it/)
  })

  it('says which setting is wrong when the directory cannot be made', (t) => {
    const settings = settingsIn(t)
    writeFileSync(settings.gatewright.data_dir, '')
    assert.throws(() => resolveAdminKey(settings), /gatewright\.data_dir: the admin key cannot be kept in/)
  })
})
