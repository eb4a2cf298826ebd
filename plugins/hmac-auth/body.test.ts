import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { signatureHeader } from '../../test/support/hmac.ts'
import hmacAuth from './index.ts'

const DATE = new Date(Date.UTC(2026, 0, 1)).toUTCString()
const KEY = { keyId: 'jacks-id', secret: 'jacks-secret' }
const consumers = [
  { username: 'jack', plugins: { 'hmac-auth': { key_id: KEY.keyId, secret_key: KEY.secret } } },
]
const REFUSED = '{"message":"client request can\'t be validated"}\n'

const digestOf = (body: string) => `SHA-256=${createHash('sha256').update(body).digest('base64')}`

/** A request whose date and digest are signed. */
function signed(body: string, digest = digestOf(body), secret = KEY.secret) {
  const lines = [`date: ${DATE}`, `digest: ${digest}`]
  const Authorization = signatureHeader({ ...KEY, secret, headers: ['date', 'digest'], lines })
  return { method: 'POST', body, headers: { Date: DATE, Digest: digest, Authorization } }
}

function mount(config: Record<string, unknown> = {}) {
  const asked = { validate_request_body: true, signed_headers: ['date', 'digest'] }
  return mountPlugin(hmacAuth, { ...asked, ...config }, { consumers })
}

describe('hmac-auth with validate_request_body', () => {
  it('lets a body through that has its digest', async () => {
    const answer = await mount().request(signed('{"a":"grüße"}'))
    assert.equal(answer.status, 200)
    assert.equal(answer.sent?.body, '{"a":"grüße"}')
    assert.equal(answer.context.consumer?.name, 'jack')
  })

  it('refuses a body that has another one', async () => {
    const mounted = mount()
    const other = [
      digestOf('b'),
      digestOf('a').replace('SHA-256', 'sha-256'),
      `${digestOf('a')} `,
      'SHA-256=',
    ]
    for (const digest of other) {
      const answer = await mounted.request(signed('a', digest))
      assert.equal(answer.status, 401, digest)
      assert.equal(answer.body, REFUSED)
      assert.equal(answer.headers.get('www-authenticate'), 'hmac realm="hmac"')
      assert.equal(answer.context.consumer, undefined)
    }
  })

  it('wants a digest of every request, also of one without a body', async () => {
    const mounted = mount({ signed_headers: ['date'] })
    const Authorization = signatureHeader({ ...KEY, lines: [`date: ${DATE}`] })
    const headers = { Date: DATE, Authorization }
    assert.equal((await mounted.request({ headers })).status, 401)
    assert.equal((await mounted.request({ headers: { ...headers, Digest: digestOf('') } })).status, 200)
    assert.equal((await mounted.request({ headers: { ...headers, Digest: digestOf('a') } })).status, 401)
  })

  it('answers 413 to a body that is longer than it may be', async () => {
    const mounted = mount({ max_req_body_size: 4 })
    assert.equal((await mounted.request(signed('1234'))).status, 200)
    assert.equal((await mounted.request(signed('12345'))).status, 413)
  })

  it('keeps no body of those who have not signed', async () => {
    const mounted = mount({ max_req_body_size: 4 })
    const answer = await mounted.request(signed('12345', digestOf('12345'), 'wrong'))
    assert.equal(answer.status, 401)
  })

  it('looks at no digest unless it is told to', async () => {
    const answer = await mount({ validate_request_body: false }).request(signed('a', digestOf('b')))
    assert.equal(answer.status, 200)
  })
})
