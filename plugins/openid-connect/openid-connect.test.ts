import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { refusingAddress } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { Browser } from '../../test/support/browser.ts'
import { CLIENT, type IdentityProvider, startIdentityProvider } from '../../test/support/identity-provider.ts'
import openidConnect from './index.ts'

type Config = Record<string, unknown>

const NOW = Date.UTC(2026, 0, 1) / 1000
const PEM = { type: 'spki', format: 'pem' } as const

const releases: (() => void)[] = []
after(() => {
  for (const release of releases) release()
})
let known: Promise<IdentityProvider> | undefined

/** One for the tests that do not mind what others ask it. */
function theProvider(): Promise<IdentityProvider> {
  const owner = { after: (release: () => void) => void releases.push(release) }
  known ??= startIdentityProvider(owner, ['http://gateway.test/callback'])
  return known
}

function bearer(provider: Pick<IdentityProvider, 'discovery'>, config: Config) {
  return mountPlugin(openidConnect, {
    ...CLIENT,
    discovery: provider.discovery,
    bearer_only: true,
    ...config,
  })
}

interface Made {
  readonly claims?: Config
  readonly header?: Config
  readonly key?: KeyObject | Uint8Array
  readonly alg?: string
}

/** A token of the provider unless told otherwise, good for ten minutes. */
function makeToken(
  { issuer, privateKey }: IdentityProvider,
  { claims = {}, header = {}, key = privateKey, alg = 'RS256' }: Made = {},
) {
  const payload = { iss: issuer, sub: 'jack', aud: 'gateway', exp: NOW + 600, scope: 'read write', ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg, kid: 'k1', ...header }).sign(key)
}

const showing = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

describe('a bearer token checked by its signature', () => {
  it('is accepted by the published keys or by a configured one, and goes on to the upstream', async () => {
    const provider = await theProvider()
    const token = await makeToken(provider)
    const ways = [{ use_jwks: true }, { public_key: provider.publicKey.export(PEM) }]
    for (const way of ways) {
      const { status, sent } = await bearer(provider, way).request(showing(token))
      assert.equal(status, 200)
      assert.equal(sent?.headers.get('x-access-token'), token)
      assert.equal(sent?.headers.has('x-userinfo'), false)
    }
  })

  it('that the provider itself has made is accepted', async () => {
    const provider = await theProvider()
    const token = await provider.machineToken('jwt')
    assert.equal((await bearer(provider, { use_jwks: true }).request(showing(token))).status, 200)
  })

  it('may come as X-Access-Token, and takes the place of Authorization when told to', async () => {
    const provider = await theProvider()
    const token = await makeToken(provider)
    const plugin = bearer(provider, { use_jwks: true, access_token_in_authorization_header: true })
    const { sent } = await plugin.request({ headers: { 'X-Access-Token': token } })
    assert.equal(sent?.headers.get('authorization'), `Bearer ${token}`)
    assert.equal(sent?.headers.has('x-access-token'), false)
    const quiet = bearer(provider, { use_jwks: true, set_access_token_header: false })
    assert.equal(
      (await quiet.request({ headers: { 'X-Access-Token': token } })).sent?.headers.has('x-access-token'),
      false,
    )
  })

  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const WRONG: [what: string, reason: string, make: (provider: IdentityProvider) => Promise<string>][] = [
    [
      'of another issuer, though signed by the same key (CVE-2025-46647)',
      'the issuer of the token is not accepted',
      (p) => makeToken(p, { claims: { iss: 'https://other.test' } }),
    ],
    [
      'without issuer',
      'the issuer of the token is not accepted',
      (p) => makeToken(p, { claims: { iss: undefined } }),
    ],
    [
      'signed by another key',
      'the signature of the token does not match',
      (p) => makeToken(p, { key: other }),
    ],
    ['that has expired', 'the token has expired', (p) => makeToken(p, { claims: { exp: NOW - 121 } })],
    [
      'that is not valid yet',
      'the token is not valid now',
      (p) => makeToken(p, { claims: { nbf: NOW + 121 } }),
    ],
    [
      'signed with the public key as a secret',
      'the algorithm of the token is not accepted',
      (p) => makeToken(p, { alg: 'HS256', key: Buffer.from(p.publicKey.export(PEM)) }),
    ],
    [
      'without signature',
      'the algorithm of the token is not accepted',
      async (p) => unsigned(await makeToken(p), 'none'),
    ],
    [
      'with an algorithm in other letters',
      'the algorithm of the token is not accepted',
      async (p) => unsigned(await makeToken(p), 'NONE'),
    ],
    [
      'of another algorithm',
      'the algorithm of the token is not accepted',
      async (p) => unsigned(await makeToken(p), 'ES256'),
    ],
    ['of garbage', 'the token is malformed', async () => 'a.b.c'],
    ['of nothing', 'the token is malformed', async () => ''],
  ]
  for (const [what, reason, make] of WRONG) {
    it(`${what} is refused`, async () => {
      const provider = await theProvider()
      const token = await make(provider)
      for (const way of [{ use_jwks: true }, { public_key: provider.publicKey.export(PEM) }]) {
        const config = { ...way, token_signing_alg_values_expected: 'RS256' }
        const answer = await bearer(provider, config).request(showing(token))
        assert.deepEqual([answer.status, answer.sent], [401, undefined])
        const challenge = `Bearer realm="apisix", error="invalid_token", error_description="${reason}"`
        assert.equal(answer.headers.get('www-authenticate'), challenge)
      }
    })
  }

  it('is accepted a little late, as iat_slack says', async () => {
    const provider = await theProvider()
    const token = await makeToken(provider, { claims: { exp: NOW - 100 } })
    assert.equal((await bearer(provider, { use_jwks: true }).request(showing(token))).status, 200)
    assert.equal(
      (await bearer(provider, { use_jwks: true, iat_slack: 10 }).request(showing(token))).status,
      401,
    )
  })

  it('of a listed issuer is accepted, without a look at the discovery document', async () => {
    const provider = await theProvider()
    const rules = { claim_validator: { issuer: { valid_issuers: ['https://a.test', 'https://b.test'] } } }
    const plugin = bearer(
      { discovery: `http://${await refusingAddress()}/` },
      { public_key: provider.publicKey.export(PEM), ...rules },
    )
    const token = await makeToken(provider, { claims: { iss: 'https://b.test' } })
    assert.equal((await plugin.request(showing(token))).status, 200)
    assert.equal((await plugin.request(showing(await makeToken(provider)))).status, 401)
  })

  it('that stands twice proves nothing', async () => {
    const provider = await theProvider()
    const token = `Bearer ${await makeToken(provider)}`
    const answer = await bearer(provider, { use_jwks: true }).request({
      headers: { Authorization: [token, token] },
    })
    assert.equal(answer.status, 401)
  })
})

function unsigned(token: string, alg: string): string {
  const header = Buffer.from(JSON.stringify({ alg, kid: 'k1' })).toString('base64url')
  return [header, token.split('.')[1], alg === 'ES256' ? 'AAAA' : ''].join('.')
}

describe('a bearer token that the provider is asked about', () => {
  it('is accepted when it is active, and the answer goes to the upstream', async () => {
    const provider = await theProvider()
    const plugin = bearer(provider, {})
    const { status, sent } = await plugin.request(showing(await provider.machineToken('opaque')))
    assert.equal(status, 200)
    const user = JSON.parse(Buffer.from(sent!.headers.get('x-userinfo')!, 'base64').toString()) as Config
    assert.equal(user['active'], true)
    assert.equal(user['client_id'], CLIENT.client_id)
  })

  it('is asked about once as long as it lives, unless told otherwise', async () => {
    const provider = await theProvider()
    const token = showing(await provider.machineToken('opaque'))
    const asked = async (config: Config, advanceMs: number) => {
      const plugin = bearer(provider, config)
      const before = provider.asked.filter((path) => path === '/token/introspection').length
      await plugin.request(token)
      plugin.advance(advanceMs)
      await plugin.request(token)
      return provider.asked.filter((path) => path === '/token/introspection').length - before
    }
    assert.equal(await asked({}, 0), 1)
    assert.equal(await asked({ introspection_interval: 10 }, 9_000), 1)
    assert.equal(await asked({ introspection_interval: 10 }, 11_000), 2)
    assert.equal(await asked({ jwt_verification_cache_ignore: true }, 0), 2)
  })

  it('is refused when the provider does not know it', async () => {
    const provider = await theProvider()
    const answer = await bearer(provider, { realm: 'mine' }).request(showing('unknown'))
    assert.equal(answer.status, 401)
    const challenge =
      'Bearer realm="mine", error="invalid_token", error_description="the token is not active"'
    assert.equal(answer.headers.get('www-authenticate'), challenge)
  })

  it('is not decided about by a provider that does not know the gateway', async () => {
    const provider = await theProvider()
    const plugin = bearer(provider, { client_secret: 'wrong' })
    assert.equal((await plugin.request(showing('x'))).status, 503)
  })
})

describe('a request without bearer token', () => {
  it('is told to bring one', async () => {
    const provider = await theProvider()
    const plugin = bearer(provider, { use_jwks: true })
    for (const headers of [{}, { Authorization: 'Basic x' }]) {
      const answer = await plugin.request({ headers })
      assert.equal(answer.status, 401)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="apisix"')
    }
    assert.equal((await plugin.request({ headers: { Authorization: 'nothing' } })).status, 400)
  })

  it('is answered 503 when the provider cannot be asked about the token', async () => {
    const discovery = `http://${await refusingAddress()}/.well-known/openid-configuration`
    for (const way of [{ use_jwks: true }, {}]) {
      assert.equal((await bearer({ discovery }, way).request(showing('a.b.c'))).status, 503)
    }
  })
})

describe('scopes and audiences', () => {
  const RULES: [what: string, config: Config, claims: Config, body: string | undefined][] = [
    ['scopes that are there', { required_scopes: ['write', 'read'] }, {}, undefined],
    [
      'scopes that are missing',
      { required_scopes: ['read', 'x', 'y'] },
      {},
      'required scopes read, x, y not present',
    ],
    ['scopes that only begin so', { required_scopes: ['rea'] }, {}, 'required scopes rea not present'],
    [
      'no scope at all',
      { required_scopes: ['read'] },
      { scope: undefined },
      'required scopes read not present',
    ],
    ['an audience that is there', audience({ required: true }), { aud: 'x' }, undefined],
    [
      'an audience that is missing',
      audience({ required: true }),
      { aud: undefined },
      'required audience claim not present',
    ],
    [
      'an audience in another claim',
      audience({ required: true, claim: 'for' }),
      {},
      'required audience claim not present',
    ],
    ['this client as audience', audience({ match_with_client_id: true }), {}, undefined],
    [
      'this client among others',
      audience({ match_with_client_id: true }),
      { aud: ['a', 'gateway'] },
      undefined,
    ],
    ['another client', audience({ match_with_client_id: true }), { aud: 'gateway2' }, 'mismatched audience'],
    ['other clients', audience({ match_with_client_id: true }), { aud: ['a', 'b'] }, 'mismatched audience'],
  ]
  for (const [what, config, claims, error] of RULES) {
    it(`${what}: ${error === undefined ? 'accepted' : 'refused'}`, async () => {
      const provider = await theProvider()
      const answer = await bearer(provider, { use_jwks: true, ...config }).request(
        showing(await makeToken(provider, { claims })),
      )
      assert.equal(answer.status, error === undefined ? 200 : 403)
      if (error !== undefined) assert.equal(answer.body, JSON.stringify({ error }))
    })
  }
})

function audience(rules: Config): Config {
  return { claim_validator: { audience: rules } }
}

describe('the time of a session', () => {
  /** A plugin at which somebody has logged in, and how a request of theirs ends. */
  async function loggedIn(session: Config) {
    const provider = await theProvider()
    const plugin = mountPlugin(openidConnect, {
      ...CLIENT,
      discovery: provider.discovery,
      redirect_uri: '/callback',
      session: { secret: 'x'.repeat(16), ...session },
    })
    const jar = new Map<string, string>()
    const ask = async (target: string) => {
      const Cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await plugin.request({ target, headers: { Cookie } })
      const lines = answer.headers.all('set-cookie')
      for (const line of lines) jar.set(line.slice(0, line.indexOf('=')), /=([^;]*)/.exec(line)![1]!)
      return { status: answer.status, location: answer.headers.get('location')!, lines }
    }
    const { location } = await ask('/a')
    const back = await new Browser().go(location, (next) => next.startsWith('http://gateway.test/'))
    const { pathname, search } = new URL(back.headers.get('location')!)
    assert.equal((await ask(`${pathname}${search}`)).location, '/a')
    return { ask, advanceSeconds: (seconds: number) => plugin.advance(seconds * 1000) }
  }

  it('is over when nothing comes for idling_timeout', async () => {
    const { ask, advanceSeconds } = await loggedIn({ idling_timeout: 100 })
    for (let i = 0; i < 3; i++) {
      advanceSeconds(99)
      const { status, lines } = await ask('/a')
      assert.deepEqual([status, lines.length], [200, 1])
    }
    advanceSeconds(10)
    assert.deepEqual((await ask('/a')).lines, [])
    advanceSeconds(100)
    assert.equal((await ask('/a')).status, 302)
  })

  it('is over after absolute_timeout, however much comes', async () => {
    const { ask, advanceSeconds } = await loggedIn({ absolute_timeout: 300 })
    for (let i = 0; i < 2; i++) {
      advanceSeconds(140)
      assert.equal((await ask('/a')).status, 200)
    }
    advanceSeconds(21)
    assert.equal((await ask('/a')).status, 302)
  })

  it('has no end when all limits are 0', async () => {
    const none = { idling_timeout: 0, rolling_timeout: 0, absolute_timeout: 0 }
    const { ask, advanceSeconds } = await loggedIn(none)
    advanceSeconds(500)
    assert.equal((await ask('/a')).status, 200)
  })
})

describe('published keys', () => {
  it('are asked for once, and again for a token that names another, though not for each such token', async (t) => {
    const provider = await startIdentityProvider(t)
    const plugin = bearer(provider, { use_jwks: true })
    const asked = () => provider.asked.filter((path) => path === '/jwks').length
    const good = showing(await makeToken(provider))
    for (let i = 0; i < 3; i++) assert.equal((await plugin.request(good)).status, 200)
    assert.equal(asked(), 1)
    const strange = showing(await makeToken(provider, { header: { kid: 'strange' } }))
    for (let i = 0; i < 3; i++) assert.equal((await plugin.request(strange)).status, 401)
    assert.equal(asked(), 1)
    plugin.advance(31_000)
    for (let i = 0; i < 3; i++) assert.equal((await plugin.request(strange)).status, 401)
    assert.equal(asked(), 2)
  })
})

describe('the configuration', () => {
  const BASE = { ...CLIENT, discovery: 'https://idp.test/.well-known/openid-configuration' }
  const REFUSED: [config: Config, reason: RegExp | string][] = [
    [{ ...BASE }, 'property "session.secret" is required when "bearer_only" is false'],
    [{ ...BASE, session: { secret: 'short' } }, /secret/],
    [{ ...BASE, session: {} }, /property "secret" is required/],
    [{ ...BASE, bearer_only: true, discovery: 'c' }, /"discovery" is "c"; give a URL/],
    [
      { discovery: BASE.discovery, bearer_only: true, client_id: 'a' },
      'property "client_secret" is required',
    ],
    [{ ...BASE, bearer_only: true, public_key: 'x' }, /"public_key" is no public key in PEM/],
    [{ ...BASE, bearer_only: true, token_signing_alg_values_expected: 'HS256' }, /"HS256"; use one of RS256/],
    [{ ...BASE, bearer_only: true, accept_none_alg: true }, /a token without signature proves nothing/],
    [
      { ...BASE, bearer_only: true, par: {} },
      /"par" cannot be used: pushed authorization requests are not served/,
    ],
    [{ ...BASE, bearer_only: true, dpop: {} }, /"dpop" cannot be used/],
    [{ ...BASE, bearer_only: true, proxy_opts: {} }, /"proxy_opts" cannot be used/],
    [{ ...BASE, bearer_only: true, claim_schema: {} }, /"claim_schema" cannot be used/],
    [
      { ...BASE, bearer_only: true, refresh_session_interval: 9 },
      /"refresh_session_interval" cannot be used/,
    ],
    [{ ...BASE, bearer_only: true, force_reauthorize: true }, /"force_reauthorize" cannot be true/],
    [{ ...BASE, bearer_only: true, realm: 'a"b' }, /realm/],
    [
      { ...BASE, bearer_only: true, introspection_endpoint_auth_method: 'private_key_jwt' },
      /"client_rsa_private_key" is required/,
    ],
    [
      { ...BASE, session: { secret: 'x'.repeat(16) }, redirect_uri: 'callback' },
      /"redirect_uri" is "callback"/,
    ],
    [{ ...BASE, session: { secret: 'x'.repeat(16) }, redirect_uri: '/a?b' }, /has a query or a fragment/],
    [
      { ...BASE, session: { secret: 'x'.repeat(16) }, authorization_params: { a: {} } },
      /authorization_params "a"/,
    ],
    [{ ...BASE, bearer_only: true, introspection_addon_headers: ['a b'] }, /cannot be the name of a header/],
  ]
  for (const [config, reason] of REFUSED) {
    it(`is refused: ${String(reason)}`, () => {
      const text = refusal(openidConnect, config)
      if (typeof reason === 'string') assert.equal(text, reason)
      else assert.match(text ?? 'accepted', reason)
    })
  }

  it('needs no secret where none is shown, and may hold references', () => {
    const { client_id, discovery } = BASE
    const open = { client_id, discovery, bearer_only: true }
    assert.equal(refusal(openidConnect, { ...open, use_jwks: true }), undefined)
    assert.equal(refusal(openidConnect, { ...open, public_key: '$env://KEY' }), undefined)
    assert.equal(
      refusal(openidConnect, { ...BASE, discovery: '$secret://vault/1/idp/url', bearer_only: true }),
      undefined,
    )
  })
})
