import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { makeKeyPair, signToken } from '../../test/support/jwt.ts'
import { jwtPayload } from '../_shared/auth/jwt-payload.ts'
import jwtAuth from './index.ts'

const SECRET = 'jacks-secret'
const jack = {
  username: 'jack',
  labels: { custom_id: '42' },
  plugins: { 'jwt-auth': { key: 'jacks-key', secret: SECRET } },
}
const guest = { username: 'guest', plugins: {} }

function mount(config: Record<string, unknown> = {}, options: MountOptions = {}) {
  return mountPlugin(jwtAuth, config, { consumers: [jack], ...options })
}

const tokenOf = (payload: object = {}, secret = SECRET) =>
  signToken('HS256', secret, { payload: { key: 'jacks-key', ...payload } })
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

/** The message that a request with this token gets, `undefined` when it is let in. */
async function messageOf(mounted: ReturnType<typeof mount>, token: string): Promise<string | undefined> {
  const { status, body } = await mounted.request({ headers: bearer(token) })
  if (status === 200) return undefined
  assert.equal(status, 401)
  return JSON.parse(body).message
}

describe('jwt-auth', () => {
  it('lets the consumer in and tells the upstream who it is', async () => {
    const headers = { ...bearer(tokenOf()), 'X-Consumer-Username': 'root' }
    const answer = await mount().request({ headers })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.sent?.headers.all('x-consumer-username'), ['jack'])
    assert.equal(answer.sent?.headers.get('x-consumer-custom-id'), '42')
  })

  it('refuses a request without a token, with a challenge', async () => {
    const answer = await mount().request()
    assert.equal(answer.status, 401)
    assert.equal(answer.body, '{"message":"Missing JWT token in request"}\n')
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="jwt"')
    const named = await mount({ realm: 'my api' }).request({ headers: bearer('x') })
    assert.equal(named.headers.get('www-authenticate'), 'Bearer realm="my api"')
  })

  it('says what is wrong with a token that names nobody', async () => {
    const mounted = mount()
    const named = (payload: Record<string, unknown>) => signToken('HS256', SECRET, { payload })
    assert.equal(await messageOf(mounted, 'no.token.at.all'), 'JWT token invalid')
    assert.equal(await messageOf(mounted, named({})), 'missing user key in JWT token')
    assert.equal(await messageOf(mounted, named({ key: false })), 'missing user key in JWT token')
    for (const key of ['anns-key', '', null, 7, ['jacks-key'], { 'jacks-key': 1 }]) {
      assert.equal(await messageOf(mounted, named({ key })), 'Invalid user key in JWT token')
    }
  })

  it('says of every token that cannot be verified only that', async () => {
    const mounted = mount()
    const [header, payload, signature] = tokenOf().split('.')
    for (const [what, token] of [
      ['a wrong secret', tokenOf({}, 'another-secret')],
      ['no signature', `${header}.${payload}.`],
      ['half a signature', `${header}.${payload}.${signature?.slice(0, 20)}`],
      ['another algorithm', signToken('HS512', SECRET, { payload: { key: 'jacks-key' } })],
      ['an expired one', tokenOf({ exp: 1 })],
    ] as const) {
      assert.equal(await messageOf(mounted, token), 'failed to verify jwt', what)
    }
  })

  it('refuses a token that stands twice, whichever of them is good', async () => {
    const mounted = mount()
    const { Authorization: good } = bearer(tokenOf())
    for (const Authorization of [
      [good, 'Bearer x'],
      ['Bearer x', good],
      [good, good],
    ]) {
      const answer = await mounted.request({ headers: { Authorization } })
      assert.equal(answer.body, '{"message":"JWT token invalid"}\n')
    }
  })

  it('takes the token from the header before the argument, and from there before the cookie', async () => {
    const mounted = mount()
    const good = tokenOf()
    const ask = async (headers: Record<string, string>, target = '/') =>
      (await mounted.request({ headers, target })).status
    assert.equal(await ask({ Authorization: good }), 200, 'without Bearer')
    assert.equal(await ask({ Authorization: `bearer ${good}` }), 200)
    assert.equal(await ask({}, `/?jwt=${good}`), 200)
    assert.equal(await ask({ Cookie: `a=1; jwt=${good}` }), 200)
    assert.equal(await ask({ Authorization: 'Bearer bad' }, `/?jwt=${good}`), 401)
    assert.equal(await ask({ Cookie: `jwt=${good}` }, '/?jwt=bad'), 401)
  })

  it('takes it from the configured places', async () => {
    const mounted = mount({ header: 'X-Token', query: 'token', cookie: 'session', key_claim_name: 'iss' })
    const token = signToken('HS256', SECRET, { payload: { iss: 'jacks-key' } })
    const ask = async (headers: Record<string, string>, target = '/') =>
      (await mounted.request({ headers, target })).status
    assert.equal(await ask({ 'x-token': token }), 200)
    assert.equal(await ask({}, `/?token=${token}`), 200)
    assert.equal(await ask({ cookie: `session=${token}` }), 200)
    assert.equal(await ask(bearer(token), `/?jwt=${token}`), 401)
  })

  it('leaves the token in the request unless told to hide it', async () => {
    const token = tokenOf()
    const kept = await mount().request({ headers: bearer(token) })
    assert.equal(kept.sent?.headers.get('authorization'), `Bearer ${token}`)
    const mounted = mount({ hide_credentials: true })
    const inHeader = await mounted.request({ headers: bearer(token) })
    assert.equal(inHeader.sent?.headers.has('authorization'), false)
    const inQuery = await mounted.request({ target: `/a?x=1&jwt=${token}&y=%20` })
    assert.equal(inQuery.sent?.target, '/a?x=1&y=%20')
    const Cookie = [`a=1; jwt=${token}; b="2"`, `jwt=${token}`]
    const inCookie = await mounted.request({ headers: { Cookie } })
    assert.deepEqual(inCookie.sent?.headers.all('cookie'), ['a=1; b="2"'])
    const alone = await mounted.request({ headers: { Cookie: `jwt=${token}` } })
    assert.equal(alone.sent?.headers.has('cookie'), false)
  })

  it('believes exp and nbf to the second, within the grace of the consumer', async () => {
    const mounted = mount()
    const now = mounted.clock.now() / 1000
    assert.equal(await messageOf(mounted, tokenOf({ exp: now + 1, nbf: now })), undefined)
    assert.equal(await messageOf(mounted, tokenOf({ exp: now })), 'failed to verify jwt')
    assert.equal(await messageOf(mounted, tokenOf({ nbf: now + 1 })), 'failed to verify jwt')
    const auth = { ...jack.plugins['jwt-auth'], lifetime_grace_period: 10 }
    const lenient = mount({}, { consumers: [{ username: 'jack', plugins: { 'jwt-auth': auth } }] })
    assert.equal(await messageOf(lenient, tokenOf({ exp: now - 9, nbf: now + 10 })), undefined)
    assert.equal(await messageOf(lenient, tokenOf({ exp: now - 10 })), 'failed to verify jwt')
    assert.equal(await messageOf(lenient, tokenOf({ nbf: now + 11 })), 'failed to verify jwt')
  })

  it('lets a token end while the gateway runs', async () => {
    const mounted = mount()
    const token = tokenOf({ exp: mounted.clock.now() / 1000 + 60 })
    assert.equal(await messageOf(mounted, token), undefined)
    mounted.advance(60_000)
    assert.equal(await messageOf(mounted, token), 'failed to verify jwt')
  })

  it('refuses an exp or nbf that is no number', async () => {
    const mounted = mount()
    for (const value of ['99999999999', null, true, [99999999999], {}]) {
      assert.equal(await messageOf(mounted, tokenOf({ exp: value })), 'failed to verify jwt')
      assert.equal(await messageOf(mounted, tokenOf({ nbf: value })), 'failed to verify jwt')
    }
  })

  it('wants the claims it is told to', async () => {
    const mounted = mount({ claims_to_verify: ['exp', 'nbf'] })
    const now = mounted.clock.now() / 1000
    assert.equal(await messageOf(mounted, tokenOf({ exp: now + 9 })), 'failed to verify jwt')
    assert.equal(await messageOf(mounted, tokenOf({ nbf: now })), 'failed to verify jwt')
    assert.equal(await messageOf(mounted, tokenOf({ exp: now + 9, nbf: now })), undefined)
  })

  it('keeps the verified claims for others when told to', async () => {
    const headers = bearer(tokenOf({ role: 'admin' }))
    const kept = await mount({ store_in_ctx: true }).request({ headers })
    assert.deepEqual(kept.context.get(jwtPayload), { key: 'jacks-key', role: 'admin' })
    assert.equal((await mount().request({ headers })).context.get(jwtPayload), undefined)
    const config = { store_in_ctx: true, anonymous_consumer: 'guest' }
    const wrong = await mount(config, { consumers: [jack, guest] }).request({
      headers: bearer(tokenOf({}, 'wrong')),
    })
    assert.equal(wrong.context.consumer?.name, 'guest')
    assert.equal(wrong.context.get(jwtPayload), undefined)
  })

  it('lets the anonymous consumer stand in, and hides what did not identify anybody', async () => {
    const config = { anonymous_consumer: 'guest', hide_credentials: true }
    const mounted = mount(config, { consumers: [jack, guest] })
    for (const headers of [{}, bearer('bad'), bearer(tokenOf({}, 'wrong'))]) {
      const answer = await mounted.request({ headers })
      assert.equal(answer.sent?.headers.get('x-consumer-username'), 'guest')
      assert.equal(answer.sent?.headers.has('authorization'), false)
    }
    const nobody = await mount({ anonymous_consumer: 'nobody' }).request()
    assert.equal(nobody.body, '{"message":"Invalid user authorization"}\n')
    assert.equal(nobody.headers.get('www-authenticate'), 'Bearer realm="jwt"')
  })

  it('checks its configuration', () => {
    assert.equal(refusal(jwtAuth, {}), undefined)
    assert.match(refusal(jwtAuth, { key_claim_name: '' }) ?? '', /string too short/)
    assert.match(refusal(jwtAuth, { claims_to_verify: ['iat'] }) ?? '', /matches none of the enum values/)
    assert.match(refusal(jwtAuth, { realm: 'a"b' }) ?? '', /^property "realm" validation failed/)
  })

  it('checks what consumers bring', () => {
    const said = (config: object) => refusal(jwtAuth, { key: 'k', ...config }, 'consumer')
    const { publicKey, privateKey } = makeKeyPair('P-256')
    const curve = { algorithm: 'ES256', public_key: publicKey }
    assert.equal(said({ secret: 's' }), undefined)
    assert.equal(refusal(jwtAuth, { secret: 's' }, 'consumer'), 'property "key" is required')
    assert.equal(said({}), 'property "secret" is required when using HS based algorithms')
    assert.equal(said({ algorithm: 'HS512' }), 'property "secret" is required when using HS based algorithms')
    const notBase64 = 'base64_secret required but the secret is not in base64 format'
    assert.equal(said({ secret: 'not base64!', base64_secret: true }), notBase64)
    assert.equal(said({ secret: 'YWJj', base64_secret: true }), undefined)
    assert.equal(said({ secret: '$env://S', base64_secret: true }), undefined)
    assert.match(said({ secret: 's', algorithm: 'none' }) ?? '', /matches none of the enum values/)
    assert.match(said({ secret: 's', exp: 0 }) ?? '', /expected 0 to be at least 1/)
    assert.equal(said({ algorithm: 'RS256', secret: 's' }), 'property "public_key" is required')
    assert.equal(said(curve), undefined)
    assert.equal(said({ ...curve, public_key: '$secret://vault/1/jack/key' }), undefined)
    const unusable = 'property "public_key" validation failed: '
    assert.equal(
      said({ ...curve, algorithm: 'RS256' }),
      `${unusable}RS256 needs a key of type rsa, this one is ec prime256v1`,
    )
    assert.equal(
      said({ ...curve, algorithm: 'ES384' }),
      `${unusable}ES384 needs a key of type secp384r1, this one is ec prime256v1`,
    )
    assert.equal(
      said({ ...curve, public_key: publicKey.replace('M', 'A') }),
      `${unusable}the PEM text of the public key is damaged`,
    )
    assert.equal(
      said({ ...curve, public_key: makeKeyPair('secp256k1').publicKey }),
      `${unusable}ES256 needs a key of type prime256v1, this one is ec secp256k1`,
    )
    assert.equal(
      said({ algorithm: 'RS256', public_key: makeKeyPair('rsa-pss').publicKey }),
      `${unusable}RS256 needs a key of type rsa, this one is rsa-pss`,
    )
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const refused = said({ ...curve, public_key: pem }) ?? ''
    assert.equal(refused, `${unusable}it is not a public key in PEM format (BEGIN PUBLIC KEY)`)
  })

  it('names the secret as one, so that it is encrypted and never logged', () => {
    assert.deepEqual(jwtAuth.secretFields, ['secret'])
    assert.equal(jwtAuth.consumerKey, 'key')
  })
})
