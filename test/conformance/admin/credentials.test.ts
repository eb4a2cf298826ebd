import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, NOW, startAdmin } from './start-admin.ts'

const PATH = '/consumers/jack/credentials'
const CREDENTIAL = { desc: 'laptop', plugins: { 'test-auth': { key: 'k' } } }
const STORED = { ...CREDENTIAL, id: 'c1', create_time: 5, update_time: 6 }
const GIVEN = { 'consumers/jack': { username: 'jack' } }
const WITH_ONE = { ...GIVEN, 'consumers/jack/credentials/c1': STORED }
const KEY = '/apisix/consumers/jack/credentials/c1'
const NEW = { ...CREDENTIAL, id: 'c1', create_time: NOW, update_time: NOW }
const MISSING = { message: 'Key not found' }

describe('PUT of a credential', () => {
  checkRows([
    {
      rule: 'stores it below its consumer',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      status: 201,
      answer: { key: KEY, value: NEW },
    },
    {
      rule: 'takes its id from the body',
      given: GIVEN,
      request: ['PUT', PATH, { ...CREDENTIAL, id: 'c1' }],
      status: 201,
      answer: { key: KEY, value: NEW },
    },
    {
      rule: 'keeps the type of an id in the body',
      given: GIVEN,
      request: ['PUT', PATH, { ...CREDENTIAL, id: 7 }],
      status: 201,
      answer: { key: '/apisix/consumers/jack/credentials/7', value: { ...NEW, id: 7 } },
    },
    {
      rule: 'replaces it and keeps its create_time',
      given: WITH_ONE,
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      status: 200,
      answer: { key: KEY, value: { ...NEW, create_time: 5 } },
    },
    {
      rule: 'needs a body',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`],
      status: 400,
      answer: 'missing configurations',
    },
    {
      rule: 'needs an id',
      given: GIVEN,
      request: ['PUT', PATH, CREDENTIAL],
      status: 400,
      answer: 'missing credential id',
    },
    {
      rule: 'has one id',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, { ...CREDENTIAL, id: 'c2' }],
      status: 400,
      answer: 'wrong credential id',
    },
    {
      rule: 'takes no id that names a place',
      given: GIVEN,
      request: ['PUT', PATH, { ...CREDENTIAL, id: 'jack/credentials/c1' }],
      status: 400,
    },
    {
      rule: 'takes no timestamps',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, { ...CREDENTIAL, create_time: 1 }],
      status: 400,
      answer: 'the property is forbidden:  create_time',
    },
    {
      rule: 'takes one plugin',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, { plugins: { 'test-auth': { key: 'k' }, 'test-limit': { count: 1 } } }],
      status: 400,
      answer:
        'invalid configuration: property "plugins" validation failed: expect object to have at most 1 properties',
    },
    {
      rule: 'takes plugins that exist',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, { plugins: { nope: {} } }],
      status: 400,
      answer: 'invalid plugins configuration: unknown plugin [nope]',
    },
    {
      rule: 'takes plugins that authenticate',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1`, { plugins: { 'test-limit': { count: 1 } } }],
      status: 400,
      answer: 'only supports auth type plugins in consumer credential',
    },
    {
      rule: 'takes no key of another consumer',
      given: { ...GIVEN, 'consumers/jill': { username: 'jill', plugins: CREDENTIAL.plugins } },
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      status: 400,
      answer: 'duplicate key of plugin test-auth found with consumer: jill',
    },
    {
      rule: 'takes no key of its own consumer',
      given: { 'consumers/jack': { username: 'jack', plugins: CREDENTIAL.plugins } },
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      status: 400,
      answer: 'duplicate key of plugin test-auth found with consumer: jack',
    },
    {
      rule: 'takes no key of another credential',
      given: WITH_ONE,
      request: ['PUT', `${PATH}/c2`, CREDENTIAL],
      status: 400,
      answer: 'duplicate key of plugin test-auth found with credential: c1 of consumer: jack',
    },
    {
      rule: 'needs its consumer',
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      status: 404,
      answer: 'consumer not found',
    },
    {
      rule: 'asks for its consumer last',
      request: ['PUT', `${PATH}/c1`, { plugins: { nope: {} } }],
      status: 400,
      answer: 'invalid plugins configuration: unknown plugin [nope]',
    },
    {
      rule: 'needs a consumer that could be one',
      request: ['PUT', `/consumers/${'j'.repeat(3000)}/credentials/c1`, CREDENTIAL],
      status: 404,
      answer: 'consumer not found',
    },
    {
      rule: 'takes no id that could be none',
      given: GIVEN,
      request: ['PUT', `${PATH}/a~b`, CREDENTIAL],
      status: 400,
    },
    {
      rule: 'ignores what follows the id',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1/more`, CREDENTIAL],
      status: 201,
      answer: { key: KEY, value: NEW },
    },
    {
      rule: 'stores nothing when it is a dry run',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1?dry_run=true`, CREDENTIAL],
      status: 201,
      answer: { key: KEY, value: NEW },
      isDry: true,
    },
    {
      rule: 'finds the revision that If-Match asks for, or nothing is done',
      given: WITH_ONE,
      request: ['PUT', `${PATH}/c1`, CREDENTIAL],
      headers: { 'if-match': '"99"' },
      status: 412,
    },
    {
      rule: 'vanishes with its ttl',
      given: GIVEN,
      request: ['PUT', `${PATH}/c1?ttl=60`, CREDENTIAL],
      status: 201,
    },
    ...(['POST', 'PATCH'] as const).map((method) => ({
      rule: `is the only way to write one: ${method}`,
      given: WITH_ONE,
      request: [method, `${PATH}/c1`, CREDENTIAL] as const,
      status: 405,
      answer: `not supported \`${method}\` method for credential`,
    })),
  ])
})

describe('GET of credentials', () => {
  checkRows([
    {
      rule: 'shows one',
      given: WITH_ONE,
      request: ['GET', `${PATH}/c1`],
      status: 200,
      answer: { key: KEY, value: STORED, createdIndex: 3, modifiedIndex: 3 },
      has: { etag: '"3"' },
    },
    {
      rule: 'lists those of its consumer',
      given: {
        ...WITH_ONE,
        'consumers/jack2/credentials/c9': STORED,
        'consumers/jac/credentials/c8': STORED,
      },
      request: ['GET', PATH],
      status: 200,
      answer: { total: 1, list: [{ key: KEY, value: STORED, createdIndex: 3, modifiedIndex: 3 }] },
    },
    {
      rule: 'lists them with a slash at the end',
      given: WITH_ONE,
      request: ['GET', `${PATH}/`],
      status: 200,
    },
    {
      rule: 'finds no list where there is none',
      given: GIVEN,
      request: ['GET', PATH],
      status: 404,
      answer: MISSING,
    },
    {
      rule: 'keeps none of them when none has the label',
      given: WITH_ONE,
      request: ['GET', `${PATH}?label=env`],
      status: 200,
      answer: { total: 0, list: [] },
    },
    {
      rule: 'keeps those with the label',
      given: { ...WITH_ONE, 'consumers/jack/credentials/c2': { id: 'c2', labels: { env: 'x' } } },
      request: ['GET', `${PATH}?label=env`],
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/consumers/jack/credentials/c2',
            value: { id: 'c2', labels: { env: 'x' } },
            createdIndex: 4,
            modifiedIndex: 4,
          },
        ],
      },
    },
    { rule: 'does not find what is not there', request: ['GET', `${PATH}/c1`], status: 404, answer: MISSING },
    {
      rule: 'does not find those of a consumer with 3,000 letters',
      request: ['GET', `/consumers/${'j'.repeat(3000)}/credentials`],
      status: 404,
      answer: MISSING,
    },
  ])
})

describe('DELETE of a credential', () => {
  checkRows([
    {
      rule: 'answers with its key',
      given: WITH_ONE,
      request: ['DELETE', `${PATH}/c1`],
      status: 200,
      answer: { deleted: '1', key: KEY },
    },
    {
      rule: 'needs an id',
      given: WITH_ONE,
      request: ['DELETE', PATH],
      status: 400,
      answer: 'missing credential id',
    },
    {
      rule: 'does not find what is not there',
      given: GIVEN,
      request: ['DELETE', `${PATH}/c1`],
      status: 404,
      answer: MISSING,
    },
    {
      rule: 'is not taken for one of its consumer when it is misspelt',
      given: WITH_ONE,
      request: ['DELETE', '/consumers/jack/credential/c1'],
      status: 404,
      answer: 'Unsupported resource type: credential',
    },
  ])

  it('leaves its consumer', async () => {
    const admin = await startAdmin()
    await admin.send('PUT', '/consumers/jack', { body: { username: 'jack' } })
    await admin.send('PUT', `${PATH}/c1`, { body: CREDENTIAL })
    assert.equal((await admin.send('DELETE', `${PATH}/c1`)).status, 200)
    assert.equal((await admin.send('GET', '/consumers/jack')).status, 200)
    await admin.send('PUT', `${PATH}/c1`, { body: CREDENTIAL })
    assert.equal((await admin.send('DELETE', '/consumers/jack')).status, 200)
    assert.equal((await admin.send('GET', PATH)).status, 404)
  })
})
