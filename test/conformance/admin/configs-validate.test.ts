import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stringify } from 'yaml'
import { createLogger } from '../../../src/observe/logger.ts'
import { ConfigsStore } from '../../../src/store/configs-store.ts'
import { startAdmin, VIEWER_KEY } from './start-admin.ts'

const ROUTE = { uri: '/a', upstream: { nodes: { '127.0.0.1:80': 1 } } }

interface Problem {
  readonly resource_type: string
  readonly resource_id?: unknown
  readonly index?: number
  readonly error: string
}

/** A body, and what is wrong with it; nothing means 200 `{}`. */
interface Row {
  readonly rule: string
  readonly body: unknown
  readonly problems?: readonly Problem[]
}

function invalid(type: string, error: string, at: { id?: unknown; index?: number } = {}): Problem {
  const { id = '1', index = 0 } = at
  return {
    resource_type: type,
    ...(id !== null && { resource_id: id }),
    index,
    error: `invalid ${type} at index ${index}, err: ${error}`,
  }
}

const ROWS: readonly Row[] = [
  { rule: 'takes an empty configuration', body: {} },
  { rule: 'takes an empty array for an empty object', body: [] },
  {
    rule: 'takes one resource of each kind, without looking whether what they refer to is there',
    body: {
      routes: [{ id: '1', uri: '/a', upstream_id: 'nowhere', service_id: 'nowhere', plugin_config_id: 'no' }],
      services: [{ id: '1', upstream_id: 'nowhere' }],
      upstreams: [{ id: '1', nodes: { '127.0.0.1:80': 1 } }],
      consumers: [
        { username: 'jack', group_id: 'nowhere' },
        { id: 'jack/credentials/first', plugins: { 'test-auth': { key: 'k' } } },
      ],
      consumer_groups: [{ id: '1', plugins: {} }],
      plugin_configs: [{ id: '1', plugins: { 'test-limit': { count: 1 } } }],
      global_rules: [{ id: '1', plugins: { 'test-limit': { count: 1 } } }],
      plugin_metadata: [{ id: 'test-log', size: 6 }],
      protos: [{ id: '1', content: 'syntax = "proto3"; message A { string b = 1; }' }],
      secrets: [{ id: 'vault/1', uri: 'http://127.0.0.1:8200', prefix: 'kv', token: 't' }],
      stream_routes: [{ id: '1', server_port: 9100, upstream_id: 'nowhere' }],
      plugins: [{ name: 'test-limit' }, { name: 'whatever', stream: true }],
    },
  },
  {
    rule: 'takes versions that are numbers',
    body: { routes: [], routes_conf_version: 7, ssls_conf_version: 0.5 },
  },
  {
    rule: 'passes over unknown keys',
    body: { rotues: [{ nonsense: true }], 'x-parts': {}, rotues_conf_version: 'a' },
  },
  {
    rule: 'passes over values that are no arrays',
    body: { routes: { id: 1 }, services: 'all', upstreams: null },
  },
  { rule: 'takes items without an id', body: { routes: [ROUTE, ROUTE] } },
  {
    rule: 'says what the schema says',
    body: { routes: [{ id: '1', uri: 5 }] },
    problems: [
      invalid(
        'routes',
        'invalid configuration: property "uri" validation failed: wrong type: expected string, got number',
      ),
    ],
  },
  {
    rule: 'runs the checks beyond the schema',
    body: {
      routes: [{ ...ROUTE, id: '1', host: 'a', hosts: ['b'] }],
      upstreams: [{ id: 'u', type: 'roundrobin', pass_host: 'rewrite', nodes: { 'a:80': 1 } }],
    },
    problems: [
      invalid('upstreams', "`upstream_host` can't be empty when `pass_host` is `rewrite`", { id: 'u' }),
      invalid('routes', 'only one of host or hosts is allowed'),
    ],
  },
  {
    rule: 'checks plugins',
    body: {
      routes: [{ ...ROUTE, id: '1', plugins: { nobody: {} } }],
      plugin_configs: [{ id: '1', plugins: { 'test-limit': { count: 0 } } }],
    },
    problems: [
      invalid(
        'plugin_configs',
        'failed to check the configuration of plugin test-limit err: property "count" validation failed: expected 0 to be greater than 0',
      ),
      invalid('routes', 'unknown plugin [nobody]'),
    ],
  },
  {
    rule: 'lists every problem with its place',
    body: {
      routes: [
        { ...ROUTE, id: 'a' },
        { id: 'b', uri: 1 },
        { ...ROUTE, id: 'c' },
        { id: 4, uri: '/', host: 1 },
      ],
    },
    problems: [
      invalid(
        'routes',
        'invalid configuration: property "uri" validation failed: wrong type: expected string, got number',
        { id: 'b', index: 1 },
      ),
      invalid(
        'routes',
        'invalid configuration: property "host" validation failed: wrong type: expected string, got number',
        { id: 4, index: 3 },
      ),
    ],
  },
  {
    rule: 'names a consumer by its username',
    body: { consumers: [{ username: 'jack', plugins: { 'test-auth': {} } }] },
    problems: [
      invalid(
        'consumers',
        'invalid plugins configuration: failed to check the configuration of plugin test-auth err: property "key" is required',
        { id: 'jack' },
      ),
    ],
  },
  {
    rule: 'checks credentials among the consumers as credentials',
    body: {
      consumers: [
        { id: 'jack/credentials/a', plugins: { 'test-limit': { count: 1 } } },
        { id: 'jack/credentials/b', plugins: { 'test-auth': { key: 'b' }, 'test-log': {} } },
      ],
    },
    problems: [
      invalid('consumers', 'only supports auth type plugins in consumer credential', {
        id: 'jack/credentials/a',
      }),
      invalid(
        'consumers',
        'invalid configuration: property "plugins" validation failed: expect object to have at most 1 properties',
        { id: 'jack/credentials/b', index: 1 },
      ),
    ],
  },
  {
    rule: 'refuses ids that are there twice',
    body: {
      routes: [
        { ...ROUTE, id: 'r1' },
        { ...ROUTE, id: 'r1' },
      ],
      services: [{ id: 1 }, { id: '1' }],
    },
    problems: [
      { resource_type: 'services', resource_id: '1', index: 1, error: 'found duplicate id 1 in services' },
      { resource_type: 'routes', resource_id: 'r1', index: 1, error: 'found duplicate id r1 in routes' },
    ],
  },
  {
    rule: 'refuses usernames and credentials that are there twice',
    body: {
      consumers: [
        { username: 'x' },
        { id: 'x/credentials/abc' },
        { username: 'x' },
        { id: 'x/credentials/abc' },
      ],
    },
    problems: [
      {
        resource_type: 'consumers',
        resource_id: 'x',
        index: 2,
        error: 'found duplicate username x in consumers',
      },
      {
        resource_type: 'consumers',
        resource_id: 'x/credentials/abc',
        index: 3,
        error: 'found duplicate credential id x/credentials/abc in consumers',
      },
    ],
  },
  {
    rule: 'refuses a version that is no number, naming its type',
    body: { routes_conf_version: 'abc', upstreams_conf_version: {}, services_conf_version: true },
    problems: [
      { resource_type: 'upstreams', error: 'upstreams_conf_version must be a number, got table' },
      { resource_type: 'services', error: 'services_conf_version must be a number, got boolean' },
      { resource_type: 'routes', error: 'routes_conf_version must be a number, got string' },
    ],
  },
  {
    rule: 'refuses secrets whose id names no manager',
    body: { secrets: [{ id: '1' }, { token: 't' }, { id: 'sesame/1' }, { id: 'vault/1' }] },
    problems: [
      invalid('secrets', 'invalid secret id: 1'),
      invalid('secrets', 'invalid secret id: nil', { id: null, index: 1 }),
      invalid('secrets', 'invalid secret manager: sesame', { id: 'sesame/1', index: 2 }),
      invalid('secrets', 'invalid configuration: property "uri" is required', { id: 'vault/1', index: 3 }),
    ],
  },
  {
    rule: 'refuses metadata of no plugin',
    body: { plugin_metadata: [{ id: 'nobody' }, { size: 1 }] },
    problems: [
      invalid('plugin_metadata', 'invalid plugin name', { id: 'nobody' }),
      invalid('plugin_metadata', 'missing plugin name', { id: null, index: 1 }),
    ],
  },
  {
    rule: 'refuses items that are no objects',
    body: { routes: ['a', null, []] },
    problems: [
      invalid('routes', 'invalid configuration: wrong type: expected object, got string', { id: null }),
      invalid('routes', 'invalid configuration: wrong type: expected object, got userdata', {
        id: null,
        index: 1,
      }),
      invalid('routes', 'invalid configuration: wrong type: expected object, got table', {
        id: null,
        index: 2,
      }),
    ],
  },
  {
    rule: 'refuses ids that could leave their directory',
    body: {
      routes: [
        { ...ROUTE, id: '../x' },
        { ...ROUTE, id: 'a/b' },
      ],
    },
    problems: ['../x', 'a/b'].map((id, index) =>
      invalid(
        'routes',
        'invalid configuration: property "id" validation failed: object matches none of the required',
        { id, index },
      ),
    ),
  },
]

const YAML = { 'content-type': 'application/yaml' }

describe('POST configs/validate', () => {
  for (const { rule, body, problems = [] } of ROWS) {
    for (const format of ['JSON', 'YAML']) {
      it(`${rule} (${format})`, async () => {
        const admin = await startAdmin()
        const sent = format === 'JSON' ? { body } : { body: stringify(body), headers: YAML }
        const { status, body: answer } = await admin.send('POST', '/configs/validate', sent)
        const failure = { error_msg: 'Configuration validation failed' }
        const { errors = [], ...rest } = answer as { errors?: Problem[] }
        assert.deepEqual(byType(errors), byType(problems))
        assert.deepEqual(rest, problems.length === 0 ? {} : failure)
        assert.equal(status, problems.length === 0 ? 200 : 400)
        assert.deepEqual(await admin.content(), [], 'nothing is stored')
      })
    }
  }

  const BODIES: readonly [
    rule: string,
    body: string | undefined,
    label: string | undefined,
    message: string,
  ][] = [
    ['no body', undefined, undefined, 'empty request body'],
    ['an empty body', '', undefined, 'empty request body'],
    ['an empty body that is called YAML', '', 'application/yaml', 'empty request body'],
    ['broken JSON', '{"routes":[', undefined, 'Expected value but found T_END at character 12'],
    [
      'YAML that is not called so',
      'routes: []',
      'text/plain',
      'Expected value but found invalid token at character 1',
    ],
    ['broken YAML', 'routes: [', 'application/yaml', 'invalid yaml request body'],
    ['YAML that is no mapping', 'routes', 'application/yaml; charset=utf-8', 'invalid yaml request body'],
    ['JSON that is no object', '"routes"', undefined, 'expected a JSON object, got a string'],
    ['broken JSON of megabytes', `[${' '.repeat(1024 * 1024)}`, undefined, 'not a JSON object'],
    ['null', 'null', 'application/json', 'expected a JSON object, got null'],
    [
      'numbers that cannot be kept',
      '{"routes":[{"priority":1e999}]}',
      undefined,
      'a number is too large to be kept',
    ],
  ]
  for (const [rule, body, label, message] of BODIES) {
    it(`refuses ${rule}, without showing it`, async () => {
      const admin = await startAdmin()
      const headers = { 'content-type': label }
      const { status, body: answer } = await admin.send('POST', '/configs/validate', { body, headers })
      assert.deepEqual(answer, { error_msg: `invalid request body: ${message}` })
      assert.equal(status, 400)
    })
  }

  it('is answered beside the resources as well as for whole configurations', async () => {
    const whole = await startAdmin({ store: new ConfigsStore({ logger: createLogger('silent') }) })
    assert.equal((await whole.send('POST', '/configs/validate', { body: { routes: [ROUTE] } })).status, 200)
  })

  it('takes modifiedIndex only where PUT takes it, and only as an integer', async () => {
    const body = { routes: [{ ...ROUTE, id: '1', modifiedIndex: 5 }] }
    const resources = await startAdmin()
    assert.match(
      (await resources.send('POST', '/configs/validate', { body })).text,
      /additional properties forbidden, found modifiedIndex/,
    )
    const whole = await startAdmin({ store: new ConfigsStore({ logger: createLogger('silent') }) })
    assert.equal((await whole.send('POST', '/configs/validate', { body })).status, 200)
    assert.match(
      (
        await whole.send('POST', '/configs/validate', {
          body: { routes: [{ ...ROUTE, modifiedIndex: '5' }] },
        })
      ).text,
      /property \\"modifiedIndex\\" validation failed: wrong type: expected integer, got string/,
    )
  })

  it('asks for a key that may write, and knows no other method', async () => {
    const admin = await startAdmin()
    const status = async (method: string, key?: string) =>
      (await admin.send(method, '/configs/validate', { body: {}, headers: { 'x-api-key': key } })).status
    assert.equal(await status('POST', undefined), 401)
    assert.equal(await status('POST', VIEWER_KEY), 401)
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD']) {
      assert.equal((await admin.send(method, '/configs/validate')).status, 404, method)
    }
    assert.deepEqual((await admin.send('GET', '/configs/validate')).body, {
      error_msg: 'Unsupported resource type: configs',
    })
  })

  it('has room for ten thousand routes, and an end', async () => {
    const admin = await startAdmin()
    const routes = Array.from({ length: 10_000 }, (_, i) => ({
      ...ROUTE,
      id: `route-${i}`,
      desc: 'x'.repeat(200),
    }))
    const { status, body } = await admin.send('POST', '/configs/validate', {
      body: { routes: [...routes, routes[7]] },
    })
    assert.equal(status, 400)
    assert.deepEqual((body as { errors: Problem[] }).errors, [
      {
        resource_type: 'routes',
        resource_id: 'route-7',
        index: 10_000,
        error: 'found duplicate id route-7 in routes',
      },
    ])
    const tooMuch = Buffer.alloc(64 * 1024 * 1024 + 1, ' ')
    assert.match(
      (await admin.send('POST', '/configs/validate', { body: tooMuch })).text,
      /request size 67108865 is greater than the maximum size 67108864 allowed/,
    )
  })
})

/** The order between kinds is nobody's business. */
function byType(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.resource_type.localeCompare(b.resource_type))
}
