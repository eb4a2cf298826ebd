import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SCHEMAS } from '../../../src/model/schemas/index.ts'
import { checkRows, startAdmin } from './start-admin.ts'

const SINGULAR = {
  route: SCHEMAS.routes,
  service: SCHEMAS.services,
  upstream: SCHEMAS.upstreams,
  consumer: SCHEMAS.consumers,
  credential: SCHEMAS.credentials,
  consumer_group: SCHEMAS.consumer_groups,
  ssl: SCHEMAS.ssls,
  global_rule: SCHEMAS.global_rules,
  plugin_config: SCHEMAS.plugin_configs,
  proto: SCHEMAS.protos,
  stream_route: SCHEMAS.stream_routes,
}

/** A document of each that passes. */
const VALID = {
  routes: { uri: '/a', plugins: { nope: {} } },
  services: {},
  upstreams: { nodes: {} },
  consumers: { username: 'jack' },
  credentials: { plugins: {} },
  consumer_groups: { id: '1', plugins: {} },
  ssls: { type: 'client', cert: 'c'.repeat(128), key: 'k'.repeat(128) },
  global_rules: { id: '1', plugins: {} },
  plugin_configs: { id: '1', plugins: {} },
  protos: { content: 'x' },
  stream_routes: {},
}

describe('GET schema/{name}', () => {
  for (const [name, schema] of Object.entries(SINGULAR)) {
    it(`shows that of a ${name}`, async () => {
      const shown = await (await startAdmin()).send('GET', `/schema/${name}`)
      assert.deepEqual([shown.status, shown.body], [200, JSON.parse(JSON.stringify(schema))])
    })
  }

  it('shows those of all managers for a secret', async () => {
    const { status, body } = await (await startAdmin()).send('GET', '/schema/secret')
    const { anyOf } = body as { anyOf: { required?: string[] }[] }
    assert.deepEqual([status, anyOf.length, anyOf[0]!.required], [200, 3, ['uri', 'prefix', 'token']])
  })

  checkRows([
    {
      rule: 'knows no plural',
      request: ['GET', '/schema/routes'],
      status: 400,
      answer: 'not found schema: routes',
    },
    { rule: 'knows no other', request: ['GET', '/schema/x'], status: 400, answer: 'not found schema: x' },
    {
      rule: 'is the only method',
      request: ['PUT', '/schema/route', {}],
      status: 404,
      answer: 'not found',
    },
  ])
})

describe('POST schema/validate/{resource}', () => {
  for (const [name, document] of Object.entries(VALID)) {
    checkRows([
      {
        rule: `passes ${name}`,
        request: ['POST', `/schema/validate/${name}`, document],
        status: 200,
        answer: '',
      },
      {
        rule: `refuses a number for ${name}`,
        request: ['POST', `/schema/validate/${name}`, 5],
        status: 400,
        answer: 'wrong type: expected object, got number',
      },
    ])
  }

  checkRows([
    {
      rule: 'has no prefix in its message',
      request: ['POST', '/schema/validate/protos', {}],
      status: 400,
      answer: 'property "content" is required',
    },
    {
      rule: 'needs a body',
      request: ['POST', '/schema/validate/routes'],
      status: 400,
      answer: 'wrong type: expected object, got nil',
    },
    {
      rule: 'says where metadata is validated',
      request: ['POST', '/schema/validate/plugin_metadata', {}],
      status: 400,
      answer:
        'the schema of plugin_metadata depends on the plugin: use PUT /apisix/admin/plugin_metadata/<plugin>?dry_run=true',
    },
    {
      rule: 'says where secrets are validated',
      request: ['POST', '/schema/validate/secrets', {}],
      status: 400,
      answer:
        'the schema of secrets depends on the manager: use PUT /apisix/admin/secrets/<manager>/<id>?dry_run=true',
    },
    {
      rule: 'knows no singular',
      request: ['POST', '/schema/validate/route', {}],
      status: 404,
      answer: 'Unsupported resource type: route',
    },
  ])
})
