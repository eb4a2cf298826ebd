import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import ipRestriction from './index.ts'

const NOT_LISTED = 'value should match only one schema, but matches none'
const BOTH = 'value should match only one schema, but matches both schemas 1 and 2'

async function statusOf(config: Record<string, unknown>, remoteAddr: string) {
  return (await mountPlugin(ipRestriction, config).request({ remoteAddr })).status
}

describe('ip-restriction', () => {
  const CASES: [what: string, config: Record<string, unknown>, address: string, status: number][] = [
    ['lets a listed address pass', { whitelist: ['192.0.2.1'] }, '192.0.2.1', 200],
    ['refuses one beside the whitelist', { whitelist: ['192.0.2.1'] }, '192.0.2.2', 403],
    ['reads blocks', { whitelist: ['10.0.0.0/8', '192.0.2.0/24'] }, '192.0.2.77', 200],
    ['reads blocks whose host bits are set', { whitelist: ['192.0.2.9/24'] }, '192.0.2.77', 200],
    ['knows where a block ends', { whitelist: ['192.0.2.0/25'] }, '192.0.2.128', 403],
    ['refuses a blacklisted address', { blacklist: ['192.0.2.0/24'] }, '192.0.2.1', 403],
    ['lets pass what is not blacklisted', { blacklist: ['192.0.2.0/24'] }, '198.51.100.1', 200],
    ['reads IPv6', { whitelist: ['2001:db8::/32'] }, '2001:db8:1::5', 200],
    ['keeps IPv6 apart from IPv4', { blacklist: ['0.0.0.0/0'] }, '2001:db8::1', 200],
    [
      'takes a mapped address for the IPv4 address it is',
      { blacklist: ['192.0.2.1'] },
      '::ffff:192.0.2.1',
      403,
    ],
    ['refuses what is no address with a whitelist', { whitelist: ['0.0.0.0/0'] }, 'unix:', 403],
    ['answers with the status it is told', { whitelist: ['::1'], response_code: 404 }, '192.0.2.1', 404],
  ]
  for (const [what, config, address, status] of CASES) {
    it(what, async () => {
      assert.equal(await statusOf(config, address), status)
    })
  }

  it('says why, and does not ask the upstream', async () => {
    const answer = await mountPlugin(ipRestriction, { whitelist: ['::1'] }).request()
    assert.equal(answer.body, '{"message":"Your IP address is not allowed"}\n')
    assert.equal(answer.sent, undefined)
    const told = await mountPlugin(ipRestriction, { whitelist: ['::1'], message: 'no' }).request()
    assert.equal(told.body, '{"message":"no"}\n')
  })

  const REFUSED: [what: string, config: Record<string, unknown>, text: string | RegExp][] = [
    ['no list', {}, NOT_LISTED],
    ['both lists', { whitelist: ['::1'], blacklist: ['::1'] }, BOTH],
    ['an empty list', { whitelist: [] }, /expect array to have at least 1 items/],
    ['a name', { whitelist: ['localhost'] }, /failed to validate item 1: /],
    ['too long a prefix', { whitelist: ['::1', '10.0.0.0/33'] }, /failed to validate item 2: /],
    ['an octet above 255', { blacklist: ['10.255.256.0/24'] }, 'invalid ip address: 10.255.256.0/24'],
    ['an IPv6 prefix above 128', { whitelist: ['::1/129'] }, 'invalid ip address: ::1/129'],
    ['another status', { whitelist: ['::1'], response_code: 401 }, /matches none of the enum values/],
    ['an empty message', { whitelist: ['::1'], message: '' }, /string too short/],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`refuses to be configured with ${what}`, () => {
      const said = refusal(ipRestriction, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }
})
