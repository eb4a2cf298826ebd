import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type LoadedSettings, type LoadOptions, loadSettings } from './load.ts'
import { SettingsError } from './settings-error.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'gatewright-settings-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

function load(t: TestContext, yaml: string, options: Partial<LoadOptions> = {}): LoadedSettings {
  const workingDirectory = folder(t)
  writeFileSync(join(workingDirectory, 'config.yaml'), yaml)
  return loadSettings({ file: 'config.yaml', env: {}, workingDirectory, ...options })
}

function problemsOf(t: TestContext, yaml: string, options: Partial<LoadOptions> = {}): readonly string[] {
  try {
    load(t, yaml, options)
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error))
    return error.problems
  }
  return []
}

describe('loadSettings', () => {
  it('gives the documented defaults without a file', () => {
    const { settings, sources, ignored, warnings } = loadSettings({ env: {}, workingDirectory: '/srv' })
    assert.deepEqual(settings.apisix.node_listen, [{ ip: '0.0.0.0', port: 9080 }])
    assert.deepEqual(settings.deployment.admin.admin_listen, { ip: '127.0.0.1', port: 9180 })
    assert.deepEqual(settings.deployment.admin.allow_admin, ['127.0.0.0/8', '::1'])
    assert.deepEqual(settings.deployment.admin.admin_key, [])
    assert.deepEqual(settings.apisix.status, { ip: '127.0.0.1', port: 7085 })
    assert.equal(settings.gatewright.shutdown.max_drain_ms, 9000)
    assert.deepEqual(settings.store, { type: 'embedded', prefix: '/apisix', path: '/srv/data/store' })
    assert.equal(sources.size + ignored.length + warnings.length, 0)
  })

  it('freezes the result to the leaf', () => {
    const { settings } = loadSettings({ env: {} })
    assert.throws(() => Object.assign(settings.apisix.node_listen[0]!, { port: 1 }), TypeError)
    assert.throws(() => Object.assign(settings.gatewright.log, { level: 'debug' }), TypeError)
  })

  it('reads all three forms of node_listen into one', (t) => {
    const listeners = (yaml: string) => load(t, `apisix:\n  node_listen: ${yaml}`).settings.apisix.node_listen
    assert.deepEqual(listeners('8000'), [{ ip: '0.0.0.0', port: 8000 }])
    assert.deepEqual(listeners('[8000, 8001]'), [
      { ip: '0.0.0.0', port: 8000 },
      { ip: '0.0.0.0', port: 8001 },
    ])
    assert.deepEqual(listeners('[{ip: "[::1]", port: 8000, enable_http2: true}]'), [
      { ip: '::1', port: 8000, enable_http2: true },
    ])
  })

  it('merges maps, replaces lists, and tells where each value came from', (t) => {
    const { settings, sources } = load(
      t,
      'deployment:\n  admin:\n    allow_admin: [10.0.0.0/8]\n    admin_listen:\n      port: 1234\n',
    )
    assert.deepEqual(settings.deployment.admin.allow_admin, ['10.0.0.0/8'])
    assert.deepEqual(settings.deployment.admin.admin_listen, { ip: '127.0.0.1', port: 1234 })
    assert.equal(sources.get('deployment.admin.allow_admin'), 'config.yaml:3')
    assert.equal(sources.get('deployment.admin.admin_listen.port'), 'config.yaml:5')
    assert.equal(sources.has('deployment.admin.admin_listen.ip'), false)
  })

  it('lets null empty a list or take a key away, and leaves a section that was only commented out at its defaults', (t) => {
    const { settings, warnings } = load(
      t,
      'apisix:\n  ssl:\nnginx_config: {http: {real_ip_from: null}}\ndeployment:\n  admin:\n    allow_admin: null\n',
    )
    assert.equal('allow_admin' in settings.deployment.admin, false)
    assert.deepEqual(settings.nginx_config.http.real_ip_from, [])
    assert.match(warnings.join(), /any address may call/)
    assert.equal(settings.apisix.ssl.listen[0]?.port, 9443)
  })

  it('refuses a scalar where a map is due with the words of APISIX', (t) => {
    assert.deepEqual(problemsOf(t, 'deployment:\n  etcd: "http://a:2379"\n'), [
      'config.yaml:2: failed to merge, path[deployment->etcd] expect: table, but got: string',
    ])
  })

  it('names an unknown key with its line and the key that was meant, all at once', (t) => {
    assert.deepEqual(problemsOf(t, 'apisix:\n  node_listne: 1\nadmin_key: []\ngatewright:\n  zzzzzz: 1\n'), [
      'config.yaml:2: unknown key "apisix.node_listne"; did you mean "apisix.node_listen"?',
      'config.yaml:3: unknown key "admin_key"; did you mean "deployment.admin.admin_key"?',
      'config.yaml:5: unknown key "gatewright.zzzzzz"; valid keys here: data_dir, store, workers, worker_max_rss_bytes, log, shutdown, boot, prewarm, registration, upgrade, last_good, config_stale, limits, pressure, plugin_paths, plugin_phase_timeout_ms, debug, registry, server_header, dev',
    ])
  })

  it('names a bad value and what is allowed, but never a secret', (t) => {
    const problems = problemsOf(
      t,
      [
        'apisix:',
        '  proxy_mode: stream',
        '  node_listen: [{ip: 127.0.0.1, prot: 1}]',
        'deployment:',
        '  admin: {admin_key: [{name: a, key: [hush], role: root}]}',
      ].join('\n'),
    )
    assert.deepEqual(problems, [
      'config.yaml:2: apisix.proxy_mode: "stream" is not allowed; use one of "http", "http&stream"',
      'config.yaml:3: unknown key "apisix.node_listen[0].prot"; did you mean "apisix.node_listen[0].port"?',
      'config.yaml:3: apisix.node_listen[0] lacks "port"',
      'config.yaml:5: deployment.admin.admin_key[0].key: (secret) is not allowed; use a text, in quotes if it looks like a number',
      'config.yaml:5: deployment.admin.admin_key[0].role: "root" is not allowed; use one of "admin", "viewer"',
    ])
    assert.doesNotMatch(problems.join(), /hush/)
  })

  it('takes every key that the example of APISIX sets, also those that mean nothing here', (t) => {
    const keys = ['enable_dev_mode', 'disable_sync_configuration_during_start']
    const { ignored } = load(t, `apisix: {${keys.map((key) => `${key}: false`).join(', ')}}`)
    assert.deepEqual(
      ignored,
      keys.map((key) => `apisix.${key}`),
    )
  })

  it('lists the keys of nginx once as ignored and honours those that mean something', (t) => {
    const { settings, ignored } = load(
      t,
      [
        'nginx_config:',
        '  worker_processes: 3',
        '  event: {worker_connections: 1}',
        '  http: {access_log: x, real_ip_header: X-Forwarded-For, real_ip_recursive: "on"}',
        '  http_server_configuration_snippet: "x"',
      ].join('\n'),
    )
    assert.deepEqual(ignored, [
      'nginx_config.event',
      'nginx_config.http.access_log',
      'nginx_config.http_server_configuration_snippet',
    ])
    assert.equal(settings.nginx_config.http.real_ip_header, 'X-Forwarded-For')
    assert.equal(settings.gatewright.workers, 3)
  })

  it('says which accepted keys have no effect yet, and only when they ask for something', (t) => {
    const { warnings } = load(t, 'apisix:\n  enable_reuseport: true\n  enable_ipv6: false\n')
    assert.deepEqual(warnings, ['accepted, but without effect in this version: apisix.enable_ipv6'])
  })

  it('refuses text that is no YAML, no map, or not there, with its place', (t) => {
    assert.match(problemsOf(t, 'a: 1\na: 2\n')[0] ?? '', /^config\.yaml:2: Map keys must be unique/)
    assert.match(problemsOf(t, '- 1')[0] ?? '', /holds no map/)
    assert.match(problemsOf(t, '', { file: 'missing.yaml' })[0] ?? '', /^missing\.yaml: cannot be read/)
    assert.match(problemsOf(t, 'a: &a [*a]\n')[0] ?? '', /config\.yaml/)
    assert.match(problemsOf(t, '__proto__: {x: 1}\n')[0] ?? '', /unknown key "__proto__"/)
  })

  it('understands anchors and merge keys', (t) => {
    const { settings } = load(
      t,
      'apisix:\n  status: &s {ip: 127.0.0.2, port: 7000}\n  control:\n    <<: *s\n    port: 7001\n',
    )
    assert.deepEqual({ ...settings.apisix.control }, { ip: '127.0.0.2', port: 7001, router: 'radixtree_uri' })
  })
})

describe('the environment', () => {
  it('fills variables into keys and values and converts what looks like a number or a truth value', (t) => {
    const env = { PORT: '8000', ON: 'false', NAME: 'enable_control', KEY: '0123' }
    const { settings } = load(
      t,
      [
        'apisix:',
        '  node_listen: ${{PORT}}',
        '  ${{NAME}}: ${{ON}}',
        '  status: {port: "${{STATUS_PORT:=7000}}"}',
        'deployment: {admin: {admin_key: [{name: a, key: "${{KEY}}", role: admin}]}}',
      ].join('\n'),
      { env },
    )
    assert.equal(settings.apisix.node_listen[0]?.port, 8000)
    assert.equal(settings.apisix.enable_control, false)
    assert.equal(settings.apisix.status.port, 7000)
    assert.equal(settings.deployment.admin.admin_key[0]?.key, '0123', 'a text keeps its leading zero')
  })

  it('refuses a variable that is not set with the words of APISIX', (t) => {
    assert.deepEqual(problemsOf(t, 'apisix:\n  node_listen: ${{NOPE}}\n'), [
      "config.yaml:2: failed to handle configuration: can't find environment variable NOPE",
    ])
  })

  it('takes the hosts of etcd from APISIX_DEPLOYMENT_ETCD_HOST and selects etcd by it', (t) => {
    const env = { APISIX_DEPLOYMENT_ETCD_HOST: '["http://e1:2379","http://e2:2379"]' }
    const { settings, sources } = load(t, '', { env })
    assert.deepEqual(settings.deployment.etcd.host, ['http://e1:2379', 'http://e2:2379'])
    assert.equal(sources.get('deployment.etcd.host'), 'env')
    assert.equal(settings.store.type, 'etcd')
    assert.match(
      problemsOf(t, '', { env: { APISIX_DEPLOYMENT_ETCD_HOST: 'http://e1' } })[0] ?? '',
      /JSON array/,
    )
  })

  it('derives the drain deadline from the grace period, below what the file says', (t) => {
    const drain = (seconds: string, yaml = '') =>
      load(t, yaml, { env: { TERMINATION_GRACE_PERIOD_SECONDS: seconds } }).settings.gatewright.shutdown
        .max_drain_ms
    assert.deepEqual([drain('30'), drain('10'), drain('1')], [25_000, 9000, 1000])
    assert.equal(drain('30', 'gatewright: {shutdown: {max_drain_ms: 5000}}'), 5000)
    assert.match(problemsOf(t, '', { env: { TERMINATION_GRACE_PERIOD_SECONDS: 'x' } })[0] ?? '', /1–86400/)
  })

  it('lets flags win over everything', (t) => {
    const { settings, sources } = load(t, 'apisix:\n  node_listen: 1\n', {
      flags: { 'apisix.node_listen': 2 },
    })
    assert.equal(settings.apisix.node_listen[0]?.port, 2)
    assert.equal(sources.get('apisix.node_listen'), 'flag')
  })
})

describe('which store', () => {
  const storeOf = (t: TestContext, yaml: string) => load(t, yaml).settings.store

  it('is embedded unless something asks for another', (t) => {
    assert.equal(storeOf(t, '').type, 'embedded')
    assert.equal(storeOf(t, 'deployment: {role: traditional, etcd: null}').type, 'embedded')
  })

  it('is etcd where deployment.etcd is there, with a slash before the prefix and none after', (t) => {
    const store = storeOf(t, 'deployment: {etcd: {prefix: gw/}}')
    assert.equal(store.type, 'etcd')
    assert.equal(store.prefix, '/gw')
  })

  it('is etcd for roles that make no sense alone', (t) => {
    assert.equal(storeOf(t, 'deployment: {role: control_plane}').type, 'etcd')
    assert.equal(storeOf(t, 'deployment: {role: data_plane}').type, 'etcd')
  })

  it('is the file beside the settings for a data plane with provider yaml or json', (t) => {
    const store = storeOf(t, 'deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}')
    assert.ok(store.type === 'file' && store.format === 'yaml')
    assert.match(store.path, /gatewright-settings-\w+\/apisix\.yaml$/)
  })

  it('is what is handed over as a whole for a traditional node with provider yaml, and the file without an admin API', (t) => {
    const yaml = 'role_traditional: {config_provider: yaml}'
    assert.equal(storeOf(t, `deployment: {${yaml}}`).type, 'configs')
    assert.equal(storeOf(t, `deployment: {${yaml}}\napisix: {enable_admin: false}`).type, 'file')
  })

  it('is what gatewright.store says, before anything else', (t) => {
    assert.equal(storeOf(t, 'deployment: {etcd: {prefix: /x}}\ngatewright: {store: memory}').type, 'memory')
    assert.equal(storeOf(t, 'gatewright: {store: etcd}').type, 'etcd')
  })

  it('warns where a provider was named and another store is used', (t) => {
    const named = (provider: string) =>
      load(t, `deployment: {role_traditional: {config_provider: ${provider}}}`).warnings.join()
    assert.match(named('etcd'), /embedded store is used/)
    assert.match(named('yaml'), /comes as a whole/)
  })
})

describe('settings of secrets', () => {
  it('are typed, with the times of APISIX', (t) => {
    const { lru, data_encryption } = load(t, 'apisix: {lru: {secret: {ttl: 30}}}').settings.apisix
    assert.deepEqual(lru.secret, { ttl: 30, count: 512, neg_ttl: 60, neg_count: 512 })
    assert.deepEqual(data_encryption, { enable_encrypt_fields: true, keyring: [] })
  })

  it('take one key or several, of 16 or 32 bytes, and show none that is wrong', (t) => {
    const keyring = (yaml: string) =>
      load(t, `apisix: {data_encryption: {keyring: ${yaml}}}`).settings.apisix.data_encryption.keyring
    assert.deepEqual(keyring('0123456789abcdef'), ['0123456789abcdef'])
    assert.deepEqual(keyring('[0123456789abcdef, 0123456789abcdef0123456789abcdef]').length, 2)
    for (const wrong of ['planted', '[planted]', '[planted-é-in-14b]']) {
      const [problem = ''] = problemsOf(t, `apisix: {data_encryption: {keyring: ${wrong}}}`)
      assert.match(problem, /keyring.*16 or 32 bytes/)
      assert.doesNotMatch(problem, /planted/)
    }
  })
})

describe('rules between keys', () => {
  it('refuses stores and providers that a role cannot have', (t) => {
    const problem = (yaml: string) => problemsOf(t, yaml).join()
    for (const store of ['memory', 'embedded']) {
      assert.match(
        problem(`deployment: {role: data_plane}\ngatewright: {store: ${store}}`),
        new RegExp(`gatewright.store: "${store}" is not allowed with deployment.role "data_plane"`),
      )
    }
    for (const provider of ['yaml', 'json', 'xds']) {
      assert.match(
        problem(`deployment: {role: control_plane, role_control_plane: {config_provider: ${provider}}}`),
        new RegExp(`config_provider: "${provider}" is not allowed; use "etcd"`),
      )
    }
    assert.match(
      problem('deployment: {role_traditional: {config_provider: json}}'),
      /config_provider: "json" is not allowed; use one of "etcd", "yaml"/,
    )
  })

  it('warns that stream routes are stored and not served', (t) => {
    const { warnings } = load(t, 'apisix: {proxy_mode: http&stream}')
    assert.match(warnings.join(), /"http&stream": stream routes are checked and stored, but not served/)
  })

  it('warns of a control plane that no data plane can read', (t) => {
    const { warnings } = load(t, 'deployment: {role: control_plane}\ngatewright: {store: embedded}')
    assert.match(warnings.join(), /no data plane can read what is written here/)
  })

  it('switches the admin API by role', (t) => {
    const admin = (role: string) => load(t, `deployment: {role: ${role}}`)
    assert.equal(admin('data_plane').settings.apisix.enable_admin, false)
    assert.equal(admin('data_plane').sources.get('apisix.enable_admin'), 'deployment.role')
    assert.equal(admin('control_plane').settings.apisix.enable_admin, true)
  })

  it('refuses two listeners on one port', (t) => {
    assert.deepEqual(problemsOf(t, 'apisix: {node_listen: 9180}'), [
      'deployment.admin.admin_listen: port 9180 is not allowed; apisix.node_listen[0] listens on it already',
    ])
    assert.deepEqual(problemsOf(t, 'apisix: {node_listen: [0, 0], status: {port: 0}}'), [])
    assert.deepEqual(problemsOf(t, 'apisix: {node_listen: 9180, enable_admin: false}'), [])
  })

  it('refuses two places for the servers of discovery.dns, and servers that are no addresses', (t) => {
    const text = 'discovery: {dns: {servers: ["10.0.0.1"], resolv_conf: /x}}\n'
    assert.match(problemsOf(t, text)[0]!, /servers \["10\.0\.0\.1"\] and resolv_conf "\/x" are both set/)
    const good = ['10.0.0.1', '10.0.0.1:5353', '::1', '[::1]', '[::1]:53']
    const bad = ['dns.test', '10.0.0.1:0', '10.0.0.1:70000', '::1:', '[10.0.0.1]:53']
    assert.deepEqual(
      load(t, `apisix: {dns_resolver: ${JSON.stringify(good)}}`).settings.apisix.dns_resolver,
      good,
    )
    assert.equal(problemsOf(t, `apisix: {dns_resolver: ${JSON.stringify(bad)}}`).length, bad.length)
  })

  it('refuses a drain window that is longer than the deadline', (t) => {
    assert.match(
      problemsOf(t, 'gatewright: {shutdown: {min_drain_ms: 9001}}')[0] ?? '',
      /9001 is not allowed/,
    )
  })

  it('refuses to prepare for longer than a worker may take to be ready', (t) => {
    assert.match(
      problemsOf(t, 'gatewright: {prewarm: {timeout_ms: 3000}, upgrade: {ready_timeout_ms: 3000}}')[0] ?? '',
      /prewarm\.timeout_ms: 3000 is not allowed; upgrade\.ready_timeout_ms includes it/,
    )
  })

  it("refuses APISIX's published sample keys unless a development setting allows them", (t) => {
    for (const key of ['edd1c9f034335f136f87ad84b625c8f1', '4054f7cf07e344346cd3f287985e76a2']) {
      const yaml = `deployment: {admin: {admin_key: [{name: sample, key: ${key}, role: admin}]}}`
      const [problem = ''] = problemsOf(t, yaml)
      assert.match(problem, /key of "sample" is APISIX's published sample key/)
      assert.equal(problem.includes(key), false)
      assert.deepEqual(problemsOf(t, `${yaml}\ngatewright: {dev: {allow_sample_admin_key: true}}`), [])
    }
  })

  it('counts an entry with an empty admin key as none', (t) => {
    const { settings } = load(t, 'deployment: {admin: {admin_key: [{name: a, key: "", role: admin}]}}')
    assert.deepEqual(settings.deployment.admin.admin_key, [])
  })

  it('adds the version to the Server header when server tokens are on', (t) => {
    const header = (yaml: string) => load(t, yaml).settings.gatewright.server_header
    assert.match(String(header('apisix: {enable_server_tokens: true}')), /^Gatewright\/\d+\.\d+\.\d+/)
    assert.equal(header('gatewright: {server_header: false}'), false)
    assert.equal(header('gatewright: {server_header: Edge}'), 'Edge')
  })
})
