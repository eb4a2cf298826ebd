import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIpSet } from '../lib/ip-set.ts'
import { clientAddress } from './client-address.ts'
import type { ConnectionFacts } from './connection-facts.ts'

const PEER: ConnectionFacts = {
  peerAddr: '10.0.0.1',
  peerPort: 1,
  serverAddr: '10.0.0.2',
  serverPort: 2,
  scheme: 'http',
  isTrusted: false,
  isRealIpSource: true,
}
const believed = createIpSet(['10.0.0.0/8', 'fd00::/8'])

interface Case {
  readonly header: string | undefined
  readonly last: string
  /** With `real_ip_recursive`; the same as `last` when absent. */
  readonly outside?: string
}

const CASES: readonly Case[] = [
  { header: undefined, last: '10.0.0.1' },
  { header: '203.0.113.7', last: '203.0.113.7' },
  { header: '203.0.113.7:4711', last: '203.0.113.7' },
  { header: '2001:db8::1', last: '2001:db8::1' },
  { header: '[2001:db8::1]', last: '2001:db8::1' },
  { header: '[2001:db8::1]:4711', last: '2001:db8::1' },
  { header: '6.6.6.6, 203.0.113.7', last: '203.0.113.7' },
  { header: '6.6.6.6, 203.0.113.7 ,10.1.1.1,fd00::1', last: 'fd00::1', outside: '203.0.113.7' },
  { header: '10.3.3.3, 10.2.2.2', last: '10.2.2.2', outside: '10.3.3.3' },
  { header: 'unknown', last: '10.0.0.1' },
  { header: '', last: '10.0.0.1' },
  { header: '203.0.113.7, evil', last: '10.0.0.1' },
  { header: '1.2.3.4.5', last: '10.0.0.1' },
]

describe('the address of the client', () => {
  for (const { header, last, outside = last } of CASES) {
    it(`behind a believed peer that says ${JSON.stringify(header)} is ${last}, recursively ${outside}`, () => {
      for (const [isRecursive, expected] of [
        [false, last],
        [true, outside],
      ] as const) {
        const rule = { header: 'x-forwarded-for', isRecursive, isBelieved: (ip: string) => believed.has(ip) }
        assert.equal(clientAddress(PEER, { 'x-forwarded-for': header }, rule), expected)
      }
    })
  }

  it('is the peer itself when that is not believed', () => {
    const rule = { header: 'x-real-ip', isRecursive: false, isBelieved: () => true }
    const peer = { ...PEER, isRealIpSource: false }
    assert.equal(clientAddress(peer, { 'x-real-ip': '1.2.3.4' }, rule), '10.0.0.1')
  })
})
