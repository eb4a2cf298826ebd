import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { ellipticVectors, rsaVectors } from '../../test/support/forged-tokens.ts'
import openidConnect from './index.ts'

const ISSUER = 'https://idp.test'
const payload = { iss: ISSUER, sub: 'jack', exp: Date.UTC(2027, 0, 1) / 1000 }

for (const { algorithm, publicKey, vectors } of [ellipticVectors(payload), rsaVectors(payload)]) {
  for (const expected of [algorithm, undefined]) {
    const mounted = mountPlugin(openidConnect, {
      client_id: 'gateway',
      client_secret: 'secret',
      discovery: `${ISSUER}/.well-known/openid-configuration`,
      bearer_only: true,
      public_key: publicKey,
      claim_validator: { issuer: { valid_issuers: [ISSUER] } },
      ...(expected && { token_signing_alg_values_expected: expected }),
    })
    // Without an algorithm of its own the key alone decides: one of RSA is good for all of RSA.
    const pinned = expected ? vectors : vectors.filter(([what]) => !/says (PS256|RS512)/.test(what))
    describe(`openid-connect with a key for ${algorithm}, ${expected ? 'pinned' : 'of any algorithm'}`, () => {
      for (const [what, token, isGood] of pinned) {
        it(`${isGood ? 'takes' : 'refuses'} a token ${what}`, async () => {
          const { status } = await mounted.request({ headers: { Authorization: `Bearer ${token}` } })
          assert.equal(status, isGood ? 200 : 401)
        })
      }
    })
  }
}
