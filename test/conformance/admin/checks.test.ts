import { describe } from 'node:test'
import { checkRows, type Given, type Row } from './start-admin.ts'

const NODES = { nodes: { '127.0.0.1:1980': 1 } }
const LUA = "function(vars) return vars['arg_a'] == 'b' end"
const CERTIFICATE = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(128)}\n-----END CERTIFICATE-----`
const NONE_OF =
  'invalid configuration: object matches none of the required: ["plugins","uri"] or ["upstream","uri"] or ["upstream_id","uri"] or ["service_id","uri"] or ["plugins","uris"] or ["upstream","uris"] or ["upstream_id","uris"] or ["service_id","uris"] or ["script","uri"] or ["script","uris"]'

type Short = readonly [rule: string, document: object, message: string | undefined, given?: Given]

function rows(path: string, shorts: readonly Short[]): Row[] {
  return shorts.map(([rule, document, message, given = {}]) => ({
    rule,
    given,
    request: ['PUT', path, document],
    status: message === undefined ? 201 : 400,
    answer: message,
  }))
}

describe('a route', () => {
  checkRows(
    rows('/routes/1', [
      [
        'needs a uri',
        { plugins: {} },
        'invalid configuration: allOf 1 failed: value should match only one schema, but matches none',
      ],
      ['needs something to do', { uri: '/a' }, NONE_OF],
      [
        'needs a uri with characters',
        { uri: '', upstream: NODES },
        'invalid configuration: property "uri" validation failed: string too short, expected at least 1, got 0',
      ],
      [
        'has texts for labels',
        { uri: '/a', plugins: {}, labels: { env: { a: 'b' } } },
        'invalid configuration: property "labels" validation failed: failed to validate env (matching ".*"): wrong type: expected string, got table',
      ],
      [
        'has host or hosts',
        { uri: '/a', plugins: {}, host: 'a', hosts: ['a'] },
        'only one of host or hosts is allowed',
      ],
      [
        'has remote_addr or remote_addrs',
        { uri: '/a', plugins: {}, remote_addr: '1.1.1.1', remote_addrs: [] },
        'only one of remote_addr or remote_addrs is allowed',
      ],
      [
        'is told of hosts before its schema',
        { host: 'a', hosts: 1, nonsense: 1 },
        'only one of host or hosts is allowed',
      ],
      [
        'is told of its schema before its upstream',
        { uri: 1, upstream: { ...NODES, pass_host: 'rewrite' } },
        'invalid configuration: property "uri" validation failed: wrong type: expected string, got number',
      ],
      [
        'is told of its upstream before references',
        { uri: '/a', upstream: { ...NODES, type: 'chash' }, upstream_id: 'x' },
        'missing key',
      ],
      [
        'refers to an upstream that is there',
        { uri: '/a', upstream_id: 'x' },
        'failed to fetch upstream info by upstream id [x], response code: 404',
      ],
      [
        'refers to a service that is there',
        { uri: '/a', service_id: 7 },
        'failed to fetch service info by service id [7], response code: 404',
      ],
      [
        'refers to a plugin config that is there',
        { uri: '/a', plugins: {}, plugin_config_id: 'x' },
        'failed to fetch plugin config info by plugin config id [x], response code: 404',
      ],
      [
        'is told of upstream_id before service_id',
        { uri: '/a', upstream_id: 'x', service_id: 'y' },
        'failed to fetch upstream info by upstream id [x], response code: 404',
      ],
      [
        'is told of references before plugins',
        { uri: '/a', service_id: 'y', plugins: { nope: {} } },
        'failed to fetch service info by service id [y], response code: 404',
      ],
      [
        'is stored when all it refers to is there',
        { uri: '/a', upstream_id: 1, service_id: '2', plugin_config_id: '3' },
        undefined,
        { 'upstreams/1': {}, 'services/2': {}, 'plugin_configs/3': {} },
      ],
      [
        'cannot refer to a secret',
        { uri: '/a', upstream_id: `$env://${'a'.repeat(2000)}` },
        `failed to fetch upstream info by upstream id [$env://${'a'.repeat(2000)}], response code: 404`,
      ],
      ['has plugins that exist', { uri: '/a', plugins: { nope: {} } }, 'unknown plugin [nope]'],
      [
        'has objects for plugins',
        { uri: '/a', plugins: { 'test-limit': 1 } },
        'invalid plugin conf 1 for plugin [test-limit]',
      ],
      [
        'has no texts for plugins',
        { uri: '/a', plugins: { 'test-limit': 'blah' } },
        'invalid plugin conf "blah" for plugin [test-limit]',
      ],
      [
        'has no null for a plugin',
        { uri: '/a', plugins: { 'test-limit': null } },
        'invalid plugin conf "userdata: NULL" for plugin [test-limit]',
      ],
      [
        'has plugins that fit their schema',
        { uri: '/a', plugins: { 'test-limit': {} } },
        'failed to check the configuration of plugin test-limit err: property "count" is required',
      ],
      [
        'has plugins that pass their own check',
        { uri: '/a', plugins: { 'test-limit': { count: 13 } } },
        'failed to check the configuration of plugin test-limit err: count 13 brings bad luck',
      ],
      [
        'may keep a bad plugin that is disabled',
        { uri: '/a', plugins: { 'test-limit': { _meta: { disable: true } } } },
        undefined,
      ],
      [
        'has known keys in _meta',
        { uri: '/a', plugins: { 'test-limit': { count: 1, _meta: { foo: 1 } } } },
        'failed to check the configuration of plugin test-limit err: property "_meta" validation failed: additional properties forbidden, found foo',
      ],
      [
        'has a _meta.filter that compiles',
        { uri: '/a', plugins: { 'test-limit': { count: 1, _meta: { filter: ['a', '==', 'b'] } } } },
        "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
      ],
      [
        'has an empty array for a plugin without needs',
        { uri: '/a', plugins: { 'test-log': [] } },
        undefined,
      ],
      [
        'is told of plugins before vars',
        { uri: '/a', plugins: { nope: {} }, vars: ['a'] },
        'unknown plugin [nope]',
      ],
      [
        'has vars that compile',
        { uri: '/a', plugins: {}, vars: ['arg_x', '==', 'a'] },
        "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
      ],
      [
        'has operators that exist',
        { uri: '/a', plugins: {}, vars: [['arg_x', '=', 'a']] },
        "failed to validate the 'vars' expression: invalid operator '='",
      ],
      [
        'is told of vars before filter_func',
        { uri: '/a', plugins: {}, vars: ['a'], filter_func: LUA },
        "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
      ],
      [
        'takes a filter_func in JavaScript',
        { uri: '/a', plugins: {}, filter_func: "function(vars) { return vars.arg_a === 'b' }" },
        undefined,
      ],
      [
        'takes no filter_func in Lua',
        { uri: '/a', plugins: {}, filter_func: LUA },
        "failed to load 'filter_func' string: Lua source is not run here; write it in JavaScript under the same key, for example: function(vars) { return vars.arg_name === 'json' }",
      ],
      [
        'takes no script beside plugins',
        { uri: '/a', plugins: {}, script: 'local _M = {} return _M' },
        "invalid configuration: value wasn't supposed to match schema",
      ],
      [
        'takes no script that would not run',
        { uri: '/a', script: 'local _M = {} return _M' },
        "failed to load 'script' string: scripts are not run here; put the behaviour into a plugin and configure it under 'plugins'",
      ],
    ]),
  )
})

describe('a service', () => {
  checkRows(
    rows('/services/1', [
      [
        'fits its schema',
        { upstream: 1 },
        'invalid configuration: property "upstream" validation failed: wrong type: expected object, got number',
      ],
      [
        'is told of its upstream before references',
        { upstream: { ...NODES, type: 'chash' }, upstream_id: 'x' },
        'missing key',
      ],
      [
        'refers to an upstream that is there',
        { upstream_id: 'x', plugins: { nope: {} } },
        'failed to fetch upstream info by upstream id [x], response code: 404',
      ],
      ['has plugins that exist', { plugins: { nope: {} } }, 'unknown plugin [nope]'],
    ]),
  )
})

const UPSTREAM_ROWS: readonly Short[] = [
  [
    'has IPv6 nodes in brackets',
    { nodes: { '::1:80': 1 } },
    "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
  ],
  [
    'has IPv6 hosts in brackets',
    { nodes: [{ host: '::1', port: 80, weight: 1 }] },
    "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
  ],
  ['takes IPv6 in brackets', { nodes: { '[::1]:80': 1 } }, undefined],
  ['has ports from 1', { nodes: { 'a:0': 1 } }, 'invalid port 0'],
  ['has ports up to 65535', { nodes: { 'a:65536': 1 } }, 'invalid port 65536'],
  ['takes a node without port', { nodes: { a: 1 } }, undefined],
  [
    'refers to a certificate that is there',
    { ...NODES, tls: { client_cert_id: 5 }, pass_host: 'rewrite' },
    'failed to fetch ssl info by ssl id [5], response code: 404',
  ],
  [
    'names the host to rewrite to',
    { ...NODES, pass_host: 'rewrite' },
    "`upstream_host` can't be empty when `pass_host` is `rewrite`",
  ],
  ['takes a host to rewrite to', { ...NODES, pass_host: 'rewrite', upstream_host: 'a' }, undefined],
  [
    'has a certificate that can be read',
    { ...NODES, tls: { client_cert: CERTIFICATE, client_key: 'k'.repeat(64) } },
    'failed to parse cert: PEM_read_bio_X509_AUX() failed',
  ],
  [
    'has a key that can be read',
    { ...NODES, tls: { client_cert: '$secret://vault/1/cert/pem', client_key: 'k'.repeat(64) } },
    'failed to parse key: PEM_read_bio_PrivateKey() failed',
  ],
  [
    'may keep certificate and key elsewhere',
    { ...NODES, tls: { client_cert: '$env://CERT', client_key: '$env://KEY' } },
    undefined,
  ],
  ['needs a key to hash on', { ...NODES, type: 'chash' }, 'missing key'],
  [
    'hashes on variables that exist',
    { ...NODES, type: 'chash', key: 'nope' },
    'invalid configuration: failed to match pattern "^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|mqtt_client_id)|arg_[0-9a-zA-z_-]+)$" with "nope"',
  ],
  [
    'hashes on headers with plain names',
    { ...NODES, type: 'chash', hash_on: 'header', key: 'a b' },
    'invalid configuration: failed to match pattern "^[a-zA-Z0-9-_]+$" with "a b"',
  ],
  [
    'hashes on cookies with plain names',
    { ...NODES, type: 'chash', hash_on: 'cookie', key: '' },
    'invalid configuration: failed to match pattern "^[a-zA-Z0-9-_]+$" with ""',
  ],
  [
    'hashes on any combination',
    { ...NODES, type: 'chash', hash_on: 'vars_combinations', key: '$host$uri' },
    undefined,
  ],
  ['needs no key to hash on the consumer', { ...NODES, type: 'chash', hash_on: 'consumer' }, undefined],
  ['hashes on an argument', { ...NODES, type: 'chash', key: 'arg_user' }, undefined],
]

describe('an upstream', () => {
  checkRows(
    rows('/upstreams/1', [
      ...UPSTREAM_ROWS,
      [
        'has nodes or a service name',
        { type: 'roundrobin' },
        'invalid configuration: value should match only one schema, but matches none',
      ],
      [
        'is told of IPv6 before its schema',
        { nodes: { '::1:80': 'x' } },
        "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
      ],
      [
        'has checks with an active part',
        { ...NODES, checks: { passive: {} } },
        'invalid configuration: property "checks" validation failed: object matches none of the required: ["active"] or ["active","passive"]',
      ],
    ]),
  )
  checkRows([
    {
      rule: 'has a type that can balance',
      request: ['PUT', '/upstreams/1', { ...NODES, type: 'magic' }],
      status: 400,
    },
  ])
})

describe('an inline upstream', () => {
  checkRows(
    rows(
      '/routes/1',
      UPSTREAM_ROWS.map(([rule, upstream, message]) => [rule, { uri: '/a', upstream }, message]),
    ),
  )
})

describe('a consumer', () => {
  const JACK = { username: 'jack', plugins: { 'test-auth': { key: 'k1' } } }
  const jill = (key: unknown) => ({ username: 'jill', plugins: { 'test-auth': { key } } })
  checkRows(
    rows('/consumers/jack', [
      ['has a username', {}, 'invalid configuration: property "username" is required'],
      [
        'has a username of plain characters',
        { username: 'a.b' },
        'invalid configuration: property "username" validation failed: failed to match pattern "^[a-zA-Z0-9_\\-]+$" with "a.b"',
      ],
      ['has the username of its path', { username: 'jill' }, 'wrong username'],
      [
        'is told of its schema before its username',
        { username: 'jill', x: 1 },
        'invalid configuration: additional properties forbidden, found x',
      ],
      [
        'is told of its username before its plugins',
        { username: 'jill', plugins: { nope: {} } },
        'wrong username',
      ],
      [
        'has plugins that exist',
        { username: 'jack', plugins: { nope: {} } },
        'invalid plugins configuration: unknown plugin [nope]',
      ],
      [
        'has auth plugins as for consumers',
        { username: 'jack', plugins: { 'test-auth': {} } },
        'invalid plugins configuration: failed to check the configuration of plugin test-auth err: property "key" is required',
      ],
      [
        'is in a group that is there',
        { username: 'jack', group_id: 'g' },
        'failed to fetch consumer group info by consumer group id [g], response code: 404',
      ],
      [
        'shares its key with no other',
        JACK,
        'duplicate key of plugin test-auth found with consumer: jill',
        { 'consumers/jill': jill('k1') },
      ],
      [
        'shares its key with no credential',
        JACK,
        'duplicate key of plugin test-auth found with credential: c1 of consumer: jill',
        { 'consumers/jill/credentials/c1': { plugins: { 'test-auth': { key: 'k1' } } } },
      ],
      [
        'may have the key of its own credential',
        JACK,
        undefined,
        { 'consumers/jack/credentials/c1': { plugins: { 'test-auth': { key: 'k1' } } } },
      ],
      [
        'may have a key like that of another plugin',
        JACK,
        undefined,
        { 'consumers/jill': { username: 'jill', plugins: { other: { key: 'k1' } } } },
      ],
      [
        'may refer to the same secret as another',
        { username: 'jack', plugins: { 'test-auth': { key: '$env://K' } } },
        undefined,
        { 'consumers/jill': jill('$env://K') },
      ],
    ]),
  )
  checkRows([
    {
      rule: 'may be written again with its own key',
      given: { 'consumers/jack': JACK },
      request: ['PUT', '/consumers', JACK],
      status: 200,
    },
    {
      rule: 'has no reference for a username',
      request: ['PUT', '/consumers', { username: '$env://../routes/1' }],
      status: 400,
      answer: 'invalid configuration: property "username" validation failed: "$env://../routes/1" is no name',
    },
  ])
})

describe('a plugin config', () => {
  checkRows(
    rows('/plugin_configs/1', [
      ['has plugins', {}, 'invalid configuration: property "plugins" is required'],
      ['has plugins that exist', { plugins: { nope: {} } }, 'unknown plugin [nope]'],
    ]),
  )
})

describe('a global rule', () => {
  const RULE = { plugins: { 'test-log': {} } }
  checkRows(
    rows('/global_rules/1', [
      ['has plugins', {}, 'invalid configuration: property "plugins" is required'],
      [
        'has no name',
        { ...RULE, name: 'x' },
        'invalid configuration: additional properties forbidden, found name',
      ],
      ['has plugins that exist', { plugins: { nope: {} } }, 'unknown plugin [nope]'],
      [
        'shares no plugin with another',
        RULE,
        "plugin 'test-log' already exists in global rule with id '2'",
        { 'global_rules/2': RULE },
      ],
      [
        'is told which other rule has its plugin',
        RULE,
        "plugin 'test-log' already exists in global rule with id '9'",
        { 'global_rules/2': {}, 'global_rules/9': RULE },
      ],
    ]),
  )
  checkRows([
    {
      rule: 'may be written again',
      given: { 'global_rules/1': RULE },
      request: ['PUT', '/global_rules/1', RULE],
      status: 200,
    },
    {
      rule: 'shares no plugin after a patch',
      given: { 'global_rules/1': { id: '1', plugins: {} }, 'global_rules/2': RULE },
      request: ['PATCH', '/global_rules/1', RULE],
      status: 400,
      answer: "plugin 'test-log' already exists in global rule with id '2'",
    },
  ])
})

describe('plugin metadata', () => {
  checkRows([
    {
      rule: 'is of a plugin that exists',
      request: ['PUT', '/plugin_metadata/nope', {}],
      status: 400,
      answer: 'invalid plugin name',
    },
    {
      rule: 'is not of an inherited name',
      request: ['PUT', '/plugin_metadata/constructor', {}],
      status: 400,
      answer: 'invalid plugin name',
    },
    {
      rule: 'names its plugin',
      request: ['PUT', '/plugin_metadata', {}],
      status: 400,
      answer: 'missing plugin name',
    },
    {
      rule: "fits its plugin's schema",
      request: ['PUT', '/plugin_metadata/test-log', { size: 'x' }],
      status: 400,
      answer:
        'invalid configuration: property "size" validation failed: wrong type: expected integer, got string',
    },
    {
      rule: 'may be anything where a plugin says nothing',
      request: ['PUT', '/plugin_metadata/test-limit', { a: 1 }],
      status: 201,
    },
  ])
})
