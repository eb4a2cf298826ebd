import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, NOW, startAdmin } from './start-admin.ts'

const SEEN = { uri: 'http://127.0.0.1:8200', prefix: 'kv/apisix' }
const VAULT = { ...SEEN, token: 'hush-token' }
const AWS = { access_key_id: 'AK', secret_access_key: 'hush-key', session_token: 'hush-session' }
const GCP = { auth_config: { client_email: 'a@b', private_key: 'hush-pem', project_id: 'p' } }
const STORED = { ...VAULT, id: 'vault/1', create_time: 5, update_time: 6 }
const GIVEN = { 'secrets/vault/1': STORED }
const KEY = '/apisix/secrets/vault/1'
const NEW = { ...SEEN, id: 'vault/1', create_time: NOW, update_time: NOW }
const SHOWN = {
  key: KEY,
  value: { ...SEEN, id: 'vault/1', create_time: 5, update_time: 6 },
  createdIndex: 2,
  modifiedIndex: 2,
}
const NO_ID = 'missing secret id: use the path /apisix/admin/secrets/<manager>/<id>'
const MISSING = { message: 'Key not found' }

describe('PUT of a secret', () => {
  checkRows([
    {
      rule: 'stores it below its manager, with both in its id',
      request: ['PUT', '/secrets/vault/1', VAULT],
      status: 201,
      answer: { key: KEY, value: NEW },
    },
    {
      rule: 'replaces it',
      given: GIVEN,
      request: ['PUT', '/secrets/vault/1', VAULT],
      status: 200,
      answer: { key: KEY, value: { ...NEW, create_time: 5 } },
    },
    {
      rule: 'takes the id that GET shows',
      request: ['PUT', '/secrets/vault/1', { ...VAULT, id: 'vault/1' }],
      status: 201,
    },
    { rule: 'takes its last part', request: ['PUT', '/secrets/vault/1', { ...VAULT, id: 1 }], status: 201 },
    {
      rule: 'takes no other id',
      request: ['PUT', '/secrets/vault/1', { ...VAULT, id: 'aws/1' }],
      status: 400,
      answer: 'wrong secret id',
    },
    { rule: 'needs an id', request: ['PUT', '/secrets/vault', VAULT], status: 400, answer: NO_ID },
    { rule: 'needs a manager', request: ['PUT', '/secrets', VAULT], status: 400, answer: NO_ID },
    {
      rule: 'needs a body',
      request: ['PUT', '/secrets/vault/1'],
      status: 400,
      answer: 'missing configurations',
    },
    {
      rule: 'takes managers that are known',
      request: ['PUT', '/secrets/safe/1', VAULT],
      status: 400,
      answer: 'invalid secret manager: safe',
    },
    {
      rule: 'takes managers by their own names',
      request: ['PUT', '/secrets/constructor/1', VAULT],
      status: 400,
      answer: 'invalid secret manager: constructor',
    },
    {
      rule: 'takes what the manager needs',
      request: ['PUT', '/secrets/vault/1', SEEN],
      status: 400,
      answer: 'invalid configuration: property "token" is required',
    },
    { rule: 'takes an AWS account', request: ['PUT', '/secrets/aws/1', AWS], status: 201 },
    { rule: 'takes a Google account', request: ['PUT', '/secrets/gcp/1', GCP], status: 201 },
    {
      rule: 'takes one Google account',
      request: ['PUT', '/secrets/gcp/1', { ...GCP, auth_file: '/a' }],
      status: 400,
    },
    { rule: 'takes an id that can be one', request: ['PUT', '/secrets/vault/a~b', VAULT], status: 400 },
    {
      rule: 'takes no timestamps',
      request: ['PUT', '/secrets/vault/1', { ...VAULT, update_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  update_time',
    },
    {
      rule: 'is not replaced by POST',
      request: ['POST', '/secrets/vault', VAULT],
      status: 405,
      answer: 'not supported `POST` method for secret',
    },
    {
      rule: 'stores nothing when it is a dry run',
      request: ['PUT', '/secrets/vault/1?dry_run=true', VAULT],
      status: 201,
      answer: { key: KEY, value: NEW },
      isDry: true,
    },
    {
      rule: 'finds nothing where If-None-Match asks for that',
      given: GIVEN,
      request: ['PUT', '/secrets/vault/1', VAULT],
      headers: { 'if-none-match': '*' },
      status: 412,
    },
  ])
})

describe('PATCH of a secret', () => {
  checkRows([
    {
      rule: 'merges',
      given: GIVEN,
      request: ['PATCH', '/secrets/vault/1', { prefix: 'kv/other' }],
      status: 200,
      answer: { key: KEY, value: { ...NEW, prefix: 'kv/other', create_time: 5 } },
    },
    {
      rule: 'sets what a sub-path names',
      given: GIVEN,
      request: ['PATCH', '/secrets/vault/1/namespace', '"team"'],
      status: 200,
      answer: { key: KEY, value: { ...NEW, namespace: 'team', create_time: 5 } },
    },
    {
      rule: 'is checked',
      given: GIVEN,
      request: ['PATCH', '/secrets/vault/1', { token: null }],
      status: 400,
      answer: 'invalid configuration: property "token" is required',
    },
    { rule: 'needs an id', request: ['PATCH', '/secrets/vault', {}], status: 400, answer: 'no secret id' },
    { rule: 'needs a manager', request: ['PATCH', '/secrets', {}], status: 400, answer: 'no secret id' },
    {
      rule: 'does not find what is not there',
      request: ['PATCH', '/secrets/vault/1', {}],
      status: 404,
      answer: MISSING,
    },
  ])
})

describe('GET of secrets', () => {
  const two = { ...GIVEN, 'secrets/aws/1': { ...AWS, id: 'aws/1' } }
  const aws = {
    key: '/apisix/secrets/aws/1',
    value: { access_key_id: 'AK', id: 'aws/1' },
    createdIndex: 3,
    modifiedIndex: 3,
  }
  checkRows([
    { rule: 'shows one', given: two, request: ['GET', '/secrets/vault/1'], status: 200, answer: SHOWN },
    {
      rule: 'lists all',
      given: { ...two, 'secrets/': 'init_dir' },
      request: ['GET', '/secrets'],
      status: 200,
      answer: { total: 2, list: [aws, SHOWN] },
    },
    {
      rule: 'lists those of one manager',
      given: two,
      request: ['GET', '/secrets/vault'],
      status: 200,
      answer: { total: 1, list: [SHOWN] },
    },
    {
      rule: 'finds no list where there is none',
      request: ['GET', '/secrets/vault'],
      status: 404,
      answer: MISSING,
    },
    {
      rule: 'lists nothing at all',
      request: ['GET', '/secrets'],
      status: 200,
      answer: { total: 0, list: [] },
    },
    {
      rule: 'does not find what is not there',
      request: ['GET', '/secrets/vault/1'],
      status: 404,
      answer: MISSING,
    },
  ])

  it('and every other answer keeps what opens the manager to itself', async () => {
    const admin = await startAdmin()
    const answers = [
      await admin.send('PUT', '/secrets/vault/1', { body: VAULT }),
      await admin.send('PUT', '/secrets/aws/1', { body: AWS }),
      await admin.send('PUT', '/secrets/gcp/1', { body: GCP }),
      await admin.send('PATCH', '/secrets/gcp/1', { body: { auth_config: { private_key: 'hush-2' } } }),
      await admin.send('PATCH', '/secrets/vault/1/token', { body: '"hush-3"' }),
      await admin.send('GET', '/secrets'),
      await admin.send('GET', '/secrets?page=1&page_size=10'),
      await admin.send('GET', '/secrets/gcp'),
      await admin.send('GET', '/secrets/gcp/1'),
      await admin.send('DELETE', '/secrets/aws/1'),
    ]
    for (const { status, text } of answers) {
      assert.ok(status < 300, text)
      assert.doesNotMatch(text, /hush/)
    }
    assert.match(answers[8]!.text, /"client_email":"a@b"/)
    assert.match(JSON.stringify(await admin.content()), /hush-2.*hush-3/)
  })
})

describe('DELETE of a secret', () => {
  checkRows([
    {
      rule: 'answers with its key',
      given: { ...GIVEN, 'secrets/vault/2': STORED },
      request: ['DELETE', '/secrets/vault/1'],
      status: 200,
      answer: { deleted: '1', key: KEY },
    },
    {
      rule: 'needs an id',
      given: GIVEN,
      request: ['DELETE', '/secrets/vault'],
      status: 400,
      answer: 'missing secret id',
    },
    {
      rule: 'does not find what is not there',
      given: GIVEN,
      request: ['DELETE', '/secrets/aws/1'],
      status: 404,
      answer: MISSING,
    },
  ])
})
