import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { UpstreamAnswer } from '../../src/testing/plugin-request.ts'
import echo from './index.ts'

const answered = (config: Record<string, unknown>, upstream: UpstreamAnswer = {}) =>
  mountPlugin(echo, config).request({ upstream })

describe('echo', () => {
  it('puts text before and after the body, once each', async () => {
    const config = { before_body: 'before ', after_body: ' after' }
    assert.equal((await answered(config, { body: ['a', 'b'] })).body, 'before ab after')
    assert.equal((await answered(config, { body: [] })).body, 'before  after')
    assert.equal((await answered({ before_body: '>' }, { body: ['a', 'b'] })).body, '>ab')
    assert.equal((await answered({ after_body: '<' }, { body: ['a', 'b'] })).body, 'ab<')
  })

  it('replaces the body, with text around it if there is any', async () => {
    assert.equal((await answered({ body: 'new' }, { body: ['a', 'b'] })).body, 'new')
    const config = { before_body: '(', body: 'new', after_body: ')' }
    assert.equal((await answered(config, { body: 'old' })).body, '(new)')
    assert.equal((await answered({ body: '' }, { body: 'old' })).body, '')
  })

  it('sets headers and drops those that described the old body', async () => {
    const config = { body: 'new', headers: { 'X-A': 'b', 'X-N': 1 } }
    const headers = { 'Content-Length': '3', ETag: '"e"', 'x-a': 'a', 'X-Kept': '1' }
    const answer = await answered(config, { headers, body: 'old' })
    assert.deepEqual(answer.headers.raw(), ['X-Kept', '1', 'X-A', 'b', 'X-N', '1'])
  })

  it('puts nothing into a packed body, but may replace it', async () => {
    const packed: UpstreamAnswer = { headers: { 'Content-Encoding': 'gzip' }, body: gzipSync('old') }
    const kept = await answered({ before_body: 'x', headers: { 'X-A': 'b' } }, packed)
    assert.deepEqual([...kept.bytes], [...(packed.body as Buffer)])
    assert.deepEqual(kept.headers.raw(), ['Content-Encoding', 'gzip', 'X-A', 'b'])
    const replaced = await answered({ body: 'new' }, packed)
    assert.equal(replaced.body, 'new')
    assert.equal(replaced.headers.has('content-encoding'), false)
  })

  it("changes the gateway's own answers too", async () => {
    const answer = await mountPlugin(echo, { body: 'sorry' }).request({ upstream: 'refused' })
    assert.deepEqual([answer.status, answer.body], [502, 'sorry'])
  })

  it('refuses a configuration without text, and headers that cannot be', () => {
    const none = 'object matches none of the required: ["before_body"] or ["body"] or ["after_body"]'
    assert.equal(refusal(echo, {}), none)
    assert.equal(refusal(echo, { headers: { A: 'b' } }), none)
    assert.match(refusal(echo, { body: 'a', headers: {} }) ?? '', /at least 1 properties/)
    assert.equal(
      refusal(echo, { body: 'a', headers: { A: 'a\r\nB: c' } }),
      'invalid value character in header',
    )
  })
})
