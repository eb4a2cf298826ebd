import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FromSchema } from 'json-schema-to-ts'
import type { Kind } from '../kind.ts'
import type { Documents, Node, Timeout } from '../types.ts'
import { compileValidator } from '../validator.ts'
import type { timeout } from './definitions.ts'
import { SCHEMAS } from './index.ts'

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
type Fields<K extends Kind> = (typeof SCHEMAS)[K] extends { properties: infer P } ? keyof P : never

/** Does not compile when a hand-written type and its schema name different fields. */
const FIELDS_AGREE: {
  [K in Exclude<Kind, 'plugin_metadata' | 'secrets'>]: Same<Fields<K>, keyof Documents[K]>
} = {
  ssls: true,
  protos: true,
  upstreams: true,
  services: true,
  plugin_configs: true,
  consumer_groups: true,
  credentials: true,
  consumers: true,
  global_rules: true,
  routes: true,
  stream_routes: true,
}
const TIMEOUT_AGREES: Same<Pick<FromSchema<typeof timeout>, keyof Timeout>, Timeout> = true
const NODE = SCHEMAS.upstreams.properties.nodes.anyOf[1].items.properties
const NODE_AGREES: Same<keyof typeof NODE, keyof Node> = true

const UPSTREAM = { nodes: { '127.0.0.1:1980': 1 } }

const ROWS: [Kind, unknown, string | undefined][] = [
  ['routes', { uri: '/a', upstream: UPSTREAM }, undefined],
  [
    'routes',
    { uris: ['/a', '/a'], plugins: {} },
    'property "uris" validation failed: expected unique items but items 1 and 2 are equal',
  ],
  [
    'routes',
    { uri: '/a', uris: ['/a'], plugins: {} },
    'allOf 1 failed: value should match only one schema, but matches both schemas 1 and 2',
  ],
  ['routes', { plugins: {} }, 'allOf 1 failed: value should match only one schema, but matches none'],
  ['routes', { uri: '/a', plugins: {}, methods: [] }, undefined],
  [
    'routes',
    { uri: '/a', plugins: {}, methods: ['get'] },
    'property "methods" validation failed: failed to validate item 1: matches none of the enum values',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, status: 2 },
    'property "status" validation failed: matches none of the enum values',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, hosts: [] },
    'property "hosts" validation failed: expect array to have at least 1 items',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, host: 'a b' },
    'property "host" validation failed: failed to match pattern "^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$" with "a b"',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, remote_addrs: ['10.0.0.0/8', '::1', 'fe80::/10', '1.2.3.4'] },
    undefined,
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, remote_addr: '10.0.0.0/33' },
    'property "remote_addr" validation failed: object matches none of the required',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, remote_addr: '999.0.0.0/8' },
    'property "remote_addr" validation failed: object matches none of the required',
  ],
  [
    'routes',
    { uri: '/a', script: 'a script of some length', plugin_config_id: 1 },
    "value wasn't supposed to match schema",
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, timeout: { connect: 1, send: 1 } },
    'property "timeout" validation failed: property "read" is required',
  ],
  [
    'routes',
    { uri: '/a', plugins: {}, filter_func: 'return true' },
    'property "filter_func" validation failed: failed to match pattern "^function" with "return true"',
  ],
  ['services', {}, undefined],
  ['services', { what: 1 }, 'additional properties forbidden, found what'],
  ['upstreams', { nodes: [] }, undefined],
  ['upstreams', { nodes: {} }, undefined],
  ['upstreams', { type: 'chash' }, 'value should match only one schema, but matches none'],
  ['upstreams', { service_name: 's' }, 'value should match only one schema, but matches none'],
  ['upstreams', { service_name: 's', discovery_type: 'dns' }, undefined],
  [
    'upstreams',
    { nodes: { 'a:1': -1 } },
    'property "nodes" validation failed: object matches none of the required',
  ],
  [
    'upstreams',
    { nodes: [{ host: 'a', weight: 1, port: 70000 }] },
    'property "nodes" validation failed: object matches none of the required',
  ],
  [
    'upstreams',
    { ...UPSTREAM, tls: { client_cert: 'c'.repeat(128) } },
    'property "tls" validation failed: failed to validate dependent schema for "client_cert": property "client_key" is required',
  ],
  [
    'upstreams',
    { ...UPSTREAM, retries: -1 },
    'property "retries" validation failed: expected -1 to be at least 0',
  ],
  [
    'upstreams',
    { ...UPSTREAM, scheme: 'ftp' },
    'property "scheme" validation failed: matches none of the enum values',
  ],
  [
    'upstreams',
    { ...UPSTREAM, checks: { passive: {} } },
    'property "checks" validation failed: object matches none of the required: ["active"] or ["active","passive"]',
  ],
  [
    'upstreams',
    { ...UPSTREAM, labels: { env: 'a b' } },
    'property "labels" validation failed: failed to validate env (matching ".*"): failed to match pattern "^\\S+$" with "a b"',
  ],
  ['consumers', { plugins: {} }, 'property "username" is required'],
  [
    'consumers',
    { username: 'a b' },
    'property "username" validation failed: failed to match pattern "^[a-zA-Z0-9_\\-]+$" with "a b"',
  ],
  ['consumers', { username: 'jack', plugins: [] }, undefined],
  ['plugin_configs', { id: 1 }, 'property "plugins" is required'],
  ['global_rules', { id: 1, plugins: {}, name: 'x' }, 'additional properties forbidden, found name'],
]

describe('the resource schemas', () => {
  it('name the fields of the hand-written types', () => {
    assert.ok(Object.values(FIELDS_AGREE).every(Boolean) && TIMEOUT_AGREES && NODE_AGREES)
  })

  for (const [kind, document, message] of ROWS) {
    it(`${message === undefined ? 'accept' : 'refuse'} ${kind} ${JSON.stringify(document).slice(0, 120)}`, () => {
      assert.equal(compileValidator(SCHEMAS[kind])(structuredClone(document)), message)
    })
  }
})
