import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadSettings } from './load.ts'
import { SettingsError } from './settings-error.ts'

const KEY = 'a-key-of-an-operator'

function load(admin: Record<string, unknown>) {
  const flags = Object.entries(admin).map(([name, value]) => [`deployment.admin.${name}`, value])
  return loadSettings({ env: {}, flags: Object.fromEntries(flags), workingDirectory: '/etc/gatewright' })
}

function problemOf(admin: Record<string, unknown>): string {
  try {
    load(admin)
  } catch (error) {
    if (error instanceof SettingsError) return error.message
    throw error
  }
  return ''
}

const scoped = (scope: unknown) => ({ admin_key: [{ name: 'team', key: KEY, role: 'admin', scope }] })

describe('the scope of an admin key', () => {
  it('arrives as it was written', () => {
    const scope = {
      verbs: ['GET', 'PATCH'],
      resources: ['routes', 'credentials', 'configs', 'openapi.json'],
      id_prefix: 'team-a-',
      label: { team: 'a' },
    }
    assert.deepEqual(load(scoped(scope)).settings.deployment.admin.admin_key, [
      { name: 'team', key: KEY, role: 'admin', scope },
    ])
  })

  const refused: readonly [scope: unknown, problem: RegExp][] = [
    [{}, /the scope of "team" limits nothing; name verbs, resources, id_prefix or label/],
    [{ verbs: [] }, /scope\.verbs: \[\] is not allowed; use a list of HTTP methods/],
    [{ verbs: ['get'] }, /scope\.verbs\[0\]: "get" is not allowed; use one of "GET", "PUT"/],
    [{ resources: ['route'] }, /scope\.resources\[0\]: "route" is not allowed; use one of .*"routes"/],
    [{ id_prefix: 'a/b' }, /scope\.id_prefix: "a\/b" is not allowed; use the beginning of an id/],
    [{ id_prefix: '' }, /scope\.id_prefix: "" is not allowed/],
    [{ label: {} }, /scope\.label: \{\} is not allowed; use a map of label names to values/],
    [{ label: { team: 1 } }, /scope\.label: \{"team":1\} is not allowed/],
    [{ verb: ['GET'] }, /unknown key "deployment\.admin\.admin_key\[0\]\.scope\.verb"; did you mean/],
  ]
  for (const [scope, problem] of refused) {
    it(`refuses ${JSON.stringify(scope)}`, () => {
      const message = problemOf(scoped(scope))
      assert.match(message, problem)
      assert.ok(!message.includes(KEY))
    })
  }

  it('is refused when another entry has the same key', () => {
    const admin_key = [
      { name: 'one', key: KEY, role: 'admin' },
      { name: 'two', key: KEY, role: 'admin', scope: { verbs: ['GET'] } },
    ]
    assert.match(problemOf({ admin_key }), /"one" and "two" have the same key/)
  })
})

describe('admin keys', () => {
  it('that can be guessed are warned of', () => {
    const warnings = (key: string) =>
      load({ admin_key: [{ name: 'me', key, role: 'admin' }] }).warnings.join()
    assert.match(warnings('fifteen-letters'), /the key of "me" has fewer than 16 characters/)
    assert.doesNotMatch(warnings('sixteen-letters!'), /fewer than/)
  })
})

describe('TLS of the admin API', () => {
  it('needs a certificate and its key', () => {
    for (const admin_api_mtls of [
      {},
      { admin_ssl_cert: 'a.pem' },
      { admin_ssl_cert: '', admin_ssl_cert_key: 'b' },
    ]) {
      assert.match(
        problemOf({ https_admin: true, admin_api_mtls }),
        /https_admin: true needs the paths of a certificate and its key/,
      )
    }
  })

  it('takes paths from the working directory, and empty ones for none', () => {
    const { settings } = load({
      https_admin: true,
      admin_api_mtls: { admin_ssl_cert: 'a.pem', admin_ssl_cert_key: '/b.pem', admin_ssl_ca_cert: '' },
    })
    assert.deepEqual(settings.deployment.admin.admin_api_mtls, {
      admin_ssl_cert: '/etc/gatewright/a.pem',
      admin_ssl_cert_key: '/b.pem',
    })
  })
})
