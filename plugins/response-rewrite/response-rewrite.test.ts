import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { UpstreamAnswer } from '../../src/testing/plugin-request.ts'
import responseRewrite from './index.ts'

const answered = (config: Record<string, unknown>, upstream: UpstreamAnswer = {}) =>
  mountPlugin(responseRewrite, config).request({ upstream })
const aboutTheBody = { 'Content-Length': '2', ETag: '"e"', 'Last-Modified': 'x', 'Content-Encoding': 'gzip' }

describe('response-rewrite with status and body', () => {
  it('replaces both and drops the headers that described the old body', async () => {
    const answer = await answered(
      { status_code: 201, body: 'new' },
      { body: ['old', 'er'], headers: { ...aboutTheBody, 'X-Kept': '1' } },
    )
    assert.equal(answer.status, 201)
    assert.equal(answer.body, 'new')
    assert.deepEqual(answer.headers.raw(), ['X-Kept', '1'])
  })

  it('leaves body and its headers alone when only the status changes', async () => {
    const answer = await answered({ status_code: 203 }, { body: 'ok', headers: { ETag: '"e"' } })
    assert.deepEqual([answer.status, answer.body, answer.headers.get('etag')], [203, 'ok', '"e"'])
  })

  it('sends an empty body, and a binary one given as base64', async () => {
    assert.equal((await answered({ body: '' })).body, '')
    assert.deepEqual([...(await answered({ body: '/wD+', body_base64: true })).bytes], [255, 0, 254])
  })

  it("changes the gateway's own answers too", async () => {
    const mounted = mountPlugin(responseRewrite, { body: 'sorry' })
    const answer = await mounted.request({ upstream: 'refused' })
    assert.deepEqual([answer.status, answer.body], [502, 'sorry'])
  })
})

describe('response-rewrite with headers', () => {
  it('sets with a flat map; an empty value removes', async () => {
    const answer = await answered(
      { headers: { 'X-A': 'new', 'X-N': 1, 'X-Gone': '' } },
      { headers: { 'x-a': 'old', 'X-Gone': 'old' } },
    )
    assert.deepEqual(answer.headers.all('x-a'), ['new'])
    assert.equal(answer.headers.get('x-n'), '1')
    assert.equal(answer.headers.has('x-gone'), false)
  })

  it('adds lines, then sets, then removes', async () => {
    const headers = { add: ['Set-Cookie: a=1; b', 'X-S:0'], set: { 'X-S': '1' }, remove: ['X-R'] }
    const answer = await answered({ headers }, { headers: { 'Set-Cookie': 'c=2', 'X-R': '1' } })
    assert.deepEqual(answer.headers.all('set-cookie'), ['c=2', 'a=1; b'])
    assert.deepEqual(answer.headers.all('x-s'), ['1'])
    assert.equal(answer.headers.has('x-r'), false)
  })

  it('fills in variables, the status being the new one', async () => {
    const answer = await answered({
      status_code: 204,
      headers: { 'X-Status': '$status', 'X-By': '$balancer_ip:$balancer_port' },
    })
    assert.equal(answer.headers.get('x-status'), '204')
    assert.equal(answer.headers.get('x-by'), '10.0.0.1:80')
  })

  it('lets no value add a line', async () => {
    const mounted = mountPlugin(responseRewrite, { headers: { 'X-Q': '$arg_q' } })
    const answer = await mounted.request({ target: '/?q=a%0d%0aSet-Cookie:%20x' })
    assert.equal(answer.headers.get('x-q'), 'a Set-Cookie: x')
  })
})

describe('response-rewrite with vars', () => {
  it('changes only responses for which the expression holds, judged before the change', async () => {
    const config = { vars: [['status', '==', 200]], status_code: 418, body: 'teapot' }
    const mounted = mountPlugin(responseRewrite, config)
    const changed = await mounted.request()
    assert.deepEqual([changed.status, changed.body], [418, 'teapot'])
    const kept = await mounted.request({ upstream: { status: 404, body: 'none' } })
    assert.deepEqual([kept.status, kept.body], [404, 'none'])
  })
})

describe('response-rewrite with filters', () => {
  const filters = (...list: Record<string, unknown>[]) => ({ filters: list })

  it('replaces the first match, or all, across chunks, one filter after the other', async () => {
    const body = ['hel', 'lo hello']
    assert.equal((await answered(filters({ regex: 'hello', replace: 'bye' }), { body })).body, 'bye hello')
    const all = filters(
      { regex: 'hello', replace: 'bye', scope: 'global' },
      { regex: '(b)(ye)$', replace: '$2${1}$$$0' },
    )
    assert.equal((await answered(all, { body })).body, 'bye yeb$bye')
  })

  it('knows the options of PCRE, and its bytes', async () => {
    const upstream = { body: 'HÉllo' }
    assert.equal(
      (await answered(filters({ regex: 'hÉLLO', replace: 'x', options: 'ij' }), upstream)).body,
      'x',
    )
    assert.equal((await answered(filters({ regex: 'H..l', replace: 'é' }), upstream)).body, 'élo')
    assert.equal(
      (await answered(filters({ regex: 'H.l', replace: 'é', options: 'u' }), upstream)).body,
      'élo',
    )
  })

  it('leaves a binary body intact where nothing matches', async () => {
    const body = Uint8Array.from({ length: 256 }, (_, i) => i)
    const answer = await answered(filters({ regex: 'nothing', replace: '' }), { body })
    assert.deepEqual([...answer.bytes], [...body])
  })

  it('clears the headers that described the body', async () => {
    const { 'Content-Encoding': _, ...headers } = aboutTheBody
    const answer = await answered(filters({ regex: 'o', replace: '0' }), { headers, body: 'ok' })
    assert.equal(answer.body, '0k')
    assert.deepEqual(answer.headers.raw(), [])
  })

  it('unpacks gzip, br and both kinds of deflate', async () => {
    const packers = [
      ['gzip', gzipSync],
      ['br', brotliCompressSync],
      ['deflate', deflateSync],
      ['deflate', deflateRawSync],
    ] as const
    for (const [coding, pack] of packers) {
      const upstream = { headers: { 'Content-Encoding': coding }, body: pack('hello') }
      const answer = await answered(filters({ regex: 'l+', replace: 'L' }), upstream)
      assert.equal(answer.body, 'heLo', coding)
      assert.equal(answer.headers.has('content-encoding'), false)
    }
  })

  it('leaves a body of another coding as it is', async () => {
    const upstream = { headers: { 'Content-Encoding': 'zstd', ETag: '"e"' }, body: 'hello' }
    const answer = await answered(filters({ regex: 'l', replace: 'L' }), upstream)
    assert.equal(answer.body, 'hello')
    assert.equal(answer.headers.get('content-encoding'), 'zstd')
    assert.equal(answer.headers.get('etag'), '"e"')
  })

  it('breaks off a body that exceeds the bound, packed or unpacked', async () => {
    const config = { ...filters({ regex: 'a', replace: 'b' }), max_resp_body_size: 1000 }
    await assert.rejects(
      answered(config, { body: ['x'.repeat(600), 'x'.repeat(600)] }),
      /exceeds max_resp_body_size 1000/,
    )
    const bomb = gzipSync('x'.repeat(1_000_000))
    assert.ok(bomb.length < 1000 * 2)
    await assert.rejects(
      answered(
        { ...config, max_resp_body_size: 10_000 },
        { headers: { 'Content-Encoding': 'gzip' }, body: bomb },
      ),
      RangeError,
    )
  })

  it('keeps two configurations apart in one request', async () => {
    const mounted = mountPlugin(responseRewrite, filters({ regex: 'a', replace: 'b' }))
    mounted.add(filters({ regex: 'b', replace: 'c' }))
    assert.equal((await mounted.request({ upstream: { body: 'a' } })).body, 'c')
  })
})

describe('the configuration of response-rewrite', () => {
  const refused = (config: Record<string, unknown>) => refusal(responseRewrite, config)

  it('refuses what cannot be used, in the words of APISIX', () => {
    assert.equal(refused({}), undefined)
    assert.match(refused({ status_code: 599 }) ?? '', /expected 599 to be at most 598/)
    assert.equal(refused({ body: '%%', body_base64: true }), 'invalid base64 content')
    assert.equal(refused({ body_base64: true }), 'invalid base64 content')
    assert.match(
      refused({ body: 'a', filters: [{ regex: 'a', replace: 'b' }] }) ?? '',
      /^failed to validate dependent schema for "(body|filters)": value wasn't supposed to match schema$/,
    )
    assert.match(refused({ filters: [{ regex: '(', replace: '' }] }) ?? '', /^regex "\(" validation failed: /)
    assert.match(
      refused({ filters: [{ regex: 'a', replace: '', options: 'q' }] }) ?? '',
      /^regex "a" validation failed: unknown option "q"/,
    )
    assert.match(refused({ filters: [{ regex: 'a' }] }) ?? '', /property "replace" is required/)
    assert.equal(
      refused({ vars: [['status', '=', 1]] }),
      "failed to validate the 'vars' expression: invalid operator '='",
    )
    assert.equal(refused({ headers: { set: { 'X-A': 'a\nb' } } }), 'invalid value character in header')
    assert.match(refused({ headers: { add: ['no colon'] } }) ?? '', /^property "headers"/)
  })
})
