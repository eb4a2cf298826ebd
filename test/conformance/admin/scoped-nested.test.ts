import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AdminDeps, AuditEntry } from '../../../admin/api/index.ts'
import { checkRows, type Row, startAdmin } from './start-admin.ts'

const KEYS: AdminDeps['keys'] = [
  { key: 'credentials', name: 'c', role: 'admin', scope: { resources: ['credentials'] } },
  { key: 'consumers', name: 'p', role: 'admin', scope: { resources: ['consumers'] } },
  { key: 'secrets', name: 's', role: 'admin', scope: { resources: ['secrets'], id_prefix: 'team-a-' } },
  { key: 'prefix', name: 'x', role: 'admin', scope: { id_prefix: 'team-a-' } },
  { key: 'label', name: 'l', role: 'admin', scope: { label: { team: 'a' } } },
]
const LIMITED = 'outside the scope of the key: it is limited to '
const PREFIX = `${LIMITED}ids that begin with "team-a-", and this is `
const LABEL = `${LIMITED}resources with the label team=a, and the `
const PLUGINS = { 'test-auth': { key: 'k' } }
const OURS = { plugins: PLUGINS, labels: { team: 'a' } }
const VAULT = { uri: 'http://127.0.0.1:8200', prefix: 'kv', token: 't' }
const GIVEN = {
  'consumers/jack': { username: 'jack' },
  'consumers/jack/credentials/c1': { id: 'c1', plugins: {}, labels: { team: 'a' } },
  'consumers/team-a-jill': { username: 'team-a-jill', labels: { team: 'a' } },
  'secrets/vault/1': { ...VAULT, id: 'vault/1' },
  'secrets/vault/team-a-1': { ...VAULT, id: 'vault/team-a-1' },
}

/** Rows for the key of that name. */
function by(key: string, rows: readonly Row[]): Row[] {
  return rows.map((row) => ({ given: GIVEN, ...row, headers: { 'x-api-key': key } }))
}

describe('a key for credentials', () => {
  checkRows(
    by('credentials', [
      {
        rule: 'writes them',
        request: ['PUT', '/consumers/jack/credentials/c2', { plugins: PLUGINS }],
        status: 201,
      },
      { rule: 'lists them', request: ['GET', '/consumers/jack/credentials'], status: 200 },
      { rule: 'deletes them', request: ['DELETE', '/consumers/jack/credentials/c1'], status: 200 },
      {
        rule: 'may not touch their consumer',
        request: ['DELETE', '/consumers/jack'],
        status: 403,
        answer: `${LIMITED}resources credentials, and this is consumers`,
      },
    ]),
    { keys: KEYS },
  )
})

describe('a key for consumers', () => {
  checkRows(
    by('consumers', [
      {
        rule: 'may not write their credentials',
        request: ['PUT', '/consumers/jack/credentials/c2', { plugins: PLUGINS }],
        status: 403,
        answer: `${LIMITED}resources consumers, and this is credentials`,
      },
      {
        rule: 'may not read them',
        request: ['GET', '/consumers/jack/credentials/c1'],
        status: 403,
        answer: `${LIMITED}resources consumers, and this is credentials`,
      },
    ]),
    { keys: KEYS },
  )
})

describe('a key with an id prefix', () => {
  checkRows(
    by('prefix', [
      {
        rule: 'writes credentials of consumers whose names begin so',
        request: ['PUT', '/consumers/team-a-jill/credentials/c1', { plugins: PLUGINS }],
        status: 201,
      },
      {
        rule: 'may not write those of others, whatever the credential is called',
        request: ['PUT', '/consumers/jack/credentials/team-a-c', { plugins: PLUGINS }],
        status: 403,
        answer: `${PREFIX}"jack/credentials/team-a-c"`,
      },
      {
        rule: 'may not name those of others in the body',
        request: ['PUT', '/consumers/jack/credentials', { id: 'team-a-c', plugins: PLUGINS }],
        status: 403,
        answer: `${PREFIX}"jack/credentials/team-a-c"`,
      },
      {
        rule: 'may not delete those of others',
        request: ['DELETE', '/consumers/jack/credentials/c1'],
        status: 403,
        answer: `${PREFIX}"jack/credentials/c1"`,
      },
      {
        rule: 'may not read those of others',
        request: ['GET', '/consumers/jack/credentials/c1'],
        status: 403,
        answer: `${PREFIX}"jack/credentials/c1"`,
      },
      {
        rule: 'sees no list of others',
        request: ['GET', '/consumers/jack/credentials'],
        status: 404,
        answer: { message: 'Key not found' },
      },
    ]),
    { keys: KEYS },
  )
  checkRows(
    by('secrets', [
      {
        rule: 'writes secrets whose ids begin so',
        request: ['PUT', '/secrets/aws/team-a-2', { access_key_id: 'a', secret_access_key: 'b' }],
        status: 201,
      },
      {
        rule: 'may not write others',
        request: ['PUT', '/secrets/vault/1', VAULT],
        status: 403,
        answer: `${PREFIX}"vault/1"`,
      },
      {
        rule: 'may not change others',
        request: ['PATCH', '/secrets/vault/1/token', '"x"'],
        status: 403,
        answer: `${PREFIX}"vault/1"`,
      },
      {
        rule: 'may not take a manager for an id',
        request: ['DELETE', '/secrets/team-a-x/1'],
        status: 403,
        answer: `${PREFIX}"team-a-x/1"`,
      },
    ]),
    { keys: KEYS },
  )

  it('lists its secrets alone', async () => {
    const admin = await startAdmin({ keys: KEYS })
    for (const [key, value] of Object.entries(GIVEN)) {
      await admin.store.put(`/apisix/${key}`, JSON.stringify(value))
    }
    for (const path of ['/secrets', '/secrets/vault']) {
      const { body } = await admin.send('GET', path, { headers: { 'x-api-key': 'secrets' } })
      const { list } = body as { list: { key: string }[] }
      assert.deepEqual(
        list.map(({ key }) => key),
        ['/apisix/secrets/vault/team-a-1'],
      )
    }
  })
})

describe('a key with labels', () => {
  checkRows(
    by('label', [
      {
        rule: 'writes labelled credentials of labelled consumers',
        request: ['PUT', '/consumers/team-a-jill/credentials/c1', OURS],
        status: 201,
      },
      {
        rule: 'adds no credential to the consumer of others',
        request: ['PUT', '/consumers/jack/credentials/c2', OURS],
        status: 403,
        answer: `${LABEL}owner does not have it`,
      },
      {
        rule: 'takes none from the consumer of others',
        request: ['DELETE', '/consumers/jack/credentials/c1'],
        status: 403,
        answer: `${LABEL}owner does not have it`,
      },
      {
        rule: 'writes no credential without them',
        request: ['PUT', '/consumers/team-a-jill/credentials/c1', { plugins: PLUGINS }],
        status: 403,
        answer: `${LABEL}new one does not have it`,
      },
      { rule: 'has no secrets', request: ['GET', '/secrets/vault/1'], status: 403 },
    ]),
    { keys: KEYS },
  )
})

describe('the audit log', () => {
  const rows: readonly (readonly [method: string, path: string, resource: string, id: string])[] = [
    ['PUT', '/consumers/jack/credentials/c1', 'credentials', 'jack/credentials/c1'],
    ['POST', '/consumers/jack/credentials/c1', 'credentials', 'jack/credentials/c1'],
    ['PUT', '/secrets/vault/1', 'secrets', 'vault/1'],
    ['PATCH', '/secrets/vault/1/prefix', 'secrets', 'vault/1'],
    ['DELETE', '/secrets/vault/9', 'secrets', 'vault/9'],
  ]
  for (const [method, path, resource, id] of rows) {
    it(`names ${id} whether ${method} succeeds or not`, async () => {
      const entries: AuditEntry[] = []
      const admin = await startAdmin({ audit: { write: (entry) => void entries.push(entry) } })
      await admin.store.put('/apisix/consumers/jack', '{"username":"jack"}')
      await admin.send(method, path, { body: method === 'PUT' ? VAULT : '"x"' })
      assert.deepEqual(
        entries.map((entry) => [entry.resource, entry.id]),
        [[resource, id]],
      )
      assert.equal(entries[0]!.subPath, path.endsWith('prefix') ? 'prefix' : undefined)
    })
  }
})
