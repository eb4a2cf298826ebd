import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import uaRestriction from './index.ts'

type Config = Record<string, unknown>

const BOT = 'my-bot/1.0'
const NONE = 'value should match only one schema, but matches none'
const BOTH = 'value should match only one schema, but matches both schemas 1 and 2'

describe('ua-restriction', () => {
  const CASES: [what: string, config: Config, agent: string | string[] | undefined, status: number][] = [
    ['lets a listed agent pass', { allowlist: ['^my-bot/'] }, BOT, 200],
    ['refuses one beside the allowlist', { allowlist: ['^my-bot/'] }, 'curl/8', 403],
    ['refuses a denied agent', { denylist: ['curl', '(my-bot)'] }, BOT, 403],
    ['lets pass what is not denied', { denylist: ['my-bot'] }, 'curl/8', 200],
    ['heeds case', { denylist: ['MY-BOT'] }, BOT, 200],
    ['heeds flags of a pattern', { denylist: ['(?i)MY-BOT'] }, BOT, 403],
    ['looks past blanks around the name', { denylist: ['^my-bot/1.0$'] }, `  ${BOT} `, 403],
    ['refuses a request without the header', { allowlist: ['.*'] }, undefined, 403],
    ['refuses it with a denylist too', { denylist: ['my-bot'] }, undefined, 403],
    ['lets it pass when told to', { allowlist: ['my-bot'], bypass_missing: true }, undefined, 200],
    ['takes an empty header for a name', { denylist: ['my-bot'] }, '', 200],
    ['refuses when one of several lines is denied', { denylist: ['my-bot'] }, ['curl/8', BOT], 403],
    ['refuses when one of several lines is not allowed', { allowlist: ['my-bot'] }, [BOT, 'curl/8'], 403],
  ]
  for (const [what, config, agent, status] of CASES) {
    it(what, async () => {
      const headers = agent === undefined ? {} : { 'user-agent': agent }
      assert.equal((await mountPlugin(uaRestriction, config).request({ headers })).status, status)
    })
  }

  it('says why, and does not ask the upstream', async () => {
    const answer = await mountPlugin(uaRestriction, { allowlist: ['a'] }).request()
    assert.equal(answer.body, '{"message":"Not allowed"}\n')
    assert.equal(answer.sent, undefined)
    const told = await mountPlugin(uaRestriction, { allowlist: ['a'], message: 'go away' }).request()
    assert.equal(told.body, '{"message":"go away"}\n')
  })

  const REFUSED: [what: string, config: Config, text: string | RegExp][] = [
    ['no list', {}, NONE],
    ['both lists', { allowlist: ['a'], denylist: ['a'] }, BOTH],
    ['an empty list', { denylist: [] }, /expect array to have at least 1 items/],
    ['an empty pattern', { denylist: [''] }, /string too short/],
    ['a pattern that is none', { denylist: ['a', '('] }, /^denylist\[1\] "\(": /],
    ['an empty message', { denylist: ['a'], message: '' }, /string too short/],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`refuses to be configured with ${what}`, () => {
      const said = refusal(uaRestriction, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }
})
