import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { signatureHeader } from '../../support/hmac.ts'
import { makeKeyPair, part, signToken } from '../../support/jwt.ts'
import { rawRequest } from '../../support/raw-client.ts'

const PLANTED = 'planted-7c1f0a-secret'
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const httpDate = (offsetMs = 0) => new Date(Date.now() + offsetMs).toUTCString()

/** A consumer who can identify themselves in every way. */
const JACK = {
  username: 'jack',
  plugins: {
    'basic-auth': { username: 'jack', password: PLANTED },
    'hmac-auth': { key_id: 'jack', secret_key: PLANTED },
    'jwt-auth': { key: 'jack', secret: PLANTED },
    'key-auth': { key: PLANTED },
  },
}

const signedDate = (date = httpDate()) => ({
  Date: date,
  Authorization: signatureHeader({ keyId: 'jack', secret: PLANTED, lines: [`date: ${date}`] }),
})

/** The lines that identify jack to each plugin. */
const PROOFS = (): Record<keyof typeof JACK.plugins, Record<string, string>> => ({
  'basic-auth': { Authorization: basic(`jack:${PLANTED}`) },
  'hmac-auth': signedDate(),
  'jwt-auth': { Authorization: `Bearer ${signToken('HS256', PLANTED, { payload: { key: 'jack' } })}` },
  'key-auth': { apikey: PLANTED },
})

interface StageOptions {
  readonly plugins: Record<string, Record<string, unknown>>
  readonly consumers?: Record<string, object>
  readonly settings?: Record<string, unknown>
}

/** One route with these plugins, and a way to ask for it with one `Authorization`. */
async function stage(t: TestContext, { plugins, consumers = { jack: JACK }, settings = {} }: StageOptions) {
  const upstream = await fakeUpstream(t)
  const gateway = await startGateway(
    t,
    {
      consumers,
      routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [upstream.address]: 1 } } } },
    },
    { settings },
  )
  const ask = async (headers: Record<string, string>, path = '/', init: RequestInit = {}) => {
    const answer = await fetch(`${gateway.proxyUrl}${path}`, { ...init, headers })
    return { status: answer.status, text: await answer.text(), headers: [...answer.headers] }
  }
  return { gateway, upstream, ask }
}

describe('what went wrong in the authentication of other gateways (reliability.md §2.1)', () => {
  it('CVE-2022-29266: no answer to a malformed token, and no log line, has anything of a key in it', async (t) => {
    const { gateway, upstream, ask } = await stage(t, { plugins: { 'jwt-auth': {} } })
    const good = signToken('HS256', PLANTED, { payload: { key: 'jack' } })
    const seen: string[] = []
    for (let i = 0; i < 200; i++) {
      const answer = await ask({ Authorization: `Bearer ${malformed(good, i)}` })
      assert.equal(answer.status, 401, `token ${i}`)
      seen.push(JSON.stringify(answer))
    }
    seen.push(JSON.stringify(gateway.logs))
    const forms = [PLANTED, Buffer.from(PLANTED).toString('base64'), Buffer.from(PLANTED).toString('hex')]
    for (const form of forms) assert.ok(!seen.join('\n').includes(form), `${form} was shown`)
    assert.equal(upstream.requests.length, 0)
  })

  it('CVE-2025-62232: no password is logged, at level debug, with the access log on, right or wrong', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'gatewright-log-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'access.log')
    const settings = { 'gatewright.log.access_log': file }
    const { gateway, ask } = await stage(t, { plugins: { 'basic-auth': {} }, settings })
    assert.equal((await ask({ Authorization: basic(`jack:${PLANTED}`) })).status, 200)
    for (const given of [`jack:${PLANTED}x`, `ann:${PLANTED}`, PLANTED]) {
      const answer = await ask({ Authorization: basic(given) })
      assert.equal(answer.status, 401)
      assert.doesNotMatch(JSON.stringify(answer), new RegExp(PLANTED))
    }
    await gateway.stop()
    const logged = JSON.stringify(gateway.logs) + (await readFile(file, 'utf8'))
    assert.match(logged, /GET \/ HTTP/)
    for (const form of [PLANTED, basic(`jack:${PLANTED}`).slice(6, -4)]) {
      assert.ok(!logged.includes(form), `${form} was logged`)
    }
  })

  it('CVE-2026-39999: the token has no say in how it is verified', async (t) => {
    const rsa = makeKeyPair('rsa')
    const attacker = makeKeyPair('rsa')
    const auth = { key: 'jack', algorithm: 'RS256', public_key: rsa.publicKey }
    const { upstream, ask } = await stage(t, {
      plugins: { 'jwt-auth': {} },
      consumers: { jack: { username: 'jack', plugins: { 'jwt-auth': auth } } },
    })
    const payload = { key: 'jack' }
    const unsigned = (header: object, signature = '') => `${part(header)}.${part(payload)}.${signature}`
    const jwk = attacker.privateKey.export({ format: 'jwk' })
    const x5c = [attacker.publicKey.replace(/-.*-|\n/g, '')]
    const bad: Record<string, string> = {
      'HS256 with the PEM as secret': signToken('HS256', rsa.publicKey, { payload }),
      'HS256 with the PEM without its last line end': signToken('HS256', rsa.publicKey.trim(), { payload }),
      none: unsigned({ alg: 'none' }),
      NONE: unsigned({ alg: 'NONE' }),
      nOnE: unsigned({ alg: 'nOnE' }, 'AAAA'),
      'no alg': unsigned({ typ: 'JWT' }),
      'an alg that is null': unsigned({ alg: null }),
      'an alg that is a list': signToken('RS256', rsa.privateKey, { payload, header: { alg: ['RS256'] } }),
      'an alg in lower case': signToken('RS256', rsa.privateKey, { payload, header: { alg: 'rs256' } }),
      'ES256 with the RSA key': signToken('RS256', rsa.privateKey, { payload, header: { alg: 'ES256' } }),
      'PS256 with the RSA key': signToken('PS256', rsa.privateKey, { payload }),
      crit: signToken('RS256', rsa.privateKey, { payload, header: { crit: ['exp'], exp: 1 } }),
      'an empty crit': signToken('RS256', rsa.privateKey, { payload, header: { crit: [] } }),
      jwk: signToken('RS256', attacker.privateKey, { payload, header: { jwk } }),
      jku: signToken('RS256', attacker.privateKey, { payload, header: { jku: 'http://127.0.0.1:1/' } }),
      x5u: signToken('RS256', attacker.privateKey, { payload, header: { x5u: 'http://127.0.0.1:1/' } }),
      x5c: signToken('RS256', attacker.privateKey, { payload, header: { x5c } }),
      'no signature': signToken('RS256', rsa.privateKey, { payload }).replace(/[^.]*$/, ''),
    }
    for (const [what, token] of Object.entries(bad)) {
      const { status, text } = await ask({ Authorization: `Bearer ${token}` })
      assert.equal(status, 401, what)
      assert.equal(text, '{"message":"failed to verify jwt"}\n', what)
    }
    assert.equal(upstream.requests.length, 0)
    const good = signToken('RS256', rsa.privateKey, { payload })
    assert.equal((await ask({ Authorization: `Bearer ${good}` })).status, 200)
  })

  for (const plugin of Object.keys(JACK.plugins) as (keyof typeof JACK.plugins)[]) {
    it(`CVE-2026-39998: with ${plugin} nobody can say who they are beside the gateway, in no spelling, trusted or not`, async (t) => {
      for (const trusted of [[], ['127.0.0.0/8']]) {
        const { gateway, upstream } = await stage(t, {
          plugins: { [plugin]: {} },
          settings: { 'apisix.trusted_addresses': trusted },
        })
        const lies = ['X-Consumer-Username', 'X-Consumer-Custom-ID', 'X-Credential-Identifier'].flatMap(
          (name) => [
            `${name}: evil`,
            `${name.toLowerCase()}: evil, root`,
            `${name.toUpperCase()}: evil`,
            `${name.replaceAll('-', '_')}: evil`,
          ],
        )
        const proof = Object.entries(PROOFS()[plugin]).map(([name, value]) => `${name}: ${value}`)
        const nominated =
          'Connection: close, X-Consumer-Username, X-Credential-Identifier, x-consumer-custom-id'
        const lines = ['GET / HTTP/1.1', 'Host: a', ...lies, ...proof, nominated, '', '']
        assert.equal((await rawRequest(gateway.proxyPort, lines.join('\r\n'))).status, 200)
        const { headers, rawHeaders } = upstream.requests[0]!
        assert.equal(headers['x-consumer-username'], 'jack')
        assert.doesNotMatch(rawHeaders.join('\n'), /evil/)
      }
    })
  }

  it('CVE-2026-26308, CVE-2026-31838: who may pass is decided by who was found, whatever is repeated', async (t) => {
    const ann = { username: 'ann', plugins: { 'key-auth': { key: 'anns-key' } } }
    const { gateway, upstream } = await stage(t, {
      plugins: { 'key-auth': {}, 'consumer-restriction': { blacklist: ['jack'] } },
      consumers: { jack: JACK, ann },
    })
    const status = async (...lines: string[]) => {
      const text = ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n')
      return (await rawRequest(gateway.proxyPort, text)).status
    }
    const own = `apikey: ${PLANTED}`
    assert.equal(await status(own), 403)
    assert.equal(await status(own, 'X-Consumer-Username: ann'), 403)
    assert.equal(await status('X-Consumer-Username: ann', 'X-Consumer-Username: jack', own), 403)
    assert.equal(await status(own, 'apikey: anns-key'), 401)
    assert.equal(await status('apikey: anns-key', own), 401)
    assert.equal(upstream.requests.length, 0)
    assert.equal(await status('apikey: anns-key'), 200)
  })

  it('CVE-2026-26308: of a header that is repeated each line must pass, in both orders', async (t) => {
    const { gateway } = await stage(t, {
      plugins: {
        'ua-restriction': { denylist: ['bot'], bypass_missing: true },
        'referer-restriction': { whitelist: ['a.com'], bypass_missing: true },
      },
    })
    const status = async (...lines: string[]) => {
      const text = ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n')
      return (await rawRequest(gateway.proxyPort, text)).status
    }
    const agents = ['User-Agent: browser', 'User-Agent: my-bot'] as const
    const referers = ['Referer: http://a.com/', 'Referer: http://b.com/'] as const
    assert.equal(await status(agents[0], agents[0], referers[0], referers[0]), 200)
    for (const [good, bad] of [agents, referers]) {
      assert.equal(await status(good, bad), 403)
      assert.equal(await status(bad, good), 403)
    }
  })
})

describe('classes of attacks on tokens and signatures (reliability.md §2.3)', () => {
  const ann = {
    username: 'ann',
    plugins: {
      'jwt-auth': { key: 'ann', secret: 'the secret of ann' },
      'hmac-auth': { key_id: 'ann', secret_key: 'the secret of ann' },
    },
  }

  it('class jwt: the key of one consumer signs for nobody else, and kid names nothing', async (t) => {
    const { ask } = await stage(t, { plugins: { 'jwt-auth': {} }, consumers: { jack: JACK, ann } })
    const status = async (token: string) => (await ask({ Authorization: `Bearer ${token}` })).status
    const sign = (secret: string, key: string, header = {}) =>
      signToken('HS256', secret, { payload: { key }, header })
    assert.equal(await status(sign(PLANTED, 'jack')), 200)
    assert.equal(await status(sign('the secret of ann', 'jack')), 401)
    for (const kid of ['ann', '../../../../dev/null', "x' UNION SELECT 'k", '|id', '', 7, { $ne: 1 }]) {
      assert.equal(await status(sign('', 'jack', { kid })), 401, String(kid))
      assert.equal(await status(sign('the secret of ann', 'jack', { kid })), 401, String(kid))
      assert.equal(await status(sign(PLANTED, 'jack', { kid })), 200, String(kid))
    }
    for (const key of ['__proto__', 'constructor', 'toString']) assert.equal(await status(sign('', key)), 401)
  })

  it('class jwt: time limits hold to the second, and only numbers are times', async (t) => {
    const { ask } = await stage(t, { plugins: { 'jwt-auth': { claims_to_verify: ['exp'] } } })
    const now = Math.floor(Date.now() / 1000)
    const status = async (claims: object) => {
      const token = signToken('HS256', PLANTED, { payload: { key: 'jack', ...claims } })
      return (await ask({ Authorization: `Bearer ${token}` })).status
    }
    assert.equal(await status({ exp: now + 600, nbf: now - 1 }), 200)
    for (const claims of [
      {},
      { exp: now - 1 },
      { exp: now + 600, nbf: now + 600 },
      { exp: String(now + 600) },
      { exp: null },
      { exp: [now + 600] },
      { exp: now + 600, nbf: '0' },
    ]) {
      assert.equal(await status(claims), 401, JSON.stringify(claims))
    }
  })

  it('class hmac: a signature is good for its consumer, its request, its body and its time', async (t) => {
    const config = {
      signed_headers: ['@request-target', 'date', 'digest'],
      validate_request_body: true,
      clock_skew: 30,
    }
    const { ask, upstream } = await stage(t, {
      plugins: { 'hmac-auth': config },
      consumers: { jack: JACK, ann },
    })
    const headers = ['@request-target', 'date', 'digest']
    // SHA-256 of "paid=1".
    const Digest = 'SHA-256=Qcp39h5OaU04zQQnpuFLq8r0d8sVntWudhC9SRBDeh8='
    const date = httpDate()
    const lines = ['POST /pay?to=ann', `date: ${date}`, `digest: ${Digest}`]
    const Authorization = signatureHeader({ keyId: 'jack', secret: PLANTED, headers, lines })
    const captured = { Date: date, Digest, Authorization }
    const status = async (sent: Record<string, string>, path = '/pay?to=ann', init: RequestInit = {}) =>
      (await ask(sent, path, { method: 'POST', body: 'paid=1', ...init })).status
    assert.equal(await status(captured), 200)
    const reached = upstream.requests.length
    assert.equal(await status({ ...captured, Authorization: Authorization.replace('"jack"', '"ann"') }), 401)
    assert.equal(await status(captured, '/pay?to=eve'), 401)
    assert.equal(await status(captured, '/pay%3Fto=ann'), 401)
    assert.equal(await status(captured, '/pay?to=ann', { method: 'PUT' }), 401)
    assert.equal(await status(captured, '/pay?to=ann', { body: 'paid=2' }), 401)
    assert.equal(await status({ ...captured, Date: httpDate(1000) }), 401)
    const old = httpDate(-40_000)
    const stale = signatureHeader({
      keyId: 'jack',
      secret: PLANTED,
      headers,
      lines: ['POST /pay?to=ann', `date: ${old}`, `digest: ${Digest}`],
    })
    assert.equal(await status({ Date: old, Digest, Authorization: stale }), 401, 'replayed too late')
    assert.equal(upstream.requests.length, reached)
  })
})

/** One of many ways to spoil a token. */
function malformed(good: string, seed: number): string {
  const [header = '', payload = '', signature = ''] = good.split('.')
  const at = seed % good.length
  const spoilt = good[at] === 'A' ? 'B' : 'A'
  const ways = [
    good.slice(0, at),
    good.slice(0, at) + spoilt + good.slice(at + 1),
    `${header}.${payload}.${signature.slice(0, -1 - (seed % 20))}`,
    `${header}.${part({ key: 'jack', seed })}.${signature}`,
    `${part({ alg: 'HS256', seed })}.${payload}.${signature}`,
    `${header}.${payload}`,
    `${header}..${signature}`,
    `${part('x'.repeat(seed))}.${payload}.${signature}`,
    `${Buffer.from(`{"key":"jack"${'['.repeat(seed)}`).toString('base64url')}.${payload}.`,
    `${good}${'.'.repeat(1 + (seed % 3))}`,
  ]
  return ways[seed % ways.length]!
}
