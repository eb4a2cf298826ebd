import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import { signatureHeader } from '../../test/support/hmac.ts'
import hmacAuth from './index.ts'

/** The wall clock of a mounted plugin, see `mountPlugin`. */
const NOW = Date.UTC(2026, 0, 1)
const DATE = new Date(NOW).toUTCString()
const KEY = { keyId: 'jacks-id', secret: 'jacks-secret' }
const jack = {
  username: 'jack',
  labels: { custom_id: '42' },
  plugins: { 'hmac-auth': { key_id: KEY.keyId, secret_key: KEY.secret } },
}
const guest = { username: 'guest', plugins: {} }
const REFUSED = '{"message":"client request can\'t be validated"}\n'

function mount(config: Record<string, unknown> = {}, options: MountOptions = {}) {
  return mountPlugin(hmacAuth, config, { consumers: [jack], ...options })
}

/** Headers of a request whose date alone is signed; `Date` may be another one. */
function signedDate(date = DATE, options: { readonly algorithm?: string } = {}) {
  return { Date: date, Authorization: signatureHeader({ ...KEY, lines: [`date: ${date}`], ...options }) }
}

async function isLetIn(mounted: ReturnType<typeof mount>, init: RequestInit): Promise<boolean> {
  const { status, body } = await mounted.request(init)
  if (status === 200) return true
  assert.equal(status, 401)
  assert.equal(body, REFUSED)
  return false
}

describe('hmac-auth', () => {
  it('lets the consumer in and tells the upstream who it is', async () => {
    const headers = { ...signedDate(), 'X-Consumer-Username': 'root' }
    const answer = await mount().request({ headers })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.sent?.headers.all('x-consumer-username'), ['jack'])
    assert.equal(answer.sent?.headers.get('x-consumer-custom-id'), '42')
  })

  it('says what is missing, with a challenge', async () => {
    const mounted = mount({ realm: 'my api' })
    const without = await mounted.request({ headers: { Date: DATE } })
    assert.equal(without.status, 401)
    assert.equal(
      without.body,
      '{"message":"client request can\'t be validated: missing Authorization header"}\n',
    )
    assert.equal(without.headers.get('www-authenticate'), 'hmac realm="my api"')
    const basic = await mounted.request({ headers: { Date: DATE, Authorization: 'Basic abc' } })
    assert.equal(
      basic.body,
      '{"message":"client request can\'t be validated: Authorization header does not start with \'Signature\'"}\n',
    )
  })

  it('tells nobody what is wrong with a signature', async () => {
    const mounted = mount()
    const good = signedDate().Authorization
    for (const Authorization of [
      'Signature',
      'Signature ',
      'Signature nonsense',
      good.replace('keyId', 'key'),
      good.replace('algorithm="hmac-sha256",', ''),
      good.replace('hmac-sha256', 'hmac-sha512'),
      good.replace('hmac-sha256', 'md5'),
      good.replace('jacks-id', 'anns-id'),
      good.replace(/signature="./, 'signature="!'),
      good.replace(/signature=".*"/, 'signature=""'),
      good.replace('headers="date",', ''),
      good.replace('headers="date"', 'headers="date date"'),
      good.replace('headers="date"', 'headers="date x-absent"'),
      `${good},keyId="jacks-id"`,
      signatureHeader({ ...KEY, secret: 'wrong', lines: [`date: ${DATE}`] }),
      signatureHeader({ ...KEY, lines: [`date: ${DATE}`, ''] }),
    ]) {
      assert.equal(await isLetIn(mounted, { headers: { Date: DATE, Authorization } }), false, Authorization)
    }
  })

  it('refuses a signature that stands twice, whichever of them is right', async () => {
    const { Authorization: good } = signedDate()
    for (const Authorization of [
      [good, 'Signature x'],
      [good, good],
    ]) {
      assert.equal(await isLetIn(mount(), { headers: { Date: DATE, Authorization } }), false)
    }
  })

  it('reads the fields in any order and with blanks between them', async () => {
    const { Date: date, Authorization } = signedDate()
    const fields = Authorization.slice('Signature '.length).split(',').reverse().join(' , ')
    assert.equal(
      await isLetIn(mount(), { headers: { Date: date, Authorization: `Signature  ${fields} ` } }),
      true,
    )
  })

  for (const algorithm of ['hmac-sha1', 'hmac-sha256', 'hmac-sha512']) {
    it(`verifies ${algorithm}, unless it is not allowed`, async () => {
      const headers = signedDate(DATE, { algorithm })
      assert.equal(await isLetIn(mount(), { headers }), true)
      assert.equal(await isLetIn(mount({ allowed_algorithms: [algorithm] }), { headers }), true)
      const others = ['hmac-sha1', 'hmac-sha256', 'hmac-sha512'].filter((one) => one !== algorithm)
      assert.equal(await isLetIn(mount({ allowed_algorithms: others }), { headers }), false)
    })
  }

  it('wants a date within clock_skew of its own, before and after', async () => {
    for (const [config, seconds] of [
      [{}, 300],
      [{ clock_skew: 5 }, 5],
    ] as const) {
      const at = (offset: number) => ({ headers: signedDate(new Date(NOW + offset * 1000).toUTCString()) })
      const mounted = mount(config)
      assert.equal(await isLetIn(mounted, at(seconds)), true)
      assert.equal(await isLetIn(mounted, at(-seconds)), true)
      assert.equal(await isLetIn(mounted, at(seconds + 1)), false)
      assert.equal(await isLetIn(mounted, at(-seconds - 1)), false)
    }
  })

  it('wants the date in the form of HTTP', async () => {
    const mounted = mount()
    for (const date of [
      '2026-01-01T00:00:00Z',
      'Thu, 1 Jan 2026 00:00:00 GMT',
      'Thu, 01 Jan 2026 00:00:00 +0000',
      'Fri, 01 Jan 2026 00:00:00 GMT',
      'Thu, 01 Jan 2026 24:00:00 GMT',
      'now',
      '',
    ]) {
      assert.equal(await isLetIn(mounted, { headers: signedDate(date) }), false, date)
    }
    const { Authorization } = signedDate()
    assert.equal(await isLetIn(mounted, { headers: { Authorization } }), false, 'no date')
  })

  it('wants signed what the route says, in any case', async () => {
    const mounted = mount({ signed_headers: ['@request-target', 'Date', 'X-Tenant'] })
    const lines = { target: 'POST /a/b?c=%20d&e', date: `date: ${DATE}`, tenant: 'x-tenant: 7' }
    const ask = (headers: string[], signed: string[]) =>
      isLetIn(mounted, {
        method: 'POST',
        target: '/a/b?c=%20d&e',
        headers: {
          Date: DATE,
          'X-Tenant': '7',
          Authorization: signatureHeader({ ...KEY, headers, lines: signed }),
        },
      })
    const all = [lines.target, lines.date, lines.tenant]
    assert.equal(await ask(['@request-target', 'date', 'x-tenant'], all), true)
    assert.equal(
      await ask(['X-Tenant', 'Date', '@request-target'], ['X-Tenant: 7', `Date: ${DATE}`, lines.target]),
      true,
    )
    assert.equal(await ask(['@request-target', 'date'], all.slice(0, 2)), false)
    assert.equal(await ask(['date', 'x-tenant'], all.slice(1)), false)
  })

  it('needs nothing signed but the key when the route says so', async () => {
    const headers = { Date: DATE, Authorization: signatureHeader({ ...KEY, headers: [], lines: [] }) }
    assert.equal(await isLetIn(mount({ signed_headers: [] }), { headers }), true)
    assert.equal(await isLetIn(mount(), { headers }), false)
  })

  it('takes a target that was signed for itself alone', async () => {
    const mounted = mount({ signed_headers: ['@request-target'] })
    const headers = ['@request-target', 'date']
    const signed = (line: string) => ({
      Date: DATE,
      Authorization: signatureHeader({ ...KEY, headers, lines: [line, `date: ${DATE}`] }),
    })
    const ask = (line: string, method: string, target: string) =>
      isLetIn(mounted, { headers: signed(line), method, target })
    assert.equal(await ask('GET /a?b=1', 'GET', '/a?b=1'), true)
    assert.equal(await ask('GET /a?b=1', 'DELETE', '/a?b=1'), false)
    assert.equal(await ask('GET /a?b=1', 'GET', '/a?b=2'), false)
    assert.equal(await ask('GET /a?b=1', 'GET', '/a'), false)
    assert.equal(await ask('GET /a?b=1', 'GET', '/A?b=1'), false)
  })

  it('reads the path as variables do, decoded, and the query as sent', async () => {
    const mounted = mount()
    const headers = ['@request-target', 'date']
    const ask = (line: string, target: string) => {
      const Authorization = signatureHeader({ ...KEY, headers, lines: [line, `date: ${DATE}`] })
      return isLetIn(mounted, { target, headers: { Date: DATE, Authorization } })
    }
    assert.equal(await ask('GET /a ü?q=%20', '/a%20%C3%BC?q=%20'), true)
    assert.equal(await ask('GET /b', '/a/../b'), true)
  })

  it('does not take one request for another whose path decodes to the same lines', async () => {
    const mounted = mount({ signed_headers: ['@request-target'] })
    const ask = (headers: string[], lines: string[], target: string) => {
      const Authorization = signatureHeader({ ...KEY, headers, lines })
      return isLetIn(mounted, { target, headers: { Date: DATE, Authorization } })
    }
    const lines = ['GET /a', `date: ${DATE}`]
    assert.equal(await ask(['@request-target', 'date'], lines, '/a'), true)
    const folded = encodeURIComponent(`\ndate: ${DATE}`)
    assert.equal(await ask(['@request-target'], lines, `/a${folded}`), false)
    assert.equal(await ask(['@request-target'], ['GET /a?x=1'], '/a?x=1'), true)
    assert.equal(await ask(['@request-target'], ['GET /a?x=1'], '/a%3Fx=1'), false)
    assert.equal(await ask(['@request-target'], ['GET /a%3Fx=1'], '/a%3Fx=1'), true, 'signed as sent')
  })

  it('counts all lines of a signed header', async () => {
    const mounted = mount()
    const ask = (value: string, sent: string[]) => {
      const lines = [`date: ${DATE}`, `x-role: ${value}`]
      const Authorization = signatureHeader({ ...KEY, headers: ['date', 'x-role'], lines })
      return isLetIn(mounted, { headers: { Date: DATE, 'X-Role': sent, Authorization } })
    }
    assert.equal(await ask('user', ['user']), true)
    assert.equal(await ask('user', ['user', 'admin']), false)
    assert.equal(await ask('user', ['admin', 'user']), false)
    assert.equal(await ask('user, admin', ['user', 'admin']), true)
  })

  it('knows keys and secrets in any script', async () => {
    const auth = { key_id: 'ключ', secret_key: 'тайна' }
    const mounted = mount({}, { consumers: [{ username: 'ann', plugins: { 'hmac-auth': auth } }] })
    const header = signatureHeader({ keyId: 'ключ', secret: 'тайна', lines: [`date: ${DATE}`] })
    const Authorization = Buffer.from(header).toString('latin1')
    assert.equal(await isLetIn(mounted, { headers: { Date: DATE, Authorization } }), true)
  })

  it('hides the credentials from the upstream when told to', async () => {
    const kept = await mount().request({ headers: signedDate() })
    assert.equal(kept.sent?.headers.has('authorization'), true)
    const hidden = await mount({ hide_credentials: true }).request({ headers: signedDate() })
    assert.equal(hidden.sent?.headers.has('authorization'), false)
    assert.equal(hidden.sent?.headers.get('date'), DATE)
  })

  it('lets the anonymous consumer stand in, and hides what did not identify anybody', async () => {
    const config = { anonymous_consumer: 'guest', hide_credentials: true }
    const mounted = mount(config, { consumers: [jack, guest] })
    for (const headers of [{}, { Authorization: 'Basic a' }, { Authorization: 'Signature a' }]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.sent?.headers.get('x-consumer-username'), 'guest')
      assert.equal(answer.sent?.headers.has('authorization'), false)
    }
    assert.equal((await mounted.request({ headers: signedDate() })).context.consumer?.name, 'jack')
    const nobody = await mount({ anonymous_consumer: 'nobody' }).request()
    assert.equal(nobody.body, '{"message":"Invalid user authorization"}\n')
    assert.equal(nobody.headers.get('www-authenticate'), 'hmac realm="hmac"')
  })

  it('checks its configuration, and that of consumers', () => {
    assert.equal(refusal(hmacAuth, {}), undefined)
    assert.match(refusal(hmacAuth, { allowed_algorithms: ['md5'] }) ?? '', /matches none of the enum/)
    assert.match(refusal(hmacAuth, { allowed_algorithms: [] }) ?? '', /expect array to have at least 1/)
    assert.match(refusal(hmacAuth, { clock_skew: 0 }) ?? '', /expected 0 to be at least 1/)
    assert.match(refusal(hmacAuth, { max_req_body_size: 0 }) ?? '', /expected 0 to be at least 1/)
    const said = (config: object) => refusal(hmacAuth, config, 'consumer')
    assert.equal(said({ key_id: 'a' }), 'property "secret_key" is required')
    assert.equal(said({ secret_key: 'a' }), 'property "key_id" is required')
    assert.equal(said({ key_id: 'a', secret_key: 'b'.repeat(256) }), undefined)
    assert.match(said({ key_id: 'a', secret_key: 'b'.repeat(257) }) ?? '', /string too long/)
  })

  it('names the secret key as one, so that it is encrypted and never logged', () => {
    assert.deepEqual(hmacAuth.secretFields, ['secret_key'])
    assert.equal(hmacAuth.consumerKey, 'key_id')
  })
})
