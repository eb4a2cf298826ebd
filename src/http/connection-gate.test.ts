import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientKey } from './connection-gate.ts'

describe('a client', () => {
  it('is its IPv4 address, also where that is mapped into IPv6', () => {
    assert.equal(clientKey('192.0.2.1'), '192.0.2.1')
    assert.equal(clientKey('::ffff:192.0.2.1'), clientKey('::ffff:192.0.2.1'))
    assert.notEqual(clientKey('::ffff:192.0.2.1'), clientKey('::ffff:192.0.2.2'))
  })

  it('is the first 64 bits of its IPv6 address', () => {
    assert.equal(clientKey('2001:db8::1'), clientKey('2001:db8:0:0:ffff::2'))
    assert.notEqual(clientKey('2001:db8::1'), clientKey('2001:db8:0:1::1'))
  })
})
