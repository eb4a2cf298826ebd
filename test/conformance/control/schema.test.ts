import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { catalogue } from '../../../plugins/catalogue.ts'
import { SCHEMAS } from '../../../src/model/schemas/index.ts'
import { startControl, talker } from './start-control.ts'

interface Schemas {
  readonly main: Readonly<Record<string, unknown>>
  readonly plugins: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly stream_plugins: object
}

/** Names of `main` and the schemas they stand for; the others are told by an example. */
const MAIN = {
  consumer: SCHEMAS.consumers,
  consumer_group: SCHEMAS.consumer_groups,
  global_rule: SCHEMAS.global_rules,
  plugin_config: SCHEMAS.plugin_configs,
  proto: SCHEMAS.protos,
  route: SCHEMAS.routes,
  service: SCHEMAS.services,
  ssl: SCHEMAS.ssls,
  stream_route: SCHEMAS.stream_routes,
  upstream: SCHEMAS.upstreams,
}

describe('/v1/schema', () => {
  const ends: (() => unknown)[] = []
  let text: string
  let schemas: Schemas
  before(async () => {
    const control = await startControl({ after: (end) => void ends.unshift(end as () => unknown) })
    const shown = await control.send('GET', '/v1/schema')
    text = shown.text
    schemas = shown.body as Schemas
  })
  after(async () => {
    for (const end of ends) await end()
  })

  it('has three parts and ends with a newline', () => {
    assert.deepEqual(Object.keys(schemas).sort(), ['main', 'plugins', 'stream_plugins'])
    assert.ok(text.endsWith('}\n'))
    assert.deepEqual(schemas.stream_plugins, {})
  })

  it('names each kind of resource, the list of plugins and what can be hashed on', () => {
    const others = ['plugins', 'upstream_hash_header_schema', 'upstream_hash_vars_schema']
    assert.deepEqual(Object.keys(schemas.main).sort(), [...Object.keys(MAIN), ...others].sort())
  })

  for (const [name, schema] of Object.entries(MAIN)) {
    it(`main.${name} is the schema that ${name}s are checked against`, () => {
      assert.deepEqual(schemas.main[name], JSON.parse(JSON.stringify(schema)))
    })
  }

  it('describes the list of plugins and the keys of chash', () => {
    const { plugins, upstream_hash_vars_schema: vars, upstream_hash_header_schema: header } = schemas.main
    assert.equal((plugins as { type: string }).type, 'array')
    assert.match('arg_name', new RegExp((vars as { pattern: string }).pattern))
    assert.match('X-Name', new RegExp((header as { pattern: string }).pattern))
  })

  it('shows of a plugin version, priority, its schemas, type and scope', () => {
    assert.deepEqual(schemas.plugins['test-talker'], {
      version: 0.1,
      priority: talker.priority,
      schema: talker.schema,
      consumer_schema: talker.consumerSchema,
      metadata_schema: talker.metadataSchema,
      type: 'auth',
      scope: 'global',
    })
  })

  it('leaves out what a plugin does not have', () => {
    assert.deepEqual(Object.keys(schemas.plugins['proxy-rewrite']!), ['version', 'priority', 'schema'])
  })

  it('shows every enabled plugin', () => {
    assert.deepEqual(Object.keys(schemas.plugins).sort(), [...Object.keys(catalogue), 'test-talker'].sort())
  })
})
