import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { ellipticVectors, rsaVectors } from '../../test/support/forged-tokens.ts'
import jwtAuth from './index.ts'

for (const { algorithm, publicKey, vectors } of [ellipticVectors({ key: 'k' }), rsaVectors({ key: 'k' })]) {
  const auth = { key: 'k', algorithm, public_key: publicKey }
  const mounted = mountPlugin(
    jwtAuth,
    {},
    { consumers: [{ username: 'jack', plugins: { 'jwt-auth': auth } }] },
  )
  describe(`a consumer of jwt-auth with ${algorithm}`, () => {
    for (const [what, token, isGood] of vectors) {
      it(`is ${isGood ? '' : 'not '}identified by a token ${what}`, async () => {
        const { status } = await mounted.request({ headers: { Authorization: `Bearer ${token}` } })
        assert.equal(status, isGood ? 200 : 401)
      })
    }
  })
}
