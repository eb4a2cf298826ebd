import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { signAws } from './aws-signature.ts'

/** Requests and signatures that AWS publishes for Signature Version 4. */
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
}
const SCOPE = {
  region: 'us-east-1',
  service: 'service',
  credentials: CREDENTIALS,
  wallMs: Date.UTC(2015, 7, 30, 12, 36),
}
const URL_ = 'https://example.amazonaws.com/'
const FORM = 'application/x-www-form-urlencoded'

const VECTORS = [
  {
    name: 'get-vanilla',
    request: { method: 'GET', url: URL_, headers: {}, body: '' },
    service: 'service',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'post-vanilla',
    request: { method: 'POST', url: URL_, headers: {}, body: '' },
    service: 'service',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    name: 'get-vanilla-query-order-key-case',
    request: { method: 'GET', url: `${URL_}?Param2=value2&Param1=value1`, headers: {}, body: '' },
    service: 'service',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'post-x-www-form-urlencoded',
    request: { method: 'POST', url: URL_, headers: { 'Content-Type': FORM }, body: 'Param1=value1' },
    service: 'service',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
  {
    name: 'ListUsers of the documentation',
    request: {
      method: 'GET',
      url: 'https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08',
      headers: { 'Content-Type': `${FORM}; charset=utf-8` },
      body: '',
    },
    service: 'iam',
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  },
]

describe('AWS Signature Version 4', () => {
  for (const { name, request, service, signature } of VECTORS) {
    it(`is that of the published request ${name}`, () => {
      const { Authorization = '' } = signAws(request, { ...SCOPE, service })
      assert.match(
        Authorization,
        new RegExp(`^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${service}/`),
      )
      assert.equal(/Signature=(\w+)$/.exec(Authorization)?.[1], signature)
    })
  }

  it('covers and sends the token of a session', () => {
    const credentials = { ...CREDENTIALS, sessionToken: 'session' }
    const request = { method: 'POST', url: URL_, headers: {}, body: '' }
    const headers = signAws(request, { ...SCOPE, credentials })
    assert.equal(headers['X-Amz-Security-Token'], 'session')
    assert.match(headers['Authorization'] ?? '', /SignedHeaders=host;x-amz-date;x-amz-security-token,/)
  })
})
