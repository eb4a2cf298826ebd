import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCertificate } from '../../support/certificates.ts'
import { type Answered, type Stage, stage } from './hardening-stage.ts'

/** Stands in every secret that a test sends. */
const MARK = 'markedsecret'
const PAIR = makeCertificate({ names: ['a.test'] })
const OTHER = makeCertificate({ names: ['b.test'] })
const MARKED_PEM = `-----BEGIN PRIVATE KEY-----\n${MARK.repeat(20)}\n-----END PRIVATE KEY-----`
/** What of a real private key would be recognised. */
const KEY_BODY = OTHER.key.split('\n')[2]!

type Write = readonly [what: string, method: string, path: string, body: unknown]

/** Requests that are refused, each with a secret in what is sent. */
const REFUSED: readonly Write[] = [
  ['a key that is a list', 'PUT', '/consumers', consumer({ key: [MARK] })],
  ['a key beside what is wrong', 'PUT', '/consumers', consumer({ key: MARK, _meta: { priority: MARK } })],
  ['a key that another has', 'PUT', '/consumers', consumer({ key: `${MARK}-taken` })],
  [
    'a key of an unknown plugin',
    'PUT',
    '/consumers',
    { username: 'x', plugins: { 'no-auth': { key: MARK } } },
  ],
  ['a key under a wrong name', 'PUT', '/consumers', { username: 'x', password: MARK, plugins: {} }],
  [
    'a key in a credential of nobody',
    'PUT',
    '/consumers/nobody/credentials/1',
    { plugins: { 'key-auth': { key: MARK } } },
  ],
  [
    'a key in an invalid credential',
    'PUT',
    '/consumers/steady/credentials/1',
    { plugins: { 'key-auth': { key: [MARK] } } },
  ],
  ['a private key that is none', 'PUT', '/ssls/1', { sni: 'a.test', cert: PAIR.cert, key: MARKED_PEM }],
  [
    'a private key that is no PEM',
    'PUT',
    '/ssls/1',
    { sni: 'a.test', cert: PAIR.cert, key: MARK.repeat(20) },
  ],
  ['a private key that is short', 'PUT', '/ssls/1', { sni: 'a.test', cert: PAIR.cert, key: MARK }],
  ['a private key that is a list', 'PUT', '/ssls/1', { sni: 'a.test', cert: PAIR.cert, key: [MARK] }],
  ['a private key of another', 'PUT', '/ssls/1', { sni: 'a.test', cert: PAIR.cert, key: OTHER.key }],
  [
    'further private keys',
    'PUT',
    '/ssls/1',
    { sni: 'a.test', ...PAIR, certs: [PAIR.cert], keys: [MARKED_PEM] },
  ],
  [
    'a private key toward nodes',
    'PUT',
    '/upstreams/1',
    { nodes: {}, tls: { client_cert: PAIR.cert, client_key: MARKED_PEM } },
  ],
  [
    'a private key toward nodes that is no PEM',
    'PUT',
    '/upstreams/1',
    { nodes: {}, tls: { client_cert: PAIR.cert, client_key: MARK } },
  ],
  ['a token without a manager', 'PUT', '/secrets/nobody/1', { token: MARK }],
  ['a token of an invalid manager', 'PUT', '/secrets/vault/1', { uri: 'x', prefix: 'kv', token: MARK }],
  ['a token that is a list', 'PUT', '/secrets/vault/1', { uri: 'http://a', prefix: 'kv', token: [MARK] }],
  ['a key of aws', 'PUT', '/secrets/aws/1', { access_key_id: 1, secret_access_key: MARK }],
  ['a key of gcp', 'PUT', '/secrets/gcp/1', { auth_config: { private_key: MARK } }],
  ['a sub-path of an ssl', 'PATCH', '/ssls/good/key', MARKED_PEM],
  ['a sub-path of a manager', 'PATCH', '/secrets/vault/good/token', { token: MARK }],
  ['a kind that nobody knows', 'PUT', '/tokens/1', { token: MARK }],
]

function consumer(config: object): object {
  return { username: 'x', plugins: { 'key-auth': config } }
}

/** A stage with resources that hold secrets. */
async function stageWithSecrets(t: Parameters<typeof stage>[0]): Promise<Stage> {
  const world = await stage(t)
  const taken = { username: 'owner', plugins: { 'key-auth': { key: `${MARK}-taken` } } }
  const all: readonly Write[] = [
    ['', 'PUT', '/consumers', taken],
    ['', 'PUT', '/ssls/good', { sni: 'b.test', ...OTHER }],
    ['', 'PUT', '/secrets/vault/good', { uri: 'http://127.0.0.1:1', prefix: 'kv', token: MARK }],
  ]
  for (const [, method, path, body] of all)
    assert.equal((await world.send(method, path, body)).status, 201, path)
  return world
}

function assertSilent(text: string, where: string): void {
  assert.ok(!text.includes(MARK), `${where} shows a secret: ${around(text, MARK)}`)
  assert.ok(!text.includes(KEY_BODY), `${where} shows a private key: ${around(text, KEY_BODY)}`)
}

function around(text: string, found: string): string {
  const at = text.indexOf(found)
  return text.slice(Math.max(0, at - 100), at + 100)
}

describe('a secret', () => {
  for (const [what, method, path, body] of REFUSED) {
    it(`is in no answer and no line of the log after a refusal: ${what}`, async (t) => {
      const world = await stageWithSecrets(t)
      const { status, text } = await world.send(method, path, JSON.stringify(body))
      assert.ok(status >= 400 && status < 500, `${status} ${text}`)
      assertSilent(text, 'the answer')
      await world.settled()
      assertSilent(world.logText(), 'the log')
      await world.assertServing()
    })
  }

  it('that is a wrong admin key is not repeated', async (t) => {
    const world = await stage(t)
    const wrong: Answered[] = [
      await world.send('PUT', '/routes/1', '{}', { 'x-api-key': MARK }),
      await world.send('PUT', `/routes/1?api_key=${MARK}`, '{}', { 'x-api-key': undefined }),
      await world.send('PUT', '/routes/1', '{}', { 'x-api-key': undefined, cookie: `x_api_key=${MARK}` }),
    ]
    for (const { status, text } of wrong) {
      assert.equal(status, 401)
      assertSilent(text, 'the answer')
    }
    assertSilent(world.logText(), 'the log')
  })

  it('in a body that is no JSON is shown to its sender alone', async (t) => {
    const world = await stage(t)
    const { status } = await world.send(
      'PUT',
      '/consumers',
      `{"username":"x","plugins":{"key-auth":{"key":"${MARK}"}}`,
    )
    assert.equal(status, 400)
    assertSilent(world.logText(), 'the log')
  })

  it('that was taken is in no line of the log; a private key is in no answer', async (t) => {
    const world = await stageWithSecrets(t)
    for (const path of ['/ssls', '/ssls/good', '/ssls?page=1&page_size=10']) {
      const { text } = await world.send('GET', path)
      assertSilent(text, path)
    }
    const patched = await world.send('PATCH', '/ssls/good', { labels: { a: 'b' } })
    assert.equal(patched.status, 200)
    assertSilent(patched.text, 'PATCH')
    await world.settled()
    assertSilent(world.logText(), 'the log')
  })

  const poison: readonly (readonly [what: string, key: string, text: string])[] = [
    ['no JSON', 'consumers/owner', `{"username":"owner","plugins":{"key-auth":{"key":"${MARK}"`],
    ['no JSON, and short', 'consumers/owner', MARK],
    ['a text', 'consumers/owner', JSON.stringify(MARK)],
    ['JSON within JSON', 'consumers/owner', JSON.stringify(JSON.stringify({ key: MARK }))],
    ['a list', 'consumers/owner', JSON.stringify([MARK])],
    [
      'an invalid key',
      'consumers/owner',
      JSON.stringify({ ...consumer({ key: [MARK] }), username: 'owner' }),
    ],
    [
      'a plugin that is a text',
      'consumers/owner',
      JSON.stringify({ username: 'owner', plugins: { 'key-auth': MARK } }),
    ],
    [
      'a private key that is none',
      'ssls/good',
      JSON.stringify({ id: 'good', sni: 'b.test', cert: OTHER.cert, key: MARKED_PEM }),
    ],
    ['an invalid manager', 'secrets/vault/good', JSON.stringify({ uri: 1, prefix: 'kv', token: MARK })],
  ]
  for (const [what, key, text] of poison) {
    it(`that someone wrote past the Admin API is not in the log, nor among the quarantined: ${what}`, async (t) => {
      const world = await stageWithSecrets(t)
      await world.store.put(`/apisix/${key}`, text)
      await world.settled()
      const quarantined = await world.quarantined()
      assert.equal(quarantined.length, 1)
      assertSilent(JSON.stringify(quarantined), '/v1/sync')
      assertSilent(world.logText(), 'the log')
      await world.assertServing()
    })
  }
})
