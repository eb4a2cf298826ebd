import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { handshakeFailureOf } from './handshake-failure.ts'

const failure = (code: string, authorizationError = '') =>
  handshakeFailureOf(Object.assign(new Error('x'), { code }), {
    authorizationError: authorizationError as unknown as Error,
  })

describe('the reason of a failed handshake', () => {
  it('is the client that refuses, whatever its alert', () => {
    assert.equal(failure('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), 'client-alert')
    assert.equal(failure('ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN'), 'client-alert')
  })

  it('is the certificate of the client where that was the reason to hang up', () => {
    assert.equal(failure('ECONNRESET', 'SELF_SIGNED_CERT_IN_CHAIN'), 'client-certificate')
    assert.equal(failure('ECONNRESET'), 'client-left')
  })

  it('is one word for whatever else there may be', () => {
    assert.equal(failure('ERR_SSL_BAD_SOMETHING_NEW'), 'other')
    assert.equal(failure(''), 'other')
  })
})
