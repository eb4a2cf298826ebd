import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import refererRestriction from './index.ts'

type Config = Record<string, unknown>

const LISTED = ['xx.com', '*.yy.com']
const ALLOW = { whitelist: LISTED }
const DENY = { blacklist: LISTED }
const BYPASS = { bypass_missing: true }
const NONE = 'value should match only one schema, but matches none'
const BOTH = 'value should match only one schema, but matches both schemas 1 and 2'

describe('referer-restriction', () => {
  const CASES: [what: string, config: Config, referer: string | string[] | undefined, status: number][] = [
    ['lets a listed host pass', ALLOW, 'http://xx.com/page?a=b#c', 200],
    ['lets a listed host without a path pass', ALLOW, 'https://xx.com', 200],
    ['lets a host below a listed one pass', ALLOW, 'https://a.b.yy.com/', 200],
    ['does not count the parent of a wildcard', ALLOW, 'https://yy.com/', 403],
    ['does not take a longer name for a listed one', ALLOW, 'http://notxx.com/', 403],
    ['does not take a name that begins alike', ALLOW, 'http://xx.com.evil.org/', 403],
    ['refuses a host below a plain name', ALLOW, 'http://sub.xx.com/', 403],
    ['leaves the port out', ALLOW, 'http://xx.com:8080/page', 200],
    ['heeds no case', { whitelist: ['XX.com'] }, 'HTTP://xX.CoM/', 200],
    ['takes one trailing dot for the same host', ALLOW, 'http://xx.com./', 200],
    ['reads IPv6', { whitelist: ['[::1]'] }, 'http://[::1]:80/', 200],
    ['lets all hosts pass for *', { whitelist: ['*'] }, 'http://any.org/', 200],
    ['refuses a blacklisted host', DENY, 'http://xx.com/', 403],
    ['refuses a host below a blacklisted one', DENY, 'http://z.yy.com/', 403],
    ['lets pass what is not blacklisted', DENY, 'http://zz.com/', 200],
    ['refuses a request without the header', ALLOW, undefined, 403],
    ['refuses it with a blacklist too', DENY, undefined, 403],
    ['lets it pass when told to', { ...ALLOW, ...BYPASS }, undefined, 200],
    ['takes a text that is no URL for a missing one', ALLOW, 'xx.com', 403],
    ['lets that pass when told to', { ...ALLOW, ...BYPASS }, 'xx.com', 200],
    ['is not led astray by user information', ALLOW, 'http://xx.com@evil.org/', 403],
    ['is not led astray by a backslash', ALLOW, 'http://evil.org\\@xx.com/', 403],
    ['refuses when one of several lines is not listed', ALLOW, ['http://xx.com/', 'http://zz.com/'], 403],
    ['refuses when one of several lines is blacklisted', DENY, ['http://zz.com/', 'http://xx.com/'], 403],
  ]
  for (const [what, config, referer, status] of CASES) {
    it(what, async () => {
      const headers = referer === undefined ? {} : { referer }
      assert.equal((await mountPlugin(refererRestriction, config).request({ headers })).status, status)
    })
  }

  it('says why, and does not ask the upstream', async () => {
    const answer = await mountPlugin(refererRestriction, ALLOW).request()
    assert.equal(answer.body, '{"message":"Your referer host is not allowed"}\n')
    assert.equal(answer.sent, undefined)
    const told = await mountPlugin(refererRestriction, { ...ALLOW, message: 'no' }).request()
    assert.equal(told.body, '{"message":"no"}\n')
  })

  const REFUSED: [what: string, config: Config, text: string | RegExp][] = [
    ['no list', {}, NONE],
    ['both lists', { ...ALLOW, ...DENY }, BOTH],
    ['an empty list', { whitelist: [] }, /expect array to have at least 1 items/],
    [
      'a URL for a host',
      { whitelist: ['http://xx.com/'] },
      /failed to validate item 1: failed to match pattern/,
    ],
    ['a wildcard in the middle', { blacklist: ['a.*.com'] }, /failed to match pattern/],
    ['an empty message', { ...ALLOW, message: '' }, /string too short/],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`refuses to be configured with ${what}`, () => {
      const said = refusal(refererRestriction, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }
})
