import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { EmbeddedStore } from '../../src/store/embedded-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { signatureHeader } from '../support/hmac.ts'
import { makeKeyPair, signToken } from '../support/jwt.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

/** A gateway with one node that echoes bodies, written to through the Admin API. */
async function stage(t: TestContext, settings: Record<string, unknown> = {}) {
  const upstream = await fakeUpstream(t, (request, response) => void request.pipe(response))
  const gateway = await startGateway(t, {}, { settings })
  const write = async (method: string, path: string, body?: object) => {
    const shown = await gateway.admin(method, `${path}?wait=applied`, body)
    assert.ok(shown.status < 300, `${method} ${path}: ${JSON.stringify(shown.body)}`)
  }
  const ask = async (headers: Record<string, string> = {}, init: RequestInit = {}) => {
    const answer = await fetch(`${gateway.proxyUrl}/orders?open=1`, { ...init, headers })
    return { status: answer.status, text: await answer.text(), headers: answer.headers }
  }
  const route = (plugins: object) =>
    write('PUT', 'routes/1', { uri: '/*', plugins, upstream: { nodes: { [upstream.address]: 1 } } })
  return { upstream, gateway, write, ask, route }
}

describe('consumers with credentials of every kind', () => {
  it('are found by any of them, told to the upstream, and let in by their group', async (t) => {
    const { upstream, write, ask, route } = await stage(t)
    const { publicKey, privateKey } = makeKeyPair('ed25519')
    await write('PUT', 'consumer_groups/gold', { plugins: {} })
    await write('PUT', 'consumers/jack', { username: 'jack', group_id: 'gold', labels: { custom_id: '42' } })
    await write('PUT', 'consumers/ann', { username: 'ann' })
    const credentials = {
      'jack/credentials/password': { 'basic-auth': { username: 'jack', password: 'pw' } },
      'jack/credentials/key': { 'key-auth': { key: 'jacks-key' } },
      'jack/credentials/pair': { 'jwt-auth': { key: 'jack', algorithm: 'EdDSA', public_key: publicKey } },
      'jack/credentials/secret': { 'hmac-auth': { key_id: 'jack', secret_key: 'jacks-secret' } },
      'ann/credentials/key': { 'key-auth': { key: 'anns-key' } },
    }
    for (const [path, plugins] of Object.entries(credentials)) {
      await write('PUT', `consumers/${path}`, { plugins })
    }
    await route({
      'multi-auth': {
        auth_plugins: [{ 'basic-auth': {} }, { 'jwt-auth': {} }, { 'hmac-auth': {} }, { 'key-auth': {} }],
      },
      'consumer-restriction': { type: 'consumer_group_id', whitelist: ['gold'] },
    })

    const date = new Date().toUTCString()
    const signed = { keyId: 'jack', secret: 'jacks-secret', headers: ['@request-target', 'date'] }
    const proofs = {
      password: { authorization: basic('jack:pw') },
      key: { apikey: 'jacks-key' },
      pair: { authorization: `Bearer ${signToken('EdDSA', privateKey, { payload: { key: 'jack' } })}` },
      secret: {
        date,
        authorization: signatureHeader({ ...signed, lines: ['GET /orders?open=1', `date: ${date}`] }),
      },
    }
    for (const [credential, headers] of Object.entries(proofs)) {
      assert.equal((await ask(headers)).status, 200, credential)
      const seen = upstream.requests.at(-1)!.headers
      assert.equal(seen['x-consumer-username'], 'jack')
      assert.equal(seen['x-consumer-custom-id'], '42')
      assert.equal(seen['x-credential-identifier'], credential)
    }
    const outsider = await ask({ apikey: 'anns-key' })
    assert.deepEqual(
      [outsider.status, outsider.text],
      [401, '{"message":"The request is rejected, please check the consumer_group_id for this request"}\n'],
    )
    const stranger = await ask({ apikey: 'nobodys-key' })
    assert.deepEqual([stranger.status, stranger.text], [401, '{"message":"Authorization Failed"}\n'])
    assert.equal(stranger.headers.get('www-authenticate'), 'apikey realm="key"')
    assert.equal(upstream.requests.length, 4)
  })

  it('are known by their new key, and no longer by the old one, as soon as it is written', async (t) => {
    const { write, ask, route } = await stage(t)
    const give = (secret: string) =>
      write('PUT', 'consumers/jack', { username: 'jack', plugins: { 'jwt-auth': { key: 'jack', secret } } })
    const status = async (secret: string) => {
      const token = signToken('HS256', secret, { payload: { key: 'jack' } })
      return (await ask({ authorization: `Bearer ${token}` })).status
    }
    await give('the first')
    await route({ 'jwt-auth': {} })
    assert.deepEqual([await status('the first'), await status('the second')], [200, 401])
    await give('the second')
    assert.deepEqual([await status('the first'), await status('the second')], [401, 200])
    await write('DELETE', 'consumers/jack')
    assert.equal(await status('the second'), 401)
  })

  it('may refer to secrets that are kept elsewhere', async (t) => {
    process.env['GATEWRIGHT_TEST_SECRET'] = 'from the environment'
    t.after(() => {
      delete process.env['GATEWRIGHT_TEST_SECRET']
    })
    const { write, ask, route } = await stage(t)
    const secret = '$env://GATEWRIGHT_TEST_SECRET'
    const jack = {
      'jwt-auth': { key: 'jack', secret },
      'basic-auth': { username: 'jack', password: secret },
    }
    await write('PUT', 'consumers/jack', { username: 'jack', plugins: jack })
    await route({ 'multi-auth': { auth_plugins: [{ 'basic-auth': {} }, { 'jwt-auth': {} }] } })
    const token = signToken('HS256', 'from the environment', { payload: { key: 'jack' } })
    assert.equal((await ask({ authorization: `Bearer ${token}` })).status, 200)
    assert.equal((await ask({ authorization: basic('jack:from the environment') })).status, 200)
    assert.equal((await ask({ authorization: basic(`jack:${secret}`) })).status, 401)
  })

  it('share no name, and are stored and logged without their secrets', async (t) => {
    const { gateway, write } = await stage(t, { 'gatewright.store': 'embedded' })
    const own = {
      'basic-auth': { username: 'jack', password: 'planted-1' },
      'jwt-auth': { key: 'jack', secret: 'planted-2' },
      'hmac-auth': { key_id: 'jack', secret_key: 'planted-3' },
    }
    await write('PUT', 'consumers/jack', { username: 'jack', plugins: own })
    for (const [name, field] of [
      ['basic-auth', 'username'],
      ['jwt-auth', 'key'],
      ['hmac-auth', 'key_id'],
    ] as const) {
      const plugins = { [name]: own[name] }
      const { status, body } = await gateway.admin('PUT', 'consumers/ann', { username: 'ann', plugins })
      assert.equal(status, 400)
      assert.deepEqual(body, {
        error_msg: `duplicate ${field} of plugin ${name} found with consumer: jack`,
      })
    }
    await gateway.stop()
    const store = await EmbeddedStore.open(`${gateway.directory}/store`, { logger: createLogger('silent') })
    const { value: stored } = (await store.get('/apisix/consumers/jack'))!
    await store.close()
    assert.match(stored, /"hmac-auth"/)
    assert.doesNotMatch(stored, /planted/)
    assert.doesNotMatch(JSON.stringify(gateway.logs), /planted/)
  })

  it('are refused when their key cannot be used', async (t) => {
    const { gateway } = await stage(t)
    const refused = async (config: object) => {
      const document = { username: 'jack', plugins: { 'jwt-auth': { key: 'jack', ...config } } }
      const { status, body } = await gateway.admin('PUT', 'consumers/jack', document)
      assert.equal(status, 400)
      return body['error_msg']
    }
    assert.match(String(await refused({})), /property "secret" is required when using HS based algorithms$/)
    assert.match(
      String(await refused({ secret: '!', base64_secret: true })),
      /base64_secret required but the secret is not in base64 format$/,
    )
    assert.match(
      String(await refused({ algorithm: 'ES256', public_key: makeKeyPair('P-384').publicKey })),
      /ES256 needs a key of type prime256v1, this one is ec secp384r1$/,
    )
  })
})

describe('an anonymous consumer', () => {
  it('stands in for strangers with plugins of its own, while those who are known go on without', async (t) => {
    const { upstream, write, ask, route } = await stage(t)
    const limit = { count: 2, time_window: 60, rejected_code: 429, key: 'consumer_name' }
    await write('PUT', 'consumers/guest', { username: 'guest', plugins: { 'limit-count': limit } })
    const auth = { 'basic-auth': { username: 'jack', password: 'pw' } }
    await write('PUT', 'consumers/jack', { username: 'jack', plugins: auth })
    await route({ 'basic-auth': { anonymous_consumer: 'guest', hide_credentials: true } })
    const statuses = []
    for (const authorization of ['', basic('jack:wrong'), 'Bearer x']) {
      statuses.push((await ask(authorization ? { authorization } : {})).status)
    }
    assert.deepEqual(statuses, [200, 200, 429])
    for (let i = 0; i < 3; i++) assert.equal((await ask({ authorization: basic('jack:pw') })).status, 200)
    const seen = upstream.requests.map(({ headers }) => [
      headers['x-consumer-username'],
      headers['authorization'],
    ])
    assert.deepEqual(seen, [
      ['guest', undefined],
      ['guest', undefined],
      ...[1, 2, 3].map(() => ['jack', undefined]),
    ])
  })
})

describe('a signed body', () => {
  it('reaches the upstream as it came, up to the size that is compared', async (t) => {
    const { upstream, write, ask, route } = await stage(t)
    const auth = { 'hmac-auth': { key_id: 'jack', secret_key: 's' } }
    await write('PUT', 'consumers/jack', { username: 'jack', plugins: auth })
    await route({
      'hmac-auth': {
        validate_request_body: true,
        max_req_body_size: 100_000,
        signed_headers: ['date', 'digest'],
      },
    })
    const send = (body: Uint8Array, signedBody = body) => {
      const date = new Date().toUTCString()
      const digest = `SHA-256=${createHash('sha256').update(signedBody).digest('base64')}`
      const authorization = signatureHeader({
        keyId: 'jack',
        secret: 's',
        headers: ['date', 'digest'],
        lines: [`date: ${date}`, `digest: ${digest}`],
      })
      return ask({ date, digest, authorization }, { method: 'POST', body: new Uint8Array(body) })
    }
    const body = Buffer.alloc(100_000, 'grüße ')
    const answer = await send(body)
    assert.deepEqual([answer.status, answer.text], [200, body.toString()])
    assert.equal((await send(body, body.subarray(1))).status, 401)
    assert.equal((await send(Buffer.alloc(100_001))).status, 413)
    assert.equal(upstream.requests.length, 1)
  })
})
