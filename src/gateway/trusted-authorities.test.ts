import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { readTrusted } from './trusted-authorities.ts'

const pem = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`

/** Files that hold a certificate each. */
function files(t: TestContext, ...names: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-trusted-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return names.map((name) => {
    const path = join(folder, name)
    writeFileSync(path, pem(name))
    return path
  })
}

describe('the authorities that are trusted', () => {
  it('are those of one file, of several, and of the system', (t) => {
    const [own, other, bundle, extra] = files(t, 'own', 'other', 'bundle', 'extra') as [
      string,
      string,
      string,
      string,
    ]
    const system = { bundles: ['/nowhere', bundle], env: { NODE_EXTRA_CA_CERTS: extra } }
    assert.equal(readTrusted(own, system), pem('own'))
    assert.equal(readTrusted(`${own}, ${other}`, system), [pem('own'), pem('other')].join('\n'))
    assert.equal(readTrusted('system', system), [pem('bundle'), pem('extra')].join('\n'))
    assert.equal(readTrusted(`system,${own}`, { ...system, env: {} }), [pem('bundle'), pem('own')].join('\n'))
  })

  it('are those of Node.js where the system has none', (t) => {
    const [own] = files(t, 'own') as [string]
    const none = { bundles: [], env: {} }
    assert.equal(readTrusted('system', none), undefined)
    const both = readTrusted(`system,${own}`, none) ?? ''
    assert.ok(both.endsWith(pem('own')))
    assert.ok(both.length > 10_000)
  })

  it('are named when they cannot be read, but for the extra ones', (t) => {
    const [bundle] = files(t, 'bundle') as [string]
    assert.throws(
      () => readTrusted(`${bundle},/nowhere.pem`),
      /"\/nowhere.pem" cannot be read .*name a PEM file/,
    )
    const [empty] = files(t, 'empty') as [string]
    writeFileSync(empty, 'nothing')
    assert.throws(() => readTrusted(empty), /holds no PEM certificate/)
    assert.equal(
      readTrusted('system', { bundles: [bundle], env: { NODE_EXTRA_CA_CERTS: '/nowhere.pem' } }),
      pem('bundle'),
    )
  })
})
