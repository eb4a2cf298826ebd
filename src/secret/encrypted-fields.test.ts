import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decryptDocument, encryptDocument, type SecretFieldsOf } from './encrypted-fields.ts'
import { createFieldCipher } from './field-cipher.ts'

const FIELDS: Record<string, string[]> = {
  'plugin/guard': ['key', 'clients.password', 'tokens', 'headers', 'session.redis.password'],
  'consumer/key-auth': ['key'],
  'metadata/guard': ['master'],
}
const secretFieldsOf: SecretFieldsOf = (plugin, place) => FIELDS[`${place}/${plugin}`] ?? []

const OPTIONS = { isEnabled: true, keyring: ['0123456789abcdef'], isOwnWriter: false }
const shared = { cipher: createFieldCipher(OPTIONS), secretFieldsOf }
const own = {
  cipher: createFieldCipher({ ...OPTIONS, keyring: [], isOwnWriter: true, ownKey: Buffer.alloc(32, 1) }),
  secretFieldsOf,
}
const PEM = '-----BEGIN PRIVATE KEY-----\nMII\n'
const sealed = (text: string) => shared.cipher.encrypt(text)

interface Row {
  readonly kind: string
  readonly id?: string
  readonly says: string
  readonly plain: Record<string, unknown>
  readonly stored: Record<string, unknown>
}

const ROWS: Row[] = [
  {
    kind: 'routes',
    says: 'texts, lists of texts, maps of texts and fields of lists in a plugin',
    plain: {
      uri: '/',
      plugins: {
        guard: {
          key: 'k',
          other: 'k',
          clients: [{ name: 'a', password: 'p' }],
          tokens: ['t', 'u'],
          headers: { A: 'h' },
        },
        open: { key: 'k' },
      },
    },
    stored: {
      uri: '/',
      plugins: {
        guard: {
          key: sealed('k'),
          other: 'k',
          clients: [{ name: 'a', password: sealed('p') }],
          tokens: [sealed('t'), sealed('u')],
          headers: { A: sealed('h') },
        },
        open: { key: 'k' },
      },
    },
  },
  ...['services', 'plugin_configs', 'consumer_groups', 'global_rules', 'stream_routes'].map((kind) => ({
    kind,
    says: 'nested fields of a plugin',
    plain: { plugins: { guard: { session: { redis: { password: 'p' } } } } },
    stored: { plugins: { guard: { session: { redis: { password: sealed('p') } } } } },
  })),
  ...['consumers', 'credentials'].map((kind) => ({
    kind,
    says: "what a plugin's consumer holds",
    plain: { plugins: { 'key-auth': { key: 'k' }, guard: { key: 'k' } } },
    stored: { plugins: { 'key-auth': { key: sealed('k') }, guard: { key: 'k' } } },
  })),
  {
    kind: 'plugin_metadata',
    id: 'guard',
    says: "the metadata of the plugin that the document's id names",
    plain: { master: 'm', key: 'k' },
    stored: { master: sealed('m'), key: 'k' },
  },
  {
    kind: 'ssls',
    says: 'keys in PEM, and nothing else',
    plain: { cert: PEM, key: PEM, keys: [PEM, 'no PEM'], snis: ['a'] },
    stored: { cert: PEM, key: sealed(PEM), keys: [sealed(PEM), 'no PEM'], snis: ['a'] },
  },
  {
    kind: 'upstreams',
    says: 'the client key',
    plain: { tls: { client_cert: PEM, client_key: PEM } },
    stored: { tls: { client_cert: PEM, client_key: sealed(PEM) } },
  },
  {
    kind: 'routes',
    says: 'the client key of an inline upstream',
    plain: { upstream: { tls: { client_key: PEM } } },
    stored: { upstream: { tls: { client_key: sealed(PEM) } } },
  },
]

describe('a document at rest', () => {
  for (const { kind, id = '1', says, plain, stored } of ROWS) {
    it(`has in ${kind} encrypted: ${says}`, () => {
      const before = structuredClone(plain)
      assert.deepEqual(encryptDocument({ kind, id }, plain, shared), stored)
      assert.deepEqual(plain, before, 'what was given is not changed')
      assert.deepEqual(decryptDocument({ kind, id }, stored, shared), plain)
      assert.equal(encryptDocument({ kind, id }, stored, shared), stored, 'nothing is encrypted twice')
      assert.equal(decryptDocument({ kind, id }, plain, shared), plain, 'plain text is read as it is')
    })
  }

  it('keeps references as they are', () => {
    const document = {
      plugins: { guard: { key: '$secret://vault/1/a/b', tokens: ['$env://A', '$ENV://B'] } },
    }
    assert.equal(encryptDocument({ kind: 'routes', id: '1' }, document, shared), document)
  })

  it('shares what holds no secret', () => {
    const document = { labels: { a: 'b' }, plugins: { open: { x: 1 }, guard: { key: 'k', rest: {} } } }
    const stored = encryptDocument({ kind: 'routes', id: '1' }, document, shared)
    assert.equal(stored.labels, document.labels)
    assert.equal(stored.plugins.open, document.plugins.open)
    assert.equal(stored.plugins.guard.rest, document.plugins.guard.rest)
  })

  it('has tokens of secret managers encrypted with the own key, not with one that APISIX has too', () => {
    const ref = { kind: 'secrets', id: 'vault/1' }
    const document = {
      uri: 'http://v',
      token: 't',
      secret_access_key: 's',
      auth_config: { private_key: PEM },
    }
    assert.equal(encryptDocument(ref, document, shared), document)
    const stored = encryptDocument(ref, document, own)
    assert.doesNotMatch(JSON.stringify(stored), /"t"|"s"|BEGIN/)
    assert.equal(stored.uri, 'http://v')
    assert.deepEqual(decryptDocument(ref, stored, own), document)
  })

  it('has what APISIX keeps plain encrypted with the own key alone, in lists of lists too', () => {
    const ref = { kind: 'routes', id: '1' }
    const document = { plugins: { guard: { rules: [{ actions: [['limit', { password: 'p' }]] }] } } }
    const hiddenFieldsOf: SecretFieldsOf = () => ['rules.actions.password']
    assert.equal(encryptDocument(ref, document, { ...shared, hiddenFieldsOf }), document)
    const stored = encryptDocument(ref, document, { ...own, hiddenFieldsOf })
    assert.doesNotMatch(JSON.stringify(stored), /"p"/)
    assert.deepEqual(decryptDocument(ref, stored, { ...own, hiddenFieldsOf }), document)
    const later = createFieldCipher({ ...OPTIONS, ownKey: Buffer.alloc(32, 1) })
    const opened = decryptDocument(ref, stored, { cipher: later, secretFieldsOf, hiddenFieldsOf })
    assert.deepEqual(opened, document, 'also once there is a keyring')
  })

  it('is left alone by odd values in the place of secrets', () => {
    const oddities = [null, 1, [], {}, [[]], [{ password: 1 }], { a: { b: 'c' } }]
    for (const odd of oddities) {
      const document = { plugins: { guard: { key: odd, clients: odd, session: odd } } }
      assert.equal(encryptDocument({ kind: 'routes', id: '1' }, document, shared), document)
      const outer = { plugins: odd, upstream: odd }
      assert.equal(encryptDocument({ kind: 'routes', id: '1' }, outer, shared), outer)
    }
  })

  it('does not reach prototypes through names', () => {
    const document = JSON.parse('{"plugins": {"guard": {"headers": {"__proto__": "h"}}}}')
    const stored = encryptDocument({ kind: 'routes', id: '1' }, document, shared)
    assert.equal(JSON.stringify(stored), `{"plugins":{"guard":{"headers":{"__proto__":"${sealed('h')}"}}}}`)
  })

  it('tells where a field was encrypted by another node, and no field that is plain', () => {
    const told: string[] = []
    const stored = encryptDocument(
      { kind: 'routes', id: '1' },
      { plugins: { guard: { key: 'k', clients: [{ password: 'p' }] } } },
      own,
    )
    const deps = { ...shared, onUnreadable: (path: string) => told.push(path) }
    assert.equal(decryptDocument({ kind: 'routes', id: '1' }, stored, deps), stored)
    decryptDocument({ kind: 'routes', id: '1' }, { plugins: { guard: { key: 'plain' } } }, deps)
    assert.deepEqual(told, ['plugins.guard.key', 'plugins.guard.clients.password'])
  })

  it('is plain when encryption is switched off, and read nevertheless', () => {
    const off = { cipher: createFieldCipher({ ...OPTIONS, isEnabled: false }), secretFieldsOf }
    const document = { plugins: { guard: { key: 'k' } } }
    assert.equal(encryptDocument({ kind: 'routes', id: '1' }, document, off), document)
    const stored = { plugins: { guard: { key: sealed('k') } } }
    assert.deepEqual(decryptDocument({ kind: 'routes', id: '1' }, stored, off), document)
  })
})
