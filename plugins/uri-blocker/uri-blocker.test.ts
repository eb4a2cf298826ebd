import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import uriBlocker from './index.ts'

type Config = Record<string, unknown>

const PAGE = 'error page 403'

describe('uri-blocker', () => {
  const CASES: [what: string, config: Config, target: string, status: number][] = [
    ['refuses a path that a rule matches', { block_rules: ['root.exe', 'root.m+'] }, '/a/root.mmm', 403],
    ['lets other paths pass', { block_rules: ['root.exe', 'root.m+'] }, '/a/root', 200],
    ['matches from the start when told to', { block_rules: ['^/internal/'] }, '/a/internal/', 200],
    ['matches the query', { block_rules: ['select.+from'] }, '/?q=select%20a%20from%20b', 403],
    ['matches the query as it was sent', { block_rules: ['q=a b'] }, '/?q=a%20b', 200],
    ['matches the decoded path', { block_rules: ['^/secret'] }, '/%73ecret', 403],
    ['matches what dot segments lead to', { block_rules: ['^/secret'] }, '/a/..//./secret', 403],
    ['heeds case', { block_rules: ['/SECRET'] }, '/secret', 200],
    ['heeds no case when told so', { block_rules: ['/SECRET'], case_insensitive: true }, '/secret', 403],
    ['answers with the status it is told', { block_rules: ['.'], rejected_code: 404 }, '/', 404],
    ['blocks nothing without rules', { block_rules: [] }, '/', 200],
  ]
  for (const [what, config, target, status] of CASES) {
    it(what, async () => {
      assert.equal((await mountPlugin(uriBlocker, config).request({ target })).status, status)
    })
  }

  it('answers with the page of the status, or with the message it is told', async () => {
    const plain = await mountPlugin(uriBlocker, { block_rules: ['.'] }).request()
    assert.equal(plain.body, PAGE)
    assert.equal(plain.sent, undefined)
    const told = await mountPlugin(uriBlocker, { block_rules: ['.'], rejected_msg: 'no' }).request()
    assert.equal(told.body, '{"error_msg":"no"}\n')
  })

  const REFUSED: [what: string, config: Config, text: string | RegExp][] = [
    ['nothing', {}, 'property "block_rules" is required'],
    ['a rule twice', { block_rules: ['a', 'a'] }, /expected unique items but items 1 and 2 are equal/],
    ['an empty rule', { block_rules: [''] }, /string too short/],
    ['a rule that is no pattern', { block_rules: ['a', '(b'] }, /^block_rules\[1\] "\(b": /],
    ['a status below 200', { block_rules: ['a'], rejected_code: 199 }, /expected 199 to be at least 200/],
    ['a status that HTTP has not', { block_rules: ['a'], rejected_code: 1000 }, /to be at most 999/],
    ['an empty message', { block_rules: ['a'], rejected_msg: '' }, /string too short/],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`refuses to be configured with ${what}`, () => {
      const said = refusal(uriBlocker, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }
})
