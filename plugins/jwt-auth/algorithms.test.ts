import assert from 'node:assert/strict'
import { constants, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { makeKeyPair, part, signToken } from '../../test/support/jwt.ts'
import jwtAuth from './index.ts'

const PAIRS = {
  rsa: makeKeyPair('rsa'),
  'P-256': makeKeyPair('P-256'),
  'P-384': makeKeyPair('P-384'),
  'P-521': makeKeyPair('P-521'),
  ed25519: makeKeyPair('ed25519'),
  ed448: makeKeyPair('ed448'),
  'rsa-pss': makeKeyPair('rsa-pss'),
}
const SECRET = 'a secret that is longer than the blocks of all digests, so that it is digested itself'

/** Algorithm, and the key it is used with; `shared` is a secret. */
const ALGORITHMS = [
  ['HS256', 'shared'],
  ['HS384', 'shared'],
  ['HS512', 'shared'],
  ['RS256', 'rsa'],
  ['RS384', 'rsa'],
  ['RS512', 'rsa'],
  ['PS256', 'rsa'],
  ['PS384', 'rsa'],
  ['PS512', 'rsa-pss'],
  ['ES256', 'P-256'],
  ['ES384', 'P-384'],
  ['ES512', 'P-521'],
  ['EdDSA', 'ed25519'],
  ['EdDSA', 'ed448'],
] as const

const payload = { key: 'k', text: 'grüße' }

/** Sends a token to a route whose consumer has this configuration. */
async function statusOf(config: Record<string, unknown>, token: string): Promise<number> {
  const consumers = [{ username: 'jack', plugins: { 'jwt-auth': { key: 'k', ...config } } }]
  const answer = await mountPlugin(jwtAuth, {}, { consumers }).request({ headers: { Authorization: token } })
  if (answer.status !== 200) assert.equal(answer.body, '{"message":"failed to verify jwt"}\n')
  return answer.status
}

const privateOf = (kind: keyof typeof PAIRS | 'shared'): string | KeyObject =>
  kind === 'shared' ? SECRET : PAIRS[kind].privateKey
const keyOf = (kind: keyof typeof PAIRS | 'shared') =>
  kind === 'shared' ? { secret: SECRET } : { public_key: PAIRS[kind].publicKey }

describe('the algorithms of jwt-auth', () => {
  for (const [algorithm, kind] of ALGORITHMS) {
    it(`verify tokens signed with ${algorithm} and a key of kind ${kind}`, async () => {
      const config = { algorithm, ...keyOf(kind) }
      const token = signToken(algorithm, privateOf(kind), { payload })
      assert.equal(await statusOf(config, token), 200)
      const [header, , signature = ''] = token.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      bytes[5] = bytes[5]! ^ 1
      const changed = [
        `${header}.${part({ ...payload, admin: true })}.${signature}`,
        `${part({ alg: algorithm })}.${part(payload)}.${signature}`,
        `${header}.${part(payload)}.${bytes.toString('base64url')}`,
        `${header}.${part(payload)}.${Buffer.alloc(bytes.length).toString('base64url')}`,
        `${header}.${part(payload)}.${bytes.subarray(1).toString('base64url')}`,
        `${header}.${part(payload)}.`,
      ]
      for (const one of changed) assert.equal(await statusOf(config, one), 401, one)
    })
  }

  it('are pinned by the consumer: a token signed well with any other one is refused', async () => {
    for (const [algorithm, kind] of ALGORITHMS) {
      const token = signToken(algorithm, privateOf(kind), { payload })
      for (const [pinned, pinnedKind] of ALGORITHMS) {
        if (pinned === algorithm) continue
        const config = { algorithm: pinned, ...keyOf(pinnedKind) }
        assert.equal(await statusOf(config, token), 401, `${algorithm} for ${pinned}`)
      }
    }
  })

  it('take only the signature format of JWS, not the DER that OpenSSL makes', async () => {
    const signed = `${part({ alg: 'ES256' })}.${part(payload)}`
    const der = sign('sha256', Buffer.from(signed), PAIRS['P-256'].privateKey)
    const config = { algorithm: 'ES256', ...keyOf('P-256') }
    assert.equal(await statusOf(config, `${signed}.${der.toString('base64url')}`), 401)
  })

  it('take only PSS signatures whose salt is as long as the digest', async () => {
    const signed = `${part({ alg: 'PS256' })}.${part(payload)}`
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signature = sign('sha256', Buffer.from(signed), {
      key: PAIRS.rsa.privateKey,
      padding,
      saltLength: 8,
    })
    const config = { algorithm: 'PS256', ...keyOf('rsa') }
    assert.equal(await statusOf(config, `${signed}.${signature.toString('base64url')}`), 401)
  })

  it('read a secret that is given in base64', async () => {
    const bytes = Buffer.from([0, 255, 1, 254, 2])
    const token = signToken('HS256', bytes, { payload })
    for (const secret of [bytes.toString('base64'), bytes.toString('base64').replace(/=+$/, '')]) {
      assert.equal(await statusOf({ secret, base64_secret: true }, token), 200)
    }
    assert.equal(await statusOf({ secret: bytes.toString('base64') }, token), 401)
  })

  it('read a public key in PKCS#1, and one whose lines were lost on the way', async () => {
    const token = signToken('RS256', PAIRS.rsa.privateKey, { payload })
    const key = createPublicKey(PAIRS.rsa.publicKey)
    const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString()
    for (const public_key of [pkcs1, pkcs1.replaceAll('\n', ' '), PAIRS.rsa.publicKey.replaceAll('\n', '')]) {
      assert.equal(await statusOf({ algorithm: 'RS256', public_key }, token), 200, public_key)
    }
  })

  it('verify what RFC 7515 signs in its example A.1', async () => {
    const token =
      'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    const base64url = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow'
    const secret = Buffer.from(base64url, 'base64url').toString('base64')
    const auth = { key: 'joe', secret, base64_secret: true, lifetime_grace_period: 2_000_000_000 }
    const consumers = [{ username: 'joe', plugins: { 'jwt-auth': auth } }]
    const mounted = mountPlugin(jwtAuth, { key_claim_name: 'iss' }, { consumers })
    assert.equal((await mounted.request({ headers: { Authorization: token } })).status, 200)
  })
})

describe('a token', () => {
  const good = signToken('HS256', SECRET, { payload: { key: 'k', n: '?'.repeat(4) } })
  const [header, body, signature] = good.split('.') as [string, string, string]
  const lastBit = (text: string) => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) ^ 1]
  }

  for (const [what, token] of [
    ['is empty', ''],
    ['has two parts', `${header}.${body}`],
    ['has four parts', `${good}.`],
    ['has five parts, as an encrypted one', `${good}..`],
    ['has a space in it', `${header}. ${body}.${signature}`],
    ['is padded', `${header}.${body}.${signature}=`],
    ['is in the other base64 alphabet', `${header}.${body}.${signature.slice(0, -2)}+/`],
    ['has bits beyond the end of its signature', `${header}.${body}.${lastBit(signature)}`],
    ['has a header that is no JSON', `${Buffer.from('{alg').toString('base64url')}.${body}.${signature}`],
    ['has a header that is a list', `${part(['HS256'])}.${body}.${signature}`],
    ['has a payload that is a text', `${header}.${part('key')}.${signature}`],
    ['has a payload that is null', `${header}.${part(null)}.${signature}`],
    ['stands after another scheme', `Basic ${good}`],
  ] as const) {
    it(`that ${what} is none`, async () => {
      const consumers = [{ username: 'jack', plugins: { 'jwt-auth': { key: 'k', secret: SECRET } } }]
      const answer = await mountPlugin(jwtAuth, {}, { consumers }).request({
        headers: { Authorization: token === '' ? '' : token },
      })
      assert.equal(answer.status, 401)
      assert.equal(answer.body, '{"message":"JWT token invalid"}\n')
    })
  }
})
