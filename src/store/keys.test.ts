import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { asUtf8, checkKey, compareKeys, endOfPrefix } from './keys.ts'

const text = () => fc.string({ unit: 'binary' })

describe('keys', () => {
  it('are ordered as their UTF-8 bytes', () => {
    fc.assert(
      fc.property(text(), text(), text(), (start, a, b) => {
        const [left, right] = [start + a, start + b]
        assert.equal(
          Math.sign(compareKeys(left, right)),
          Buffer.compare(Buffer.from(left), Buffer.from(right)),
        )
      }),
    )
    assert.ok(compareKeys('\uffee', '\u{1f600}') < 0)
  })

  it('lie between a prefix and its end exactly when they begin with it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 4 }),
        fc.uint8Array({ maxLength: 6 }),
        (prefixBytes, keyBytes) => {
          const [prefix, key] = [Buffer.from(prefixBytes), Buffer.from(keyBytes)]
          const end = endOfPrefix(prefix)
          const isWithin =
            Buffer.compare(key, prefix) >= 0 && (end === undefined || Buffer.compare(key, end) < 0)
          assert.equal(isWithin, key.subarray(0, prefix.length).equals(prefix))
        },
      ),
    )
  })

  it('are refused with the reason', () => {
    assert.throws(() => checkKey(''), /must not be empty/)
    assert.throws(() => checkKey('ü'.repeat(513)), /has 1026 bytes; use at most 1024/)
    assert.throws(() => checkKey('a\udc00'), /half a surrogate pair/)
    assert.doesNotThrow(() => checkKey('ü'.repeat(512)))
  })

  it('and values are kept whole in UTF-8', () => {
    assert.equal(asUtf8('a\ud800b'), 'a\ufffdb')
    assert.equal(asUtf8('😀'), '😀')
  })
})
