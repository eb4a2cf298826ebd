import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openFieldCipher } from './open-field-cipher.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'gatewright-cipher-'))
  t.after(() => rmSync(path, { recursive: true }))
  return join(path, 'data')
}

const OWN = { isEnabled: true, keyring: [], isOwnStore: true }

describe('the field cipher of a node', () => {
  it('makes a key for its own store, for the owner alone, and finds it again', (t) => {
    const dataDir = folder(t)
    const stored = openFieldCipher({ ...OWN, dataDir }).encrypt('abc')
    const path = join(dataDir, 'encryption.key')
    assert.match(readFileSync(path, 'utf8'), /^[0-9a-f]{64}\n$/)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(dataDir), ['encryption.key'])
    chmodSync(path, 0o644)
    assert.equal(openFieldCipher({ ...OWN, dataDir }).decrypt(stored), 'abc')
    assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  it('makes no key where it would not write with it', (t) => {
    const dataDir = folder(t)
    const cases = [{ isOwnStore: false }, { isEnabled: false }, { keyring: ['0123456789abcdef'] }]
    for (const difference of cases) openFieldCipher({ ...OWN, dataDir, ...difference })
    assert.equal(existsSync(dataDir), false)
  })

  it('reads with the key from before when the store is shared now, and does not write with it', (t) => {
    const dataDir = folder(t)
    const stored = openFieldCipher({ ...OWN, dataDir }).encrypt('abc')
    const cipher = openFieldCipher({ ...OWN, dataDir, isOwnStore: false })
    assert.equal(cipher.decrypt(stored), 'abc')
    assert.equal(cipher.writes, 'plain')
  })

  it('refuses a damaged key without showing it', (t) => {
    const dataDir = folder(t)
    openFieldCipher({ ...OWN, dataDir })
    writeFileSync(join(dataDir, 'encryption.key'), 'planted')
    assert.throws(
      () => openFieldCipher({ ...OWN, dataDir }),
      (error: Error) => /encryption\.key: holds no key/.test(error.message) && !/planted/.test(error.message),
    )
  })

  it('has one key when two processes start at once', async (t) => {
    const dataDir = folder(t)
    const module = pathToFileURL(join(import.meta.dirname, 'open-field-cipher.ts')).href
    const script = `
      const { openFieldCipher } = await import(${JSON.stringify(module)})
      process.stdout.write(openFieldCipher(${JSON.stringify({ ...OWN, dataDir })}).encrypt('abc'))`
    const run = () => {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
      t.after(() => child.kill())
      return text(child.stdout)
    }
    const stored = await Promise.all([run(), run()])
    const cipher = openFieldCipher({ ...OWN, dataDir })
    assert.deepEqual(
      stored.map((one) => cipher.decrypt(one)),
      ['abc', 'abc'],
    )
  })
})
