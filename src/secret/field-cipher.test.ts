import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createFieldCipher, type FieldCipherOptions } from './field-cipher.ts'

const KEY_16 = '0123456789abcdef'
const KEY_32 = '0123456789abcdefFEDCBA9876543210'
const OWN_KEY = Buffer.alloc(32, 7)

function cipherWith(options: Partial<FieldCipherOptions>) {
  return createFieldCipher({ isEnabled: true, keyring: [], isOwnWriter: true, ...options })
}

/** APISIX's format, made without the code under test. */
function apisix(text: string, key: string): string {
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, Buffer.from(key).subarray(0, 16))
  return Buffer.concat([cipher.update(text), cipher.final()]).toString('base64')
}

describe('a field cipher with a keyring', () => {
  it('writes what openssl writes', (t) => {
    const hex = Buffer.from('edd1c9f0985e76a2').toString('hex')
    const arguments_ = ['enc', '-aes-128-cbc', '-K', hex, '-iv', hex, '-base64', '-A']
    const { error, status, stdout } = spawnSync('openssl', arguments_, { input: 'abc', encoding: 'utf8' })
    if (error || status !== 0) return t.skip('openssl is not installed')
    assert.equal(cipherWith({ keyring: ['edd1c9f0985e76a2'] }).encrypt('abc'), stdout.trim())
  })

  it('writes with the first key, of 16 or of 32 bytes', () => {
    for (const key of [KEY_16, KEY_32]) {
      const cipher = cipherWith({ keyring: [key, 'qeddd145sfvddff3'] })
      assert.equal(cipher.writes, 'shared')
      assert.equal(cipher.encrypt('secrét'), apisix('secrét', key))
      assert.equal(cipher.decrypt(apisix('secrét', key)), 'secrét')
    }
  })

  it('reads what any of its keys wrote, also where a wrong key happens to fit the padding', () => {
    const cipher = cipherWith({ keyring: [KEY_32, KEY_16] })
    for (let index = 0; index < 2000; index++) {
      assert.equal(cipher.decrypt(apisix(`value ${index}`, KEY_16)), `value ${index}`)
    }
  })

  it('reads what an APISIX with its default keyring wrote, and does not write so by itself', () => {
    const stored = apisix('abc', 'qeddd145sfvddff3')
    assert.equal(cipherWith({ keyring: [KEY_16] }).decrypt(stored), 'abc')
    assert.equal(cipherWith({ isOwnWriter: false }).decrypt(stored), 'abc')
    assert.equal(cipherWith({ isOwnWriter: false }).encrypt('abc'), 'abc')
    assert.equal(cipherWith({ isOwnWriter: false }).writes, 'plain')
  })

  it('returns what was never encrypted as it is', () => {
    const cipher = cipherWith({ keyring: [KEY_16] })
    const texts = [
      '',
      'abc',
      'YWJj',
      apisix('abc', 'another-key-1234'),
      '-----BEGIN PRIVATE KEY-----\nMII=\n',
    ]
    for (const text of texts) assert.equal(cipher.decrypt(text), text)
  })

  it('does not encrypt twice, and writes anew what an older key wrote', () => {
    const cipher = cipherWith({ keyring: [KEY_16, KEY_32] })
    const stored = cipher.encrypt('abc')
    assert.equal(cipher.encrypt(stored), stored)
    assert.equal(cipher.encrypt(apisix('abc', KEY_32)), stored)
  })

  it('says which length of a key is wrong, not the key', () => {
    assert.throws(() => cipherWith({ keyring: ['planted'] }), {
      message: 'a key of the keyring has 7 bytes; use 16 or 32',
    })
  })
})

describe('a field cipher with a key of its own', () => {
  it('writes differently each time what it reads the same', () => {
    const cipher = cipherWith({ ownKey: OWN_KEY })
    assert.equal(cipher.writes, 'own')
    const [one, other] = [cipher.encrypt('abc'), cipher.encrypt('abc')]
    assert.notEqual(one, other)
    assert.deepEqual([cipher.decrypt(one), cipher.decrypt(other), cipher.encrypt(one)], ['abc', 'abc', one])
  })

  it('notices a changed text', () => {
    const cipher = cipherWith({ ownKey: OWN_KEY })
    const stored = cipher.encrypt('abc')
    const changed = stored.slice(0, -4) + (stored.endsWith('AAAA') ? 'BBBB' : 'AAAA')
    assert.equal(cipher.decrypt(changed), changed)
    assert.equal(cipher.isUnreadable(changed), true)
    assert.equal(cipher.isUnreadable(stored), false)
    assert.equal(cipher.isUnreadable('abc'), false)
  })

  it('tells what another node encrypted, with or without a key', () => {
    const stored = cipherWith({ ownKey: Buffer.alloc(32, 8) }).encrypt('abc')
    for (const cipher of [cipherWith({ ownKey: OWN_KEY }), cipherWith({ keyring: [KEY_16] })]) {
      assert.equal(cipher.decrypt(stored), stored)
      assert.equal(cipher.isUnreadable(stored), true)
    }
  })

  it('reads on after a keyring came, which then writes', () => {
    const stored = cipherWith({ ownKey: OWN_KEY }).encrypt('abc')
    const cipher = cipherWith({ ownKey: OWN_KEY, keyring: [KEY_16] })
    assert.equal(cipher.decrypt(stored), 'abc')
    assert.equal(cipher.encrypt(stored), apisix('abc', KEY_16))
  })

  it('reads and does not write when encryption is switched off', () => {
    const stored = cipherWith({ ownKey: OWN_KEY }).encrypt('abc')
    const cipher = cipherWith({ ownKey: OWN_KEY, isEnabled: false })
    assert.deepEqual([cipher.writes, cipher.encrypt('abc'), cipher.decrypt(stored)], ['plain', 'abc', 'abc'])
  })
})

describe('every field cipher', () => {
  it('reads any text as it was written, and writes none twice', () => {
    const ciphers = [
      cipherWith({ keyring: [KEY_16] }),
      cipherWith({ keyring: [KEY_32, KEY_16] }),
      cipherWith({ ownKey: OWN_KEY }),
      cipherWith({ isEnabled: false }),
    ]
    const texts = fc.oneof(fc.string({ unit: 'grapheme' }), fc.base64String(), fc.constant('$gw-enc:v1:AAAA'))
    fc.assert(
      fc.property(texts, fc.constantFrom(...ciphers), (text, cipher) => {
        const stored = cipher.encrypt(text)
        assert.equal(cipher.decrypt(stored), text)
        assert.equal(cipher.encrypt(stored), stored)
      }),
    )
  })
})
