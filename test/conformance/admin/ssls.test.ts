import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCertificate } from '../../support/certificates.ts'
import { checkRows, type Row, startAdmin } from './start-admin.ts'

const PAIR = makeCertificate({ names: ['a.test'] })
const OTHER = makeCertificate({ names: ['b.test'] })
const UNREADABLE = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(128)}\n-----END CERTIFICATE-----`
const UNREADABLE_KEY = UNREADABLE.replaceAll('CERTIFICATE', 'PRIVATE KEY')
const NO_CERTIFICATE = 'failed to parse cert: PEM_read_bio_X509_AUX() failed'
const NO_KEY = 'failed to parse key: PEM_read_bio_PrivateKey() failed'
const INVALID = 'invalid configuration: '

const SSL = { sni: 'a.test', ...PAIR }

const ROWS: readonly (readonly [rule: string, document: object, message: string | undefined])[] = [
  ['has a name, a certificate and its key', SSL, undefined],
  ['may have several names', { snis: ['a.test', '*.b.test'], ...PAIR }, undefined],
  ['of type server needs a name', PAIR, `${INVALID}then clause did not match`],
  ['of type client needs none', { type: 'client', ...PAIR }, undefined],
  [
    'has names that could be hosts',
    { ...SSL, sni: 'a b' },
    `${INVALID}property "sni" validation failed: failed to match pattern "^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$" with "a b"`,
  ],
  ['has no name of its own', { ...SSL, name: 'x' }, `${INVALID}additional properties forbidden, found name`],
  ['has a certificate that can be read', { ...SSL, cert: UNREADABLE }, NO_CERTIFICATE],
  ['has a key that can be read', { ...SSL, key: UNREADABLE_KEY }, NO_KEY],
  ['has a key in PEM', { ...SSL, key: 'k'.repeat(64) }, 'failed to decrypt previous encrypted key'],
  [
    'has as many further keys as certificates',
    { ...SSL, certs: [OTHER.cert] },
    'mismatched number of certs and keys',
  ],
  ['may have further pairs', { ...SSL, certs: [OTHER.cert], keys: [OTHER.key] }, undefined],
  [
    'has further pairs that can be read',
    { ...SSL, certs: [OTHER.cert, UNREADABLE], keys: [OTHER.key, OTHER.key] },
    `failed to handle cert-key pair[2]: ${NO_CERTIFICATE}`,
  ],
  [
    'has an authority that can be read',
    { ...SSL, client: { ca: UNREADABLE } },
    `failed to validate client_cert: ${NO_CERTIFICATE}`,
  ],
  [
    'has expressions that can be read',
    { ...SSL, client: { ca: PAIR.cert, skip_mtls_uri_regex: ['('] } },
    `${INVALID}client.skip_mtls_uri_regex[0]: "(" is no regular expression`,
  ],
  ['may refer to a secret instead of holding it', { ...SSL, key: '$secret://vault/1/ssl/key' }, undefined],
]

describe('an ssl', () => {
  checkRows(
    ROWS.map(
      ([rule, document, message]): Row => ({
        rule,
        given: {},
        request: ['PUT', '/ssls/1', document],
        status: message === undefined ? 201 : 400,
        answer: message,
      }),
    ),
  )

  it('has a key that belongs to its certificate', async () => {
    const admin = await startAdmin()
    const { status, text } = await admin.send('PUT', '/ssls/1', { body: { ...SSL, key: OTHER.key } })
    assert.equal(status, 400)
    assert.match(text, /certificate and key cannot be used together/)
    assert.doesNotMatch(text, /PRIVATE/)
  })
})

describe('the keys of an ssl', () => {
  it('are kept, and shown in no answer', async () => {
    const admin = await startAdmin()
    const body = { ...SSL, certs: [OTHER.cert], keys: [OTHER.key] }
    const answers = [
      await admin.send('PUT', '/ssls/1', { body }),
      await admin.send('POST', '/ssls', { body }),
      await admin.send('PATCH', '/ssls/1', { body: { labels: { a: 'b' } } }),
      await admin.send('PATCH', '/ssls/1/keys', { body: [OTHER.key] }),
      await admin.send('GET', '/ssls/1'),
      await admin.send('GET', '/ssls'),
      await admin.send('GET', '/ssls?page=1&page_size=10'),
      await admin.send('DELETE', '/ssls/2'),
    ]
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201, 201, 200, 200, 200, 200, 200, 404],
    )
    for (const { text } of answers) assert.doesNotMatch(text, /PRIVATE|"keys?":\[?"-/)
    const { value } = answers[4]!.body as { value: Record<string, unknown> }
    assert.deepEqual(
      [value['sni'], value['labels'], value['key'], value['keys']],
      ['a.test', { a: 'b' }, undefined, undefined],
    )
    assert.match(JSON.stringify(await admin.content()), /PRIVATE KEY/)
  })
})
