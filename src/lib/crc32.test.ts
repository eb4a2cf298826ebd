import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CRC32_START, crc32, crc32Bytes, crc32Finish, crc32Text } from './crc32.ts'

describe('crc32', () => {
  it('gives the published check values', () => {
    assert.equal(crc32(''), 0)
    assert.equal(crc32('123456789'), 0xcbf43926)
    assert.equal(crc32('The quick brown fox jumps over the lazy dog'), 0x414fa339)
  })

  it('is the same in one piece and in many', () => {
    const register = crc32Text(crc32Text(CRC32_START, '12345'), '6789')
    assert.equal(crc32Finish(register), 0xcbf43926)
  })

  it('takes a text as Node hands over raw bytes: one code unit, one byte', () => {
    const bytes = Uint8Array.from([0xc3, 0xa9, 0x00, 0xff])
    assert.equal(crc32('\u00c3\u00a9\u0000\u00ff'), crc32Finish(crc32Bytes(CRC32_START, bytes)))
  })

  it('takes a text with higher code units as UTF-8', () => {
    const bytes = Buffer.from('key-中-é', 'utf8')
    assert.equal(crc32('key-中-é'), crc32Finish(crc32Bytes(CRC32_START, bytes)))
  })

  it('feeds all four bytes of a character beyond the basic plane', () => {
    assert.equal(crc32('😀'), crc32Finish(crc32Bytes(CRC32_START, Uint8Array.from([0xf0, 0x9f, 0x98, 0x80]))))
  })
})
