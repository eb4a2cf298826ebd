import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { BACKGROUND_CLOCK } from '../../src/lib/clock.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import { createHttpFetch } from '../../src/secret/http-fetch.ts'
import { SecretCache } from '../../src/secret/secret-cache.ts'
import { makeCertificate } from '../support/certificates.ts'
import {
  fakeSecretServer,
  hasAwsSignature,
  type SecretCall,
  type SecretReply,
} from '../support/fake-secret-server.ts'

interface CacheOptions {
  readonly trustedCertificates?: string
  readonly env?: Record<string, string>
}

function openCache(t: TestContext, { env = {}, ...options }: CacheOptions = {}): SecretCache {
  const cache = new SecretCache({
    env,
    fetch: createHttpFetch(options),
    clock: BACKGROUND_CLOCK,
    logger: createLogger('silent'),
    metrics: createMetricRegistry(),
    ttlMs: 300_000,
    negativeTtlMs: 60_000,
    count: 512,
    negativeCount: 512,
    onChange: () => {},
  })
  t.after(() => cache.close())
  return cache
}

/** The value, or why there is none. */
async function answerOf(cache: SecretCache, reference: string): Promise<string> {
  await cache.ask([reference], 10_000)
  const answer = cache.read(reference)
  return answer.ok ? answer.value : `failed: ${answer.reason}`
}

const JACK = '$secret://vault/1/team a/jack/key'

describe('Vault', () => {
  const fields = { key: 'from-vault', attempts: 3, nested: {} }
  const vault =
    (json: unknown) =>
    (call: SecretCall): SecretReply => {
      if (call.headers['x-vault-token'] !== 'token') return { status: 403, json: { errors: ['planted'] } }
      return call.path === '/v1/kv/apisix/team%20a/jack' ? { json } : { status: 404 }
    }

  it('is asked with token and namespace for what stands under prefix and path', async (t) => {
    const server = await fakeSecretServer(t, vault({ data: fields }))
    const cache = openCache(t)
    const namespace = 'admin/team'
    cache.setManager('vault/1', { uri: `${server.url}/`, prefix: '/kv/apisix/', token: 'token', namespace })
    assert.equal(await answerOf(cache, JACK), 'from-vault')
    assert.equal(await answerOf(cache, '$secret://vault/1/team a/jack/attempts'), '3')
    const [call] = server.calls
    assert.equal(call?.method, 'GET')
    assert.equal(call.headers['x-vault-namespace'], namespace)
    assert.equal(server.calls.length, 1, 'one call for both fields')
  })

  it('may be one with versions (KV 2)', async (t) => {
    const metadata = { version: 2, created_time: '2026-01-01T00:00:00Z' }
    const server = await fakeSecretServer(t, vault({ data: { data: fields, metadata } }))
    const cache = openCache(t)
    cache.setManager('vault/1', { uri: server.url, prefix: 'kv/apisix', token: 'token' })
    assert.equal(await answerOf(cache, JACK), 'from-vault')
  })

  it('may keep fields that are named as KV 2 names its own', async (t) => {
    const server = await fakeSecretServer(
      t,
      vault({ data: { key: 'plain', data: { key: 'inner' }, metadata: 'x' } }),
    )
    const cache = openCache(t)
    cache.setManager('vault/1', { uri: server.url, prefix: 'kv/apisix', token: 'token' })
    assert.equal(await answerOf(cache, JACK), 'plain')
  })

  it('fails with reasons that people can act on and that quote no answer', async (t) => {
    const server = await fakeSecretServer(t, vault({ data: fields }))
    const cache = openCache(t)
    const uri = server.url
    cache.setManager('vault/1', { uri, prefix: 'kv/apisix', token: 'token' })
    cache.setManager('vault/2', { uri, prefix: 'kv/apisix', token: 'wrong' })
    cache.setManager('vault/3', { uri: 'ftp://nowhere', prefix: 'kv', token: 'token' })
    cache.setManager('vault/4', { uri, prefix: 'kv' })
    cache.setManager('vault/5', { uri: 'http://127.0.0.1:1', prefix: 'kv', token: 'token' })
    const reasons: [reference: string, reason: string][] = [
      [
        '$secret://vault/1/none/key',
        'Vault answered 404: there is nothing under this path; check "prefix" and the path',
      ],
      ['$secret://vault/1/team a/jack/none', 'the secret has no field "none"'],
      ['$secret://vault/1/team a/jack/constructor', 'the secret has no field "constructor"'],
      ['$secret://vault/1/team a/jack/nested', 'the field "nested" of the secret is no text'],
      [
        '$secret://vault/2/a/b',
        'Vault answered 403: the token may not read this path, or is no longer valid',
      ],
      [
        '$secret://vault/3/a/b',
        'secrets resource "vault/3": "uri" is no address that starts with http:// or https://',
      ],
      ['$secret://vault/4/a/b', 'secrets resource "vault/4": its configuration has no text in "token"'],
      ['$secret://vault/5/a/b', '127.0.0.1:1 cannot be asked (ECONNREFUSED)'],
    ]
    for (const [reference, reason] of reasons) {
      assert.equal(await answerOf(cache, reference), `failed: ${reason}`)
    }
  })

  it('is not followed elsewhere with the token', async (t) => {
    const other = await fakeSecretServer(t, () => ({ json: { data: fields } }))
    const server = await fakeSecretServer(t, () => ({
      status: 307,
      headers: { location: `${other.url}/v1/kv/a` },
    }))
    const cache = openCache(t)
    cache.setManager('vault/1', { uri: server.url, prefix: 'kv', token: 'token' })
    assert.match(
      await answerOf(cache, '$secret://vault/1/a/key'),
      /^failed: Vault answered 307: it is a standby/,
    )
    assert.equal(other.calls.length, 0)
  })

  it('is believed over TLS only with a certificate of a trusted authority', async (t) => {
    const certificate = makeCertificate({ names: ['127.0.0.1'] })
    const server = await fakeSecretServer(t, vault({ data: fields }), certificate)
    const config = { uri: server.url, prefix: 'kv/apisix', token: 'token' }
    const doubtful = openCache(t)
    doubtful.setManager('vault/1', config)
    assert.match(
      await answerOf(doubtful, JACK),
      /^failed: 127\.0\.0\.1:\d+ cannot be asked \(\w*SELF_SIGNED\w*\)$/,
    )
    assert.equal(server.calls.length, 0)
    const trusting = openCache(t, { trustedCertificates: certificate.cert })
    trusting.setManager('vault/1', config)
    assert.equal(await answerOf(trusting, JACK), 'from-vault')
  })

  it('cannot fill the memory with an answer', async (t) => {
    const server = await fakeSecretServer(t, () => ({ json: { data: { key: 'x'.repeat(2 << 20) } } }))
    const cache = openCache(t)
    cache.setManager('vault/1', { uri: server.url, prefix: 'kv', token: 'token' })
    assert.match(
      await answerOf(cache, '$secret://vault/1/a/key'),
      /^failed: it answered with more than 1048576 bytes/,
    )
  })

  it('ends its calls when the cache is closed', async (t) => {
    let arrived = () => {}
    const hasArrived = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const server = await fakeSecretServer(t, () => {
      arrived()
      return 'hang'
    })
    const cache = openCache(t)
    cache.setManager('vault/1', { uri: server.url, prefix: 'kv', token: 'token' })
    const asked = cache.ask(['$secret://vault/1/a/key'], 60_000)
    await hasArrived
    cache.close()
    await asked
  })
})

describe('AWS Secrets Manager', () => {
  const text = JSON.stringify({ key: 'from-aws' })
  const SECRET_KEY = 'aws-secret-key'
  const aws = (call: SecretCall): SecretReply => {
    if (!hasAwsSignature(call, SECRET_KEY))
      return { status: 400, json: { __type: 'InvalidSignatureException' } }
    const { SecretId } = JSON.parse(call.body)
    if (SecretId === 'prod/db' || SecretId === 'plain')
      return { json: { Name: SecretId, SecretString: text } }
    return {
      status: 400,
      json: { __type: 'com.amazonaws.secretsmanager#ResourceNotFoundException', Message: 'planted' },
    }
  }

  it('is asked with a signature that holds, for the current version', async (t) => {
    const server = await fakeSecretServer(t, aws)
    const cache = openCache(t, { env: { AWS_SECRET: SECRET_KEY } })
    cache.setManager('aws/1', {
      access_key_id: 'AKID',
      secret_access_key: '$env://AWS_SECRET',
      session_token: 'session',
      region: 'eu-central-1',
      endpoint_url: server.url,
    })
    assert.equal(await answerOf(cache, '$secret://aws/1/prod/db/key'), 'from-aws')
    const [call] = server.calls
    assert.deepEqual(JSON.parse(call!.body), { SecretId: 'prod/db', VersionStage: 'AWSCURRENT' })
    assert.equal(call?.method, 'POST')
    assert.equal(call.headers['x-amz-target'], 'secretsmanager.GetSecretValue')
    assert.equal(call.headers['content-type'], 'application/x-amz-json-1.1')
    assert.equal(call.headers['x-amz-security-token'], 'session')
    assert.match(
      call.headers.authorization ?? '',
      /Credential=AKID\/\d{8}\/eu-central-1\/secretsmanager\/aws4_request/,
    )
  })

  it('yields the whole secret to a reference without a field', async (t) => {
    const server = await fakeSecretServer(t, aws)
    const cache = openCache(t)
    cache.setManager('aws/1', {
      access_key_id: 'AKID',
      secret_access_key: SECRET_KEY,
      endpoint_url: server.url,
    })
    assert.equal(await answerOf(cache, '$secret://aws/1/plain'), text)
  })

  it('says by its own word what is wrong, and quotes nothing else', async (t) => {
    const server = await fakeSecretServer(t, aws)
    const cache = openCache(t)
    cache.setManager('aws/1', {
      access_key_id: 'AKID',
      secret_access_key: SECRET_KEY,
      endpoint_url: server.url,
    })
    cache.setManager('aws/2', { access_key_id: 'AKID', secret_access_key: 'wrong', endpoint_url: server.url })
    assert.equal(
      await answerOf(cache, '$secret://aws/1/none/key'),
      'failed: AWS answered 400: ResourceNotFoundException',
    )
    assert.equal(
      await answerOf(cache, '$secret://aws/2/none/key'),
      'failed: AWS answered 400: InvalidSignatureException',
    )
  })
})

describe('Google Cloud Secret Manager', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const account = {
    client_email: 'gate@project.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    project_id: 'project-1',
  }
  let lastToken = 0
  const gcp = (call: SecretCall): SecretReply => {
    if (call.path === '/token') {
      return isRightAssertion(new URLSearchParams(call.body).get('assertion') ?? '')
        ? { json: { access_token: `token-${++lastToken}`, expires_in: 3600, token_type: 'Bearer' } }
        : { status: 400, json: { error: 'invalid_grant', error_description: 'planted' } }
    }
    if (call.headers.authorization !== `Bearer token-${lastToken}`) return { status: 401 }
    if (!/^\/v1\/projects\/project-1\/secrets\/\w+\/versions\/latest:access$/.test(call.path))
      return { status: 400 }
    if (call.path.includes('/none/'))
      return { status: 404, json: { error: { status: 'NOT_FOUND', message: 'planted' } } }
    return { json: { payload: { data: Buffer.from('{"key":"from-gcp"}').toString('base64') } } }
  }
  const isRightAssertion = (assertion: string): boolean => {
    const [head = '', claims = '', signature = ''] = assertion.split('.')
    const { iss, scope, aud, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    const isSigned = verify(
      'RSA-SHA256',
      Buffer.from(`${head}.${claims}`),
      createPublicKey(account.private_key),
      Buffer.from(signature, 'base64url'),
    )
    return (
      isSigned &&
      iss === account.client_email &&
      /cloud/.test(scope) &&
      /token$/.test(aud) &&
      exp - iat === 3600
    )
  }
  const urls = (url: string) => ({ token_uri: `${url}/token`, entries_uri: `${url}/v1` })

  it('is asked with one token for several secrets', async (t) => {
    const server = await fakeSecretServer(t, gcp)
    const cache = openCache(t)
    cache.setManager('gcp/1', { auth_config: { ...account, ...urls(server.url) } })
    const references = ['$secret://gcp/1/one/key', '$secret://gcp/1/two/key']
    await cache.ask(references, 10_000)
    assert.deepEqual(
      references.map((reference) => cache.read(reference)),
      [
        { ok: true, value: 'from-gcp' },
        { ok: true, value: 'from-gcp' },
      ],
    )
    assert.equal(server.calls.filter(({ path }) => path === '/token').length, 1)
    assert.equal(await answerOf(cache, '$secret://gcp/1/three'), '{"key":"from-gcp"}')
  })

  it('may have its service account in a file', async (t) => {
    const server = await fakeSecretServer(t, gcp)
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-gcp-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'account.json')
    writeFileSync(file, JSON.stringify({ type: 'service_account', ...account, ...urls(server.url) }))
    const cache = openCache(t)
    cache.setManager('gcp/1', { auth_file: file })
    cache.setManager('gcp/2', { auth_file: join(folder, 'none.json') })
    assert.equal(await answerOf(cache, '$secret://gcp/1/one/key'), 'from-gcp')
    assert.match(
      await answerOf(cache, '$secret://gcp/2/one/key'),
      /auth_file ".*none\.json" cannot be read \(ENOENT\)/,
    )
  })

  it('is asked for another token when one was refused', async (t) => {
    const server = await fakeSecretServer(t, gcp)
    const cache = openCache(t)
    cache.setManager('gcp/1', { auth_config: { ...account, ...urls(server.url) } })
    assert.equal(await answerOf(cache, '$secret://gcp/1/one/key'), 'from-gcp')
    lastToken++
    assert.equal(await answerOf(cache, '$secret://gcp/1/two/key'), 'failed: Google Cloud answered 401')
    assert.equal(await answerOf(cache, '$secret://gcp/1/three/key'), 'from-gcp')
  })

  it('has its certificate checked unless ssl_verify is false', async (t) => {
    const server = await fakeSecretServer(t, gcp, makeCertificate({ names: ['localhost'] }))
    const cache = openCache(t)
    const auth_config = { ...account, ...urls(server.url) }
    cache.setManager('gcp/1', { auth_config })
    cache.setManager('gcp/2', { auth_config, ssl_verify: false })
    assert.match(await answerOf(cache, '$secret://gcp/1/one/key'), /^failed: .* cannot be asked \(\w+\)$/)
    assert.equal(await answerOf(cache, '$secret://gcp/2/one/key'), 'from-gcp')
  })

  it('says by words of its own what is wrong, and quotes nothing else', async (t) => {
    const server = await fakeSecretServer(t, gcp)
    const cache = openCache(t)
    const good = { ...account, ...urls(server.url) }
    cache.setManager('gcp/1', { auth_config: good })
    cache.setManager('gcp/2', { auth_config: { ...good, client_email: 'someone@else.example' } })
    cache.setManager('gcp/3', { auth_config: { ...good, private_key: 'planted' } })
    const reasons = [
      ['$secret://gcp/1/none/key', 'Google Cloud answered 404: NOT_FOUND'],
      ['$secret://gcp/2/one/key', 'the token server of Google Cloud answered 400: invalid_grant'],
      ['$secret://gcp/3/one/key', 'secrets resource "gcp/3": "private_key" is no RSA key in PEM form'],
    ]
    for (const [reference, reason] of reasons)
      assert.equal(await answerOf(cache, reference!), `failed: ${reason}`)
  })
})
