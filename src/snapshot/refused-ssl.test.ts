import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCertificate } from '../../test/support/certificates.ts'
import { compileWorld } from '../../test/support/compile-world.ts'
import type { SecretSource } from '../secret/secret-source.ts'
import type { StoredItem } from '../store/config-store.ts'
import { readRefused, standInsFor } from './refused-ssl.ts'

const open = { sni: 'a.test', ...makeCertificate({ names: ['a.test'] }) }

const NO_SECRETS: SecretSource = { read: () => ({ ok: false, reason: 'none' }) }

function itemOf(document: unknown, revision: number): StoredItem {
  const value = JSON.stringify(document)
  return { key: '/apisix/ssls/1', value, createRevision: 1, modRevision: revision }
}

describe('an ssl that is refused', () => {
  it('is served by its last good version again when the store goes back to that', async () => {
    const { publisher } = compileWorld()
    const refusal = () => publisher.current.certificates.find('a.test')?.refusal
    for (const [document, revision, isRefused] of [
      [open, 1, false],
      [{ ...open, client: {} }, 2, true],
      [open, 1, false],
    ] as const) {
      publisher.onState({ items: [itemOf(document, revision)], revision })
      await publisher.settled()
      assert.equal(refusal() !== undefined, isRefused, `revision ${revision}`)
    }
  })

  it('is the same version until another one is stored', async () => {
    const { publisher } = compileWorld()
    for (const revision of [1, 2, 2]) {
      publisher.onState({ items: [itemOf({ ...open, client: {} }, revision)], revision })
      await publisher.settled()
    }
    assert.equal(publisher.current.certificates.find('a.test')?.names.length, 1)
    publisher.onState({ items: [], revision: 3 })
    await publisher.settled()
    assert.equal(publisher.current.certificates.find('a.test'), undefined)
  })

  it('tells a few of its names, and how many there are more', () => {
    const snis = Array.from({ length: 7 }, (_, index) => `${index}.test`)
    const refused = readRefused(JSON.stringify({ snis, client: {} }), 'no ca', NO_SECRETS)
    const { consequence, certificates } = standInsFor('1', refused!, undefined)!
    assert.match(consequence!, /for 0\.test, 1\.test, 2\.test, 3\.test, 4\.test and 2 more are refused/)
    assert.deepEqual([certificates[0]?.names.length, certificates[0]?.refusal], [7, 'no ca'])
  })

  it('says nothing when it is no JSON object', () => {
    for (const text of ['', '{', '[]', 'null', '7'])
      assert.equal(readRefused(text, 'x', NO_SECRETS), undefined, text)
  })
})
