import assert from 'node:assert/strict'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseIpv4, parseIpv6 } from './ip-address.ts'
import { createIpSet, IpAddressError } from './ip-set.ts'

describe('ip set', () => {
  const table: [string[], string, boolean][] = [
    [['127.0.0.1'], '127.0.0.1', true],
    [['127.0.0.1'], '127.0.0.2', false],
    [['10.0.0.0/8', '10.1.0.0/16', '192.168.1.0/24'], '10.255.255.255', true],
    [['10.0.0.0/8', '192.168.1.0/24'], '11.0.0.0', false],
    [['10.0.0.0/8', '192.168.1.0/24'], '192.168.1.77', true],
    [['10.9.8.7/8'], '10.0.0.1', true],
    [['0.0.0.0/0'], '255.255.255.255', true],
    [['0.0.0.0/0'], '::1', false],
    [['::/0'], '::1', true],
    [['::/0'], '1.2.3.4', false],
    [['fe80::/10'], 'fe80::1%eth0', true],
    [['2001:db8::/32'], '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', true],
    [['2001:db8::/32'], '2001:db9::', false],
    [['1.2.3.4'], '::ffff:1.2.3.4', true],
    [['1.2.3.4'], '::FFFF:102:304', true],
    [['::ffff:1.2.3.0/120'], '1.2.3.9', true],
    [['::ffff:1.2.3.4'], '1.2.3.4', true],
    [[], '1.2.3.4', false],
    [['1.2.3.4'], 'unix:', false],
    [['1.2.3.4'], '', false],
    [['1.2.3.4'], '1.2.3.04', false],
  ]
  for (const [values, ip, expected] of table) {
    it(`${ip} is ${expected ? '' : 'not '}in [${values}]`, () => {
      assert.equal(createIpSet(values).has(ip), expected)
    })
  }

  const refused = [
    '',
    'a',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/8/8',
    '::/129',
  ]
  for (const value of [
    ...refused,
    ':::',
    '1::2::3',
    '12345::',
    '01.2.3.4',
    '1:2:3:4:5:6:7:8:9',
    'fe80::1%eth0',
  ]) {
    it(`refuses '${value}' and names it`, () => {
      assert.throws(
        () => createIpSet(['127.0.0.1', value]),
        (error) => error instanceof IpAddressError && error.message === `invalid ip address: ${value}`,
      )
    })
  }

  it('reads every address as node:net does', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
      fc.stringMatching(/^([0-9a-f]{0,4}:){0,8}[0-9a-f]{0,4}$/),
    )
    fc.assert(
      fc.property(text, (ip) => {
        assert.equal(parseIpv4(ip) !== -1, isIPv4(ip))
        assert.equal(parseIpv6(ip, new Uint16Array(8)), isIPv6(ip))
      }),
      { numRuns: 2000 },
    )
  })

  it('holds exactly what a list of the same blocks holds', () => {
    const octets = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3))
    const ipv4 = octets.map((parts) => parts.join('.'))
    const ipv6 = octets.map((parts) => `2001:db8::${parts.join(':')}`)
    const block = fc.oneof(
      fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
      fc.tuple(ipv6, fc.integer({ min: 90, max: 128 })),
    )
    const blocks = fc.array(block, { maxLength: 20 })
    fc.assert(
      fc.property(blocks, fc.oneof(ipv4, ipv6), (entries, ip) => {
        const list = new BlockList()
        for (const [address, prefix] of entries)
          list.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6')
        const set = createIpSet(entries.map(([address, prefix]) => `${address}/${prefix}`))
        assert.equal(set.has(ip), list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6'))
      }),
      { numRuns: 1000 },
    )
  })
})
